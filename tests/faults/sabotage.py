"""Negative controls: the dossier with one promise broken. A fault test that cannot fail proves nothing. Never shipped.

``python -m tests.faults.sabotage CONTROL dossier`` runs the role as ``streamer.app`` does, with other commit steps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from streamer import app
from streamer.domain.state import HEAD
from streamer.engine import CommitSteps, EngineApp, failpoints, replay
from streamer.engine.lane import Lane
from streamer.engine.partition import OwnedPartition
from streamer.engine.partition_row import origin
from streamer.engine.runtime import Runtime
from streamer.engine.thread import SliceThread
from streamer.engine.unit import Message, Unit


class OutputsLast(CommitSteps):
    """State first, then the outputs: who dies between has said nothing of what it knows."""

    async def run(self, lane: Lane, unit: Unit, previous: Unit | None) -> None:
        self.runtime.pause_check()
        if previous is not None and previous.task is not None:
            await previous.task
        assert lane.owned is not None
        if unit.changes is not None:
            unit.positions = dict(lane.owned.outputs)
            await self.changelog(lane.owned, unit)
            self.local(lane.owned, unit)
            if unit.sooner.messages:
                failpoints.hit("after_outputs")  # the same place: between the two
        await self.outputs(lane, unit)
        unit.told.set()
        lane.landed(unit)


class TornBatch(CommitSteps):
    """A unit's heads in one record batch, all its other rows in another after it: who dies between knows an entity's sums
    without the facts that they are of, and adds them again."""

    async def append_rows(self, owned: OwnedPartition, unit: Unit, rows: list[tuple[bytes, bytes | None]]) -> None:
        heads = [row for row in rows if row[0][:1] == HEAD]
        others = [row for row in rows if row[0][:1] != HEAD]
        following = owned.row.applied + 1
        assert self.changelog_topic is not None
        for part in (heads, others):
            if not part:
                continue
            expected = owned.position
            messages = [
                Message(unit.timestamp_ms, key, origin(following, expected + i) + (payload or b""), ())
                for i, (key, payload) in enumerate(part)
            ]
            owned.position = await self.append(self.changelog_topic, owned.number, messages, expected)
            if part is heads and others:
                failpoints.hit("in_changelog")


class ToldAgain(CommitSteps):
    """What is durable is told once more: copies that no death explains."""

    async def run(self, lane: Lane, unit: Unit, previous: Unit | None) -> None:
        await super().run(lane, unit, previous)
        if unit.later.messages:
            await self._send(lane.owned, unit.later)


class RowLeftOut(CommitSteps):
    """The changelog has a row that the local store lacks: after a restart an entity's sums are others."""

    def local(self, owned: OwnedPartition, unit: Unit) -> None:
        super().local(owned, unit)
        assert unit.changes is not None
        heads = [key for key, payload in unit.changes.payloads.items() if key[:1] == HEAD and payload is not None]
        if heads:
            owned.stored.write({heads[0]: None}, owned.position)


def _steps(steps: type[CommitSteps]) -> Callable[[], None]:
    def broken() -> None:
        EngineApp.commit_steps = steps

    return broken


def no_origin() -> None:
    """Where a changelog record lies means nothing: what a woken sleeper wrote late counts."""
    replay.is_void = lambda _value, _offset: False
    no_pause_check()


def no_pause_check() -> None:
    """Neither the length of a sleep nor being unknown to the group ends a process: a woken sleeper goes on."""
    Runtime.pause_check = lambda _self: None
    SliceThread._watch_membership = lambda _self: None


CONTROLS: Final[dict[str, Callable[[], None]]] = {
    "outputs-last": _steps(OutputsLast),
    "torn-batch": _steps(TornBatch),
    "told-again": _steps(ToldAgain),
    "row-left-out": _steps(RowLeftOut),
    "no-origin": no_origin,
    "no-pause-check": no_pause_check,
}


def main(argv: list[str]) -> None:
    control, role = argv
    CONTROLS[control]()
    app.main([role])


if __name__ == "__main__":
    main(sys.argv[1:])
