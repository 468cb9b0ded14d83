"""Replay of a run's records, straight from an export. Not for: comparing (``verdict``)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from streamer.domain.replay import Replay, run


async def replayed(lines: AsyncIterator[bytes]) -> Replay:
    """What the records come to: rows, and every message."""
    return run([line async for line in lines])
