"""What the raw loops share: their core, their clock, their answer. Not for: what they do."""

from __future__ import annotations

import os
import resource
import sys
import time
from types import TracebackType

import orjson

from streamer.bench.launch import pin


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
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": clock.seconds, "cpu_s": clock.cpu_s, "peak_mb": peak_mb, **found}
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")
