"""A consumer without a group, for reading whole topics within a bound of memory. Not for: sources (``consumer``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult

if TYPE_CHECKING:
    from streamer.engine.memory import Reading
    from streamer.engine.runtime import Runtime


@asynccontextmanager
async def reader(runtime: Runtime, part: str, bounds: Reading) -> AsyncIterator[Any]:
    """A consumer without a group, for reading topics from a position on; ``part``: of the memory budget, that it counts to."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=runtime.settings.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_bytes=bounds.answer_bytes,
        max_partition_fetch_bytes=bounds.partition_bytes,
        check_crcs=True,
    )
    await consumer.start()
    runtime.reading[part] = lambda: waiting(consumer) * bounds.partition_bytes
    try:
        yield consumer
    finally:
        runtime.reading.pop(part, None)
        await consumer.stop()


def waiting(consumer: Any) -> int:
    """Answers of partitions that were fetched and not yet taken."""
    fetcher = getattr(consumer, "_fetcher", None)
    return 0 if fetcher is None else sum(isinstance(answer, FetchResult) for answer in list(fetcher._records.values()))
