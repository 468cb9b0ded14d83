"""A consumer without a group, for reading whole topics. Not for: sources (``consumer``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

_FETCH_BYTES: Final = 8 << 20


@asynccontextmanager
async def reader(bootstrap_servers: str, fetch_bytes: int = _FETCH_BYTES) -> AsyncIterator[Any]:
    """A consumer without a group, for reading topics from a position on."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_bytes=8 * fetch_bytes,
        max_partition_fetch_bytes=fetch_bytes,
        check_crcs=True,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
