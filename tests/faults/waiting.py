"""Waiting for a condition, bounded and named. Not for: sleeping until something has probably happened."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

POLL_S: Final = 0.1


class LateError(Exception):
    """A condition did not come true in time; says which."""


async def until(
    what: str, condition: Callable[[], Any] | Callable[[], Awaitable[Any]], timeout_s: float, poll_s: float = POLL_S
) -> Any:
    """The condition's first true value. Raises LateError with ``what``, and what a callable ``what`` knew last."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise LateError(f"waited {timeout_s:.0f} s for: {what}")
        await asyncio.sleep(poll_s)
