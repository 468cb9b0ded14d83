"""What the raw loops share: their core, their clock, their answer. Not for: what they do."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final

import orjson

from streamer.bench.launch import pin

_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


def peak_mb(pid: int) -> float:
    """The most that a running process has been resident with. Not ``ru_maxrss``: that counts what its parent was at the fork."""
    found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace"))
    return int(found[1]) / 1024 if found else 0.0


def pinned() -> None:
    """To the workers' core, if the driver named one."""
    core = os.environ.get("BENCH_CORE")
    pin({int(core)} if core else set())


class Clock:
    """Wall and CPU seconds of a ``with`` block."""

    seconds = 0.0
    cpu_s = 0.0

    def __enter__(self) -> Clock:
        self._at, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds += time.perf_counter() - self._at
        self.cpu_s += time.process_time() - self._cpu


def answer(clock: Clock, **found: object) -> None:
    """One JSON object for the driver."""
    told = {"seconds": clock.seconds, "cpu_s": clock.cpu_s, "peak_mb": peak_mb(os.getpid()), **found}
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
