"""Our kernel job with a journal of its units under way, for the bound on what may be repeated after a kill -9. Not for: speed.

``python -m bench.kernel.watched``: one line a unit into W_JOURNAL when its commit begins, and one when it is durable, in place
before the process goes on; so the lines outlive the process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from streamer.engine import CommitSteps, EngineApp, run

Range = tuple[int, int, int]


class WatchedSteps(CommitSteps):
    """The engine's steps between two lines."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._out = os.open(os.environ["W_JOURNAL"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def run(self, lane: Any, unit: Any, previous: Any) -> None:
        where = f"{lane.partition} {unit.first} {unit.following}\n"
        os.write(self._out, b"+ " + where.encode())
        await super().run(lane, unit, previous)
        os.write(self._out, b"- " + where.encode())


class Journal(NamedTuple):
    """``in_flight``: (partition, first, following) of the units that began and did not become durable; ``durable``: partition
    → events of the source that the state includes."""

    in_flight: list[Range]
    durable: dict[int, int]


def read(journal: Path) -> Journal:
    """A line that was not finished does not count."""
    begun: dict[Range, None] = {}
    durable: dict[int, int] = {}
    text = journal.read_text(encoding="ascii") if journal.exists() else ""
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        sign, *numbers = line.split()
        partition, first, following = map(int, numbers)
        if sign == "+":
            begun[partition, first, following] = None
        else:
            begun.pop((partition, first, following), None)
            durable[partition] = max(following, durable.get(partition, 0))
    return Journal(list(begun), durable)


if __name__ == "__main__":
    from bench.kernel import ours

    EngineApp.commit_steps = WatchedSteps
    run(ours.make())
