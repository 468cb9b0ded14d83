"""Measured runs, kept as JSON lines as they come, so that a broken benchmark can go on. Not for: what they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson


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
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an event."""
        return self.cpu_s / self.events * 1e6 if self.events else 0.0

    @property
    def failed(self) -> str:
        """Why there are no figures; empty when there are."""
        return str(self.extra.get("failed", ""))


class Store:
    """The lines of one file: the plan first, then runs."""

    def __init__(self, path: Path, plan: dict[str, Any], *, resume: bool) -> None:
        """Raises ValueError when what is to go on was begun with another plan."""
        self._path = path
        self.runs: list[Run] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume and path.exists():
            first, *lines = [orjson.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
            if first != plan:
                raise ValueError(f"{path} was begun with another plan: {first}; leave --resume out to begin again")
            self.runs = [Run(**line) for line in lines]
        else:
            path.write_bytes(orjson.dumps(plan) + b"\n")

    def add(self, run: Run) -> None:
        self.runs.append(run)
        with self._path.open("ab") as out:
            out.write(orjson.dumps(run._asdict()) + b"\n")

    def has(self, part: str, name: str, size: int, round_: int) -> bool:
        return any((run.part, run.name, run.size, run.round) == (part, name, size, round_) for run in self.runs)


def of(runs: Iterable[Run], part: str, name: str, size: int | None = None) -> list[Run]:
    """Those that have figures."""
    return [
        run for run in runs if run.part == part and run.name == name and size in {None, run.size} and not run.failed
    ]
