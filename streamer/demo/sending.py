"""Sending the demo's events: every one acknowledged, with progress. Not for: departments (``streamer publish``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from streamer import kafka_io
from streamer.demo import messages

MAX_UNACKNOWLEDGED: Final = 5_000
TELL_EVERY: Final = 5_000


async def publish(bootstrap: str, path: Path, told: Callable[[int], None], *, per_second: int | None = None) -> int:
    """Send the messages of an events file in order; ``told`` hears how many are acknowledged. ``per_second`` paces them."""
    sent = 0
    waiting: list[asyncio.Future[Any]] = []
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with kafka_io.producer(bootstrap, linger_ms=5) as producer:
        for message in messages.read(path):
            waiting.append(
                await producer.send(message.topic, message.value, key=message.key, headers=list(message.headers))
            )
            sent += 1
            if len(waiting) >= MAX_UNACKNOWLEDGED:
                await asyncio.gather(*waiting)
                waiting.clear()
            if sent % TELL_EVERY == 0:
                told(sent)
            if per_second and sent % 100 == 0:
                await asyncio.sleep(max(0.0, begun + sent / per_second - loop.time()))
        await asyncio.gather(*waiting)
    told(sent)
    return sent
