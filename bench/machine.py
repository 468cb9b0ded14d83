"""What the figures hold for. Not for: the figures."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import NamedTuple

from streamer.local import artifacts


class Machine(NamedTuple):
    """``pinned``: workers had a core of their own, the servers the others. ``load``: the 1-minute load average before the
    first run; a busy machine's figures are not for docs."""

    cores: int
    memory_gb: int
    processor: str
    python: str
    kafka: str
    pinned: bool
    load: float


def machine(cores: int, *, pinned: bool) -> Machine:
    memory_gb = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    load = round(os.getloadavg()[0], 2)
    return Machine(cores, memory_gb, _processor(), platform.python_version(), artifacts.kafka_version(), pinned, load)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
