"""The wall clock of a process, from one place. Not for: deciding anything, nor for waiting (that is ``Runtime.clock``).

A test may shift it while the process runs: ``STREAMER_CLOCK_SHIFT_FILE`` names a file that holds seconds, read at every
look, and only with ``STREAMER_ALLOW_FAILPOINTS=1``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def clock_of(env: Mapping[str, str]) -> Callable[[], float]:
    """Seconds since 1970: the system's, or a test's. A file that is missing or empty shifts nothing; raises ValueError for
    one that holds no number."""
    name = env.get("STREAMER_CLOCK_SHIFT_FILE")
    if env.get("STREAMER_ALLOW_FAILPOINTS") != "1" or not name:
        return time.time
    file = Path(name)

    def shifted() -> float:
        text = file.read_text().strip() if file.exists() else ""
        return time.time() + float(text or 0)

    return shifted


#: Seconds since 1970, as this process knows them.
now_s: Callable[[], float] = clock_of(os.environ)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(now_s() * 1000)
