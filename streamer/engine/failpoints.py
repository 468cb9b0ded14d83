"""Named places of the commit where a test makes the process kill or stop itself. Not for: production, where nothing is armed.

Armed by ``STREAMER_FAILPOINTS="name:count[:stop],…"`` and only with ``STREAMER_ALLOW_FAILPOINTS=1``: at the ``count + 1``-th
passage the process dies of SIGKILL, or with ``stop`` sends itself SIGSTOP (and goes on when it is woken).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from typing import Final

NAMES: Final = frozenset(
    {
        # a commit, in its order
        "before_outputs",  # before the pause check
        "in_outputs",  # batches on the wire
        "between_outputs",  # what must stand first is acknowledged, the rest not sent
        "before_compacted",  # after the pause check, before an append to a compacted output
        "after_outputs",
        "in_sweep",  # between outputs and changelog of a commit that moves no source offset
        "before_changelog",  # after the pause check
        "in_changelog",  # the batch on the wire
        "after_changelog",
        "after_rocksdb",
        "before_offset_commit",
        "after_offset_commit",
        # a start
        "in_recovery",
        "in_restating",
        # a sink
        "in_transaction",  # its rows are written, not committed
        "after_transaction",
    }
)
_WIRE_STEPS: Final = 5
_WIRE_STEP_S: Final = 0.0005

_armed: dict[str, int] = {}
_stopping: set[str] = set()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


kill: Callable[[], None] = _die
stop: Callable[[], None] = _stop


def arm(env: Mapping[str, str]) -> None:
    """Reads the environment. Raises ValueError for a name or an action that does not exist."""
    _armed.clear()
    _stopping.clear()
    if env.get("STREAMER_ALLOW_FAILPOINTS") != "1":
        return
    for part in filter(None, env.get("STREAMER_FAILPOINTS", "").split(",")):
        name, count, action = [*part.split(":"), "", ""][:3]
        if name not in NAMES:
            raise ValueError(f"STREAMER_FAILPOINTS: {name!r} is none of {', '.join(sorted(NAMES))}")
        if action not in {"", "stop"}:
            raise ValueError(f"STREAMER_FAILPOINTS: {action!r} is not `stop`")
        _armed[name] = int(count or 0)
        if action:
            _stopping.add(name)


def hit(name: str) -> None:
    """One passage."""
    if _armed and name in _armed:
        _armed[name] -= 1
        if _armed[name] < 0:
            if name in _stopping:
                del _armed[name]
                stop()
            else:
                kill()


async def hit_on_the_wire(name: str) -> None:
    """One passage while a request is on its way: a short, varying wait first, so that it may or may not have arrived."""
    if _armed and _armed.get(name) == 0:
        await asyncio.sleep(_WIRE_STEP_S * (os.getpid() % _WIRE_STEPS))
    hit(name)
