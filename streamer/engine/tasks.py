"""Tasks that must be over before something else begins. Not for: what they do.

A cancellation may be lost: aiokafka's ``close`` swallows one, and so does ``asyncio.wait_for`` before Python 3.12 when what it
waits for is done at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: A task that was cancelled and has not ended is cancelled again after this.
CANCEL_AGAIN_S: Final = 0.5


async def end(task: asyncio.Future[Any], within_s: float) -> bool:
    """Cancels ``task`` until it has ended; False: it has not, within ``within_s``."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + within_s
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=max(0.0, min(CANCEL_AGAIN_S, deadline - clock())))
        if not task.done() and clock() >= deadline:
            return False
    return True


async def unbroken(step: Coroutine[Any, Any, T]) -> T:
    """Awaits ``step`` to its end, also when the caller is cancelled meanwhile: that takes effect afterwards. Raises what
    ``step`` raises."""
    task = asyncio.ensure_future(step)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    result = task.result()
    if cancelled:
        raise asyncio.CancelledError
    return result
