"""When a measured process handled its first event, and what it had cost until then. Not for: the end (the committed offsets)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, NamedTuple

VARIABLE: Final = "STREAMER_BENCH_MARK"  # the file


class Mark(NamedTuple):
    """``at``: seconds since 1970; ``cpu_s``: user and system time of the process."""

    at: float
    cpu_s: float


def mark_start() -> None:
    """Write the mark, whole or not at all."""
    path = Path(os.environ[VARIABLE])
    draft = path.with_suffix(".new")
    draft.write_text(f"{time.time()} {time.process_time()}", encoding="ascii")
    draft.rename(path)


def read(path: Path) -> Mark | None:
    """None: no event yet."""
    try:
        at, cpu_s = path.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    return Mark(float(at), float(cpu_s))
