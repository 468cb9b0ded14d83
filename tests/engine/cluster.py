"""Topics, events and readings for the engine's tests, over plain aiokafka. Not for: the engine, which is not imported here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError
from aiokafka.structs import TopicPartition

COMPACTED = {"cleanup.policy": "compact", "min.compaction.lag.ms": "3600000", "max.message.bytes": str(4 << 20)}

#: What only the broker can tell is asked for so often, and so long.
POLL_S: Final = 0.2
BROKER_TIMEOUT_S: Final = 60.0


class Read(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


async def create(
    bootstrap: str, topics: Iterable[str], partitions: int, config: Mapping[str, str] | None = None
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = [NewTopic(t, partitions, 1, topic_configs=dict(config or {})) for t in topics]
        answer = await admin.create_topics(wanted)
        failed = [e for e in answer.topic_errors if e[1]]
        if failed:
            raise RuntimeError(f"topics not created: {failed}")
    finally:
        await admin.close()


async def delete(bootstrap: str, topics: Iterable[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(topics))
    finally:
        await admin.close()


async def made_anew(bootstrap: str, topic: str, partitions: int, config: Mapping[str, str] | None = None) -> None:
    """Deleted, then created; deletion takes a moment on the broker. Raises TimeoutError."""
    await delete(bootstrap, [topic])
    async with asyncio.timeout(BROKER_TIMEOUT_S):
        while True:
            try:
                return await create(bootstrap, [topic], partitions, config)
            except RuntimeError:
                await asyncio.sleep(POLL_S)


async def delete_records(bootstrap: str, topic: str, before: Mapping[int, int]) -> None:
    from aiokafka.admin import RecordsToDelete

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(topic, p): RecordsToDelete(before_offset=o) for p, o in before.items()}
        )
    finally:
        await admin.close()


async def publish(bootstrap: str, topic: str, messages: Iterable[tuple[bytes, bytes]], **options: Any) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=1 << 16, **options)
    await producer.start()
    count = 0
    try:
        for key, value in messages:
            await producer.send(topic, value, key=key)
            count += 1
        await producer.flush()
    finally:
        await producer.stop()
    return count


async def publish_one(
    bootstrap: str, topic: str, partition: int, key: bytes, value: bytes | None, headers: Any = ()
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key, partition=partition, headers=list(headers))
    finally:
        await producer.stop()


async def read(bootstrap: str, topic: str, partitions: int) -> list[list[Read]]:
    """Every record of a topic by partition, to its end as of now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, p) for p in range(partitions)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        out: list[list[Read]] = [[] for _ in tps]
        await consumer.seek_to_beginning(*tps)
        while True:
            positions = await asyncio.gather(*[consumer.position(tp) for tp in tps])
            if all(p >= ends[tp] for tp, p in zip(tps, positions, strict=True)):
                return out
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                out[tp.partition] += [Read(r.offset, r.key, r.value, tuple(r.headers)) for r in records]
    finally:
        await consumer.stop()


async def lag(bootstrap: str, group: str, topic: str, partitions: int) -> int:
    """Records of the topic that the group has not committed."""
    committed = await committed_offsets(bootstrap, group, topic, partitions)
    ends = await end_offsets(bootstrap, topic, partitions)
    return sum(ends[p] - committed[p] for p in range(partitions))


async def end_offsets(bootstrap: str, topic: str, partitions: int) -> list[int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        tps = [TopicPartition(topic, p) for p in range(partitions)]
        found = await consumer.end_offsets(tps)
        return [int(found[tp]) for tp in tps]
    finally:
        await consumer.stop()


async def committed_offsets(bootstrap: str, group: str, topic: str, partitions: int) -> list[int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = await _group_offsets(admin, group)
    finally:
        await admin.close()
    offsets = {tp.partition: o.offset for tp, o in found.items() if tp.topic == topic}
    return [max(0, offsets.get(p, 0)) for p in range(partitions)]


async def committed_notes(bootstrap: str, group: str, topic: str) -> list[str]:
    """What was written beside the committed offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = await _group_offsets(admin, group)
    finally:
        await admin.close()
    return [str(o.metadata) for tp, o in found.items() if tp.topic == topic]


async def _group_offsets(admin: Any, group: str) -> Any:
    """A broker that was just started makes its offsets topic at the first question. Raises TimeoutError."""
    async with asyncio.timeout(BROKER_TIMEOUT_S):
        while True:
            try:
                return await admin.list_consumer_group_offsets(group)
            except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError, GroupLoadInProgressError):
                await asyncio.sleep(POLL_S)
