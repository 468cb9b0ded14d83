"""Measured runs, kept as JSON lines as they come, so that a broken benchmark can go on. Not for: what they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

#: Of the head, with how a difference is told.
MUST_BE_SAME: Final = {
    "plan": "with other options",
    "source": "on another state of the source",
    "machine": "on another machine, or with other cores",
}


class Run(NamedTuple):
    """One measurement. ``events`` in ``seconds`` at ``cpu_s`` of the worker; ``peak_mb``: its resident memory; ``extra``:
    what else a part found, by name."""

    part: str
    name: str
    size: int
    round: int
    events: int
    seconds: float
    cpu_s: float
    peak_mb: float
    extra: dict[str, Any] = {}  # noqa: RUF012 - never changed

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What it measured, and in which round."""
        return self.part, self.name, self.size, self.round

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an event."""
        return self.cpu_s / self.events * 1e6 if self.events else 0.0

    def without(self, reason: str) -> Run:
        """The same run that came to nothing."""
        return self._replace(events=0, seconds=0, cpu_s=0, extra={**self.extra, "failed": reason})

    @property
    def failed(self) -> str:
        """Why there are no figures; empty when there are."""
        return str(self.extra.get("failed", ""))


class Store:
    """The lines of one file: the head (plan, machine, source) first, then runs."""

    def __init__(self, path: Path, head: dict[str, Any], runs: Iterable[Run]) -> None:
        self._path, self.head, self.runs = path, head, list(runs)

    @classmethod
    def begin(cls, path: Path, head: dict[str, Any]) -> Store:
        """An empty one; what was there goes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(head) + b"\n")
        return cls(path, orjson.loads(orjson.dumps(head)), [])

    @classmethod
    def open(cls, path: Path) -> Store:
        """Those that are there; a last line that was broken off is left out, and cut off."""
        kept = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        path.write_bytes(b"".join(kept))
        head, *lines = [orjson.loads(line) for line in kept]
        return cls(path, head, [Run(**line) for line in lines])

    def of_head(self, head: dict[str, Any]) -> Store:
        """Raises ValueError when this was begun otherwise: figures of two states would stand side by side."""
        head = orjson.loads(orjson.dumps(head))
        for name, said in MUST_BE_SAME.items():
            if self._comparable(self.head, name) != self._comparable(head, name):
                raise ValueError(f"{self._path} was begun {said}; leave --resume out, and begin anew")
        return self

    @staticmethod
    def _comparable(head: dict[str, Any], name: str) -> Any:
        found = head.get(name)
        return {**found, "load": 0} if name == "machine" and found else found

    def add(self, run: Run) -> None:
        self.runs.append(run)
        with self._path.open("ab") as out:
            out.write(orjson.dumps(run._asdict()) + b"\n")

    def has(self, part: str, name: str, size: int, round_: int) -> bool:
        """Whether there are figures; what failed is tried again."""
        wanted = (part, name, size, round_)
        return any(run.key == wanted and not run.failed for run in self.runs)


def of(runs: Iterable[Run], part: str, name: str, size: int | None = None) -> list[Run]:
    """Those that have figures."""
    return [
        run for run in runs if run.part == part and run.name == name and size in {None, run.size} and not run.failed
    ]


def failures(runs: Iterable[Run]) -> list[Run]:
    """The last word on each run that came to nothing; a part that broke off has no ``name``."""
    last = {run.key: run for run in runs}
    return [run for run in last.values() if run.failed]
