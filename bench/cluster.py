"""What the benchmark asks of Kafka itself: topics, offsets, filling and reading a topic. Not for: the contract's topics
(``streamer.bench.stage``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from bench.kernel.workload import PARTITIONS, partition_of

BATCH_BYTES: Final = 1 << 19
IN_FLIGHT_MAX: Final = 64  # batches
SETTLE_TIMEOUT_S: Final = 60.0
READ_TIMEOUT_S: Final = 120.0  # without a record
POLL_S: Final = 0.03
#: As the engine asks for it.
CHANGELOG_CONFIG: Final = {
    "cleanup.policy": "compact",
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(4 << 20),
}


class Read(NamedTuple):
    """One record of a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Cluster:
    """One Kafka; all topics have four partitions."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    @classmethod
    @asynccontextmanager
    async def open(cls, bootstrap: str) -> AsyncIterator[Cluster]:
        cluster = cls(bootstrap)
        await cluster._admin.start()
        try:
            yield cluster
        finally:
            await cluster._admin.close()

    async def topics(self) -> set[str]:
        return set(await self._admin.list_topics())

    async def create(self, name: str, config: Mapping[str, str] | None = None) -> None:
        await self._admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=dict(config or {}))])
        await self._settled({name}, there=True)

    async def delete(self, names: Iterable[str]) -> None:
        gone = set(names)
        if gone:
            await self._admin.delete_topics(sorted(gone))
            await self._settled(gone, there=False)

    async def _settled(self, names: set[str], *, there: bool) -> None:
        async with asyncio.timeout(SETTLE_TIMEOUT_S):
            while True:
                found = names & await self.topics()
                if found == (names if there else set()):
                    return
                await asyncio.sleep(POLL_S)

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition → offset; nothing when the group does not exist yet."""
        try:
            offsets = await self._admin.list_consumer_group_offsets(group)
        except KafkaError:
            return {}
        return {tp.partition: max(0, meta.offset) for tp, meta in offsets.items() if tp.topic == topic}

    async def publish(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> int:
        """In order, by key; how many there were."""
        async with self.filling(topic) as fill:
            count = 0
            for key, value in records:
                await fill.add(partition_of(key), key, value)
                count += 1
        return count

    @asynccontextmanager
    async def filling(self, topic: str) -> AsyncIterator[Filling]:
        """Record batches as large as they may be; left when all of them are acknowledged."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
        )
        await producer.start()
        try:
            fill = Filling(producer, topic)
            yield fill
            await fill.flush()
        finally:
            await producer.stop()

    async def ends(self, topic: str) -> dict[int, int]:
        async with self._consumer() as consumer:
            found = await consumer.end_offsets([TopicPartition(topic, p) for p in range(PARTITIONS)])
        return {tp.partition: end for tp, end in found.items()}

    async def read(self, topic: str) -> AsyncIterator[Read]:
        """Everything that is committed, from the begin to the present end."""
        async with self._consumer() as consumer:
            tps = [TopicPartition(topic, p) for p in range(PARTITIONS)]
            consumer.assign(tps)
            begin, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
            for tp in tps:
                consumer.seek(tp, begin[tp])
            left = {tp for tp in tps if begin[tp] < end[tp]}
            while left:
                got = await asyncio.wait_for(
                    consumer.getmany(*left, timeout_ms=200, max_records=20_000), READ_TIMEOUT_S
                )
                for tp, records in got.items():
                    for record in records:
                        yield Read(tp.partition, record.offset, record.key, record.value)
                for tp in list(left):
                    if await consumer.position(tp) >= end[tp]:
                        left.discard(tp)

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[Any]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", max_partition_fetch_bytes=4 << 20,
        )  # fmt: skip
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


class Filling:
    """Batches built by hand, one open a partition."""

    def __init__(self, producer: Any, topic: str) -> None:
        self._producer, self._topic = producer, topic
        self._open: dict[int, Any] = {}
        self._sent: list[Any] = []
        self.following = [0] * PARTITIONS

    async def add(self, partition: int, key: bytes, value: bytes) -> None:
        batch = self._open.get(partition)
        if batch is None:
            batch = self._open[partition] = self._producer.create_batch()
        if batch.append(key=key, value=value, timestamp=None) is None:
            await self._send(partition)
            batch = self._open[partition] = self._producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
        self.following[partition] += 1

    async def flush(self) -> None:
        for partition in list(self._open):
            await self._send(partition)
        await asyncio.gather(*self._sent)
        self._sent.clear()

    async def _send(self, partition: int) -> None:
        batch = self._open.pop(partition)
        batch.close()
        self._sent.append(await self._producer.send_batch(batch, self._topic, partition=partition))
        if len(self._sent) >= IN_FLIGHT_MAX:
            await asyncio.gather(*self._sent)
            self._sent.clear()
