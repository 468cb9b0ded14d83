"""Reading topics whole, for commands: offsets, ranges, groups. Not for: workers (the engine reads and writes for them)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError

FETCH_MAX_BYTES: Final = 8 << 20
FETCH_WAIT_MS: Final = 500
REQUEST_TIMEOUT_MS: Final = 30_000
COORDINATOR_WAIT_S: Final = 30.0
COORDINATOR_POLL_S: Final = 0.2
PRODUCER_MAX_BYTES: Final = 8 << 20  # of one request; a topic's own max.message.bytes decides

_NO_COORDINATOR_YET: Final = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)


class Message(NamedTuple):
    """One message; ``timestamp`` in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    def header(self, name: str) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)


Offsets = dict[tuple[str, int], int]


@asynccontextmanager
async def consumer(bootstrap: str, *, committed_only: bool = True) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group; ``committed_only`` hides aborted transactions."""
    client = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if committed_only else "read_uncommitted",
        fetch_max_bytes=FETCH_MAX_BYTES,
        max_partition_fetch_bytes=FETCH_MAX_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@asynccontextmanager
async def producer(bootstrap: str, **settings: Any) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer that waits for all in-sync replicas."""
    client = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_request_size=PRODUCER_MAX_BYTES,
        **settings,
    )
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def partitions_of(bootstrap: str, topics: list[str]) -> dict[str, int]:
    """Topic → number of partitions, of those that exist."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        described = await admin.describe_topics([topic for topic in topics if topic in known])
        return {entry["topic"]: len(entry["partitions"]) for entry in described}
    finally:
        await admin.close()


async def bounds(bootstrap: str, topics: list[str], *, committed_only: bool = True) -> tuple[Offsets, Offsets]:
    """First and end offset of every partition of the topics that exist (end: of what a reader may see)."""
    counts = await partitions_of(bootstrap, topics)
    wanted = [TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)]
    if not wanted:
        return {}, {}
    async with consumer(bootstrap, committed_only=committed_only) as client:
        client.assign(wanted)
        begin = await client.beginning_offsets(wanted)
        end = await client.end_offsets(wanted)
    return (
        {(tp.topic, tp.partition): offset for tp, offset in begin.items()},
        {(tp.topic, tp.partition): o for tp, o in end.items()},
    )


async def committed(bootstrap: str, group: str) -> Offsets:
    """A group's committed offsets. Waits for a broker that was just started: it makes its offsets topic when first asked."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        async with asyncio.timeout(COORDINATOR_WAIT_S):
            while True:
                try:
                    offsets = await admin.list_consumer_group_offsets(group)
                    break
                except _NO_COORDINATOR_YET:
                    await asyncio.sleep(COORDINATOR_POLL_S)
    finally:
        await admin.close()
    return {(tp.topic, tp.partition): meta.offset for tp, meta in offsets.items() if meta.offset >= 0}


async def read(
    bootstrap: str,
    start: Mapping[tuple[str, int], int],
    end: Mapping[tuple[str, int], int],
    *,
    committed_only: bool = True,
) -> AsyncIterator[Message]:
    """Every visible message from ``start`` (included) to ``end`` (excluded), in order within a partition."""
    pending = {TopicPartition(*key): offset for key, offset in end.items() if offset > start.get(key, 0)}
    if not pending:
        return
    async with consumer(bootstrap, committed_only=committed_only) as client:
        client.assign(list(pending))
        for tp in pending:
            client.seek(tp, start.get((tp.topic, tp.partition), 0))
        while pending:
            batches = await client.getmany(*pending, timeout_ms=FETCH_WAIT_MS)
            for tp, records in batches.items():
                for record in records:
                    if record.offset < pending[tp]:
                        yield Message(
                            tp.topic,
                            tp.partition,
                            record.offset,
                            record.timestamp,
                            record.key,
                            record.value,
                            tuple(record.headers),
                        )
            for tp in list(pending):
                if await client.position(tp) >= pending[tp]:
                    del pending[tp]
                    client.pause(tp)


async def read_all(bootstrap: str, topics: list[str], *, committed_only: bool = True) -> AsyncIterator[Message]:
    """Every message of the topics up to their ends at this moment."""
    begin, end = await bounds(bootstrap, topics, committed_only=committed_only)
    async for message in read(bootstrap, begin, end, committed_only=committed_only):
        yield message
