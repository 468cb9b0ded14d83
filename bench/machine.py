"""What the figures hold for: the machine, and the state of the source. Not for: the figures."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from streamer.local import artifacts

REPOSITORY: Final = Path(__file__).parent.parent
#: What a measurement can depend on.
SOURCES: Final = ("streamer", "sinks", "topics", "bench", "requirements")
SUFFIXES: Final = {".py", ".java", ".sql", ".yaml", ".json", ".lock", ".txt", ".in"}
RESULTS: Final = "results.json"  # of the benchmark itself
GIT_TIMEOUT_S: Final = 10.0


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

    def same(self, other: Machine) -> bool:
        return self._replace(load=0.0) == other._replace(load=0.0)


class Source(NamedTuple):
    """``commit``: of git, empty where there is none; ``files``: a hash of every source file as it lies there."""

    commit: str
    files: str


def machine(cores: int, *, pinned: bool) -> Machine:
    memory_gb = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    load = round(os.getloadavg()[0], 2)
    return Machine(cores, memory_gb, _processor(), platform.python_version(), artifacts.kafka_version(), pinned, load)


def source(root: Path = REPOSITORY) -> Source:
    """Of the files below ``root``."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in SUFFIXES and file.name != RESULTS and file.is_file():
                digest.update(f"{file.relative_to(root)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return Source(_commit(root), digest.hexdigest()[:16])


def _commit(root: Path) -> str:
    try:
        found = subprocess.run(
            ["git", "-C", root, "rev-parse", "--short=12", "HEAD"],
            capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
