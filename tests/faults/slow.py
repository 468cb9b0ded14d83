"""A role whose handler is slow now and then: ``python -m tests.faults.slow ROLE``. Never shipped.

Of a process' slices one in so many is waited for, one blocks the event loop, each longer than the session; until the run's
home has the file ``AT_ONCE``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from streamer import app
from streamer.engine import EngineApp, Slice
from tests.faults.stage import SESSION_S

SLOW_S: Final = SESSION_S + 1.5
WAITED_AT: Final = 25  # every so many slices
BLOCKED_AT: Final = 45
WAITED: Final = "slice waited for longer than the session"
BLOCKED: Final = "slice blocked longer than the session"
AT_ONCE: Final = "handlers-are-slow-no-longer"

_begun, _done = itertools.count(1), itertools.count(1)
_stream, _finish = EngineApp.stream, Slice.done


def _slow(count: int, every: int) -> bool:
    return count % every == 0 and not (Path(os.environ["STREAMER_HOME"]) / AT_ONCE).exists()


async def _waiting(value: Any) -> Any:
    if _slow(next(_begun), WAITED_AT):
        sys.stderr.write(f"{WAITED}\n")
        await asyncio.sleep(SLOW_S)
    return value


def _slow_stream(self: EngineApp, channel: Any, beacon: Any = None, **options: Any) -> Any:
    stream = _stream(self, channel, beacon, **options)
    stream.add_processor(_waiting)
    return stream


def _slow_done(self: Slice) -> None:
    if _slow(next(_done), BLOCKED_AT):
        sys.stderr.write(f"{BLOCKED}\n")
        time.sleep(SLOW_S)
    _finish(self)


if __name__ == "__main__":
    EngineApp.stream, Slice.done = _slow_stream, _slow_done
    app.main(sys.argv[1:])
