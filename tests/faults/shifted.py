"""A role that tells when its wall clock is found off: ``python -m tests.faults.shifted ROLE``. Never shipped.

The engine asks one function for the time (``streamer.engine.wall``); each time its answer is off by another day than before, a
line says so. Not for: shifting it (a file does that).
"""

from __future__ import annotations

import sys
import time
from typing import Final

from streamer import app
from streamer.engine import wall

DAY_S: Final = 86_400
OFF: Final = "the clock was looked at, and is off by {} days"

_now_s = wall.now_s
_told: list[int] = [0]


def _watched() -> float:
    found = _now_s()
    days = round((found - time.time()) / DAY_S)
    if days != _told[-1]:
        _told.append(days)
        sys.stderr.write(f"{OFF.format(days)}\n")
        sys.stderr.flush()
    return found


if __name__ == "__main__":
    wall.now_s = _watched
    app.main(sys.argv[1:])
