"""Rows that are live objects, as the engine's are, and rows that are copies, as replay's are: the same messages either way."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamer.domain.records import Activation
from streamer.domain.replay import MemoryRows, Replay
from tests.domain.test_interleavings import chains
from tests.domain.world import START, World, penalty

DAYS = ("2026-02-10", "2026-06-01", "2027-03-01")


class LiveRows(MemoryRows):
    """One key is one object, whatever was put."""

    def __init__(self) -> None:
        super().__init__()
        self._live: dict[bytes, Any] = {}

    def get(self, key: bytes) -> Any:
        if key not in self._live:
            self._live[key] = super().get(key)
        return self._live[key]

    def put(self, key: bytes, value: Any, grow: int, keep: bool = True) -> None:
        super().put(key, value, grow, keep)
        self._live[key] = value

    def delete(self, key: bytes) -> None:
        super().delete(key)
        self._live[key] = None


class LiveWorld(World):
    def __post_init__(self) -> None:
        self.replay = Replay({"book": self.book})
        self.replay.rows[0] = LiveRows()
        self.control(Activation(rulebook="book", clock=START, ticks="simulated"))


def said(world: World) -> Any:
    effects = world.replay.effects
    return effects.alerts, effects.notices, effects.statuses, effects.refused, world.replay.rows[0].raw


@given(st.data())
def test_live_rows_and_copies_say_the_same(data: st.DataObject) -> None:
    stories = data.draw(chains())
    order = data.draw(st.permutations([number for number, story in enumerate(stories) for _ in story]))
    ticks = data.draw(st.lists(st.integers(0, len(order)), min_size=len(DAYS), max_size=len(DAYS)).map(sorted))
    sweep = data.draw(st.booleans())
    live, copies = LiveWorld(), World()
    for world in (live, copies):
        position = [0] * len(stories)
        for step, story in enumerate(order):
            for number, day in enumerate(DAYS):
                if ticks[number] == step:
                    world.tick(day, sweep=sweep)
            world.send(stories[story][position[story]])
            position[story] += 1
        world.replay.finish()
    assert said(live) == said(copies)


def test_evidence_names_the_version_that_met_the_criterion() -> None:
    live, copies = LiveWorld(), World()
    for world in (live, copies):
        world.send(penalty("质0号", domain="quality", id="q0"))
        world.send(penalty("质1号", domain="tax", id="q1"))
        world.send(
            penalty("质1号", domain="quality", id="q1v2", version=2, decided_on="2026-01-04", url="https://a.test/2")
        )
    assert said(live) == said(copies)
    assert [e.url for e in copies.alerts[-1].evidence] == [None, "https://a.test/2"]
