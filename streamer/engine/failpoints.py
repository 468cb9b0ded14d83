"""Named places of the commit where a test makes the process kill itself. Not for: production, where nothing is armed.

Armed by ``STREAMER_FAILPOINTS="name:count,…"`` and only with ``STREAMER_ALLOW_FAILPOINTS=1``: the process dies of SIGKILL
at the ``count + 1``-th passage.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from typing import Final

NAMES: Final = frozenset(
    {"after_outputs", "in_changelog", "after_changelog", "after_rocksdb", "in_recovery", "before_offset_commit"}
)
_WIRE_STEPS: Final = 5
_WIRE_STEP_S: Final = 0.0005

_armed: dict[str, int] = {}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


kill: Callable[[], None] = _die


def arm(env: Mapping[str, str]) -> None:
    """Reads the environment. Raises ValueError for a name that does not exist."""
    _armed.clear()
    if env.get("STREAMER_ALLOW_FAILPOINTS") != "1":
        return
    for part in filter(None, env.get("STREAMER_FAILPOINTS", "").split(",")):
        name, _, count = part.partition(":")
        if name not in NAMES:
            raise ValueError(f"STREAMER_FAILPOINTS: {name!r} is none of {', '.join(sorted(NAMES))}")
        _armed[name] = int(count or 0)


def hit(name: str) -> None:
    """One passage."""
    if _armed and name in _armed:
        _armed[name] -= 1
        if _armed[name] < 0:
            kill()


async def hit_on_the_wire(name: str) -> None:
    """One passage while a request is on its way: a short, varying wait first, so that it may or may not have arrived."""
    if _armed and _armed.get(name) == 0:
        await asyncio.sleep(_WIRE_STEP_S * (os.getpid() % _WIRE_STEPS))
    hit(name)
