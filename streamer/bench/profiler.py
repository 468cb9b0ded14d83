"""A sampling profiler for a process that is measured: CPU time by line and by function. Not for: wall time, or production.

The timer counts the CPU of the whole process (ITIMER_PROF); at each beat every Python thread's own CPU clock says how much it
had of it, and its stack gets that much. What no Python thread used is native (RocksDB's threads). A call into C belongs to the
line that made it. SIGUSR2 writes the profile.
"""

from __future__ import annotations

import heapq
import json
import operator
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")

BEAT_S: Final = 0.002
DEPTH_MAX: Final = 60
KEPT: Final = 60  # rows a table
WRITE_SIGNAL: Final = signal.SIGUSR2
ROOT: Final = Path(__file__).parents[2]


class Profile(NamedTuple):
    """Seconds of CPU: in all, of native threads, and by place (``self``: the place alone; ``inclusive``: what it called, too)."""

    cpu_s: float
    native_s: float
    lines: dict[str, float]
    functions: dict[str, float]
    inclusive: dict[str, float]


class Sampler:
    """Samples this process into ``path`` until it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clocks: dict[int, float] = {}
        self._lines: defaultdict[tuple[CodeType, int], float] = defaultdict(float)
        self._functions: defaultdict[CodeType, float] = defaultdict(float)
        self._inclusive: defaultdict[CodeType, float] = defaultdict(float)
        self._began_s = 0.0
        self._main = threading.main_thread().ident
        self._busy = False

    def start(self) -> None:
        self._began_s = time.process_time()
        for thread in threading.enumerate():
            self._spent(thread.ident)
        signal.signal(WRITE_SIGNAL, self._write)
        signal.signal(signal.SIGPROF, self._beat)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, BEAT_S, BEAT_S)

    def _spent(self, ident: int | None) -> float:
        """CPU seconds of a thread since the last call."""
        if ident is None:
            return 0.0
        try:
            now = time.clock_gettime(time.pthread_getcpuclockid(ident))
        except (OSError, OverflowError):  # it has ended
            return 0.0
        before = self._clocks.get(ident, 0.0)
        self._clocks[ident] = now
        return max(0.0, now - before)

    def _beat(self, _number: int, interrupted: FrameType | None) -> None:
        if self._busy:  # a beat during a beat: the next one counts it
            return
        self._busy = True
        for ident, frame in sys._current_frames().items():
            spent_s = self._spent(ident)
            if spent_s:
                self._add(interrupted if ident == self._main else frame, spent_s)
        self._busy = False

    def _add(self, frame: FrameType | None, spent_s: float) -> None:
        if frame is None:
            return
        self._lines[frame.f_code, frame.f_lineno] += spent_s
        self._functions[frame.f_code] += spent_s
        seen: set[CodeType] = set()
        at: FrameType | None = frame
        while at is not None and len(seen) < DEPTH_MAX:
            if at.f_code not in seen:
                seen.add(at.f_code)
                self._inclusive[at.f_code] += spent_s
            at = at.f_back

    def _write(self, _number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        cpu_s = time.process_time() - self._began_s
        profile = Profile(
            cpu_s,
            max(0.0, cpu_s - sum(self._functions.values())),
            {f"{place(code)}:{line}": s for (code, line), s in _most(self._lines)},
            {place(code): s for code, s in _most(self._functions)},
            {place(code): s for code, s in _most(self._inclusive)},
        )
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(profile._asdict()), encoding="utf-8")
        draft.rename(self._path)


def _most(spent: Mapping[T, float], rows: int = KEPT) -> list[tuple[T, float]]:
    return heapq.nlargest(rows, spent.items(), key=operator.itemgetter(1))


def place(code: CodeType) -> str:
    """``file function``, the file from the repository or the package on."""
    path = Path(code.co_filename)
    ours = path.is_relative_to(ROOT) and "site-packages" not in path.parts
    path = path.relative_to(ROOT) if ours else Path(*path.parts[-2:])
    return f"{path.as_posix()} {code.co_qualname}"


def read(path: Path) -> Profile:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Profile(**found)


def top(profile: Profile, rows: int) -> list[tuple[float, str]]:
    """The places that cost most by themselves: share of all CPU, and where."""
    spent = profile.functions | {"(native threads)": profile.native_s}
    return [(spent_s / profile.cpu_s, where) for where, spent_s in _most(spent, rows) if profile.cpu_s]
