"""What waits at a gate, for how long, and in whose favour. Clock and lags are the test's own; no Kafka."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streamer.engine.gate import GATED_SLICES_QUEUED, MEASURE_VALID_S, Bound, Turns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def bound(most: int = 100) -> tuple[Bound, Clock]:
    clock = Clock()
    return Bound(most, clock), clock


def measure(gate: Bound, value: int) -> None:
    gate.measured(value, gate.begin())


def test_a_gate_is_closed_until_something_is_known_and_again_when_it_is_too_old() -> None:
    gate, clock = bound()
    assert gate.closed
    measure(gate, 0)
    assert not gate.closed
    clock.now = MEASURE_VALID_S
    assert not gate.closed
    clock.now += 0.1
    assert gate.closed
    assert gate.value is None


def test_a_gate_closes_at_its_bound_and_opens_at_half_of_it() -> None:
    gate, _ = bound(100)
    seen = []
    for lag in (99, 100, 99, 51, 50, 99, 101):
        measure(gate, lag)
        seen.append(gate.closed)
    assert seen == [True, True, True, True, False, False, True], "closed at first, so half of it opens"


def test_what_passes_between_two_measures_counts() -> None:
    gate, _ = bound(100)
    measure(gate, 40)
    assert not gate.closed
    gate.took(59)
    assert not gate.closed
    gate.took(1)
    assert gate.closed
    assert gate.value == 100


def test_what_passes_during_a_measure_counts_until_the_next() -> None:
    gate, _ = bound(100)
    measure(gate, 0)
    begun = gate.begin()
    gate.took(70)
    gate.measured(0, begun)
    assert gate.value == 70
    measure(gate, 30)
    assert gate.value == 30


class Scene:
    """Two live partitions and three of history; ends and places are set by the test."""

    def __init__(self) -> None:
        self.gate = SimpleNamespace(closed=False)
        self.lanes: dict[TP, Any] = {
            TP(topic, number): SimpleNamespace(end=0, queued=0, held=False, ledger=SimpleNamespace(next=0))
            for topic, count in (("live", 2), ("old", 3))
            for number in range(count)
        }
        self.turns = Turns()

    def history(self, *numbers: int, end: int = 10) -> None:
        for number in numbers:
            self.lanes[TP("old", number)].end = end

    def chosen(self) -> list[str]:
        found = self.turns.choose(self.lanes, list(self.lanes), {"old": self.gate})
        return [f"{tp.topic}-{tp.partition}" for tp in found]

    @property
    def held(self) -> list[int]:
        return [tp.partition for tp, lane in self.lanes.items() if lane.held]


LIVE = ["live-0", "live-1"]


def test_without_gates_every_partition_with_room_is_fetched() -> None:
    scene = Scene()
    assert len(scene.turns.choose(scene.lanes, scene.lanes, {})) == 5


def test_history_goes_in_while_the_gate_is_open_and_a_few_slices_at_a_time() -> None:
    scene = Scene()
    scene.history(0, 1, 2)
    assert scene.chosen() == [*LIVE, "old-0", "old-1"]
    assert scene.held == [2]
    scene.lanes[TP("old", 0)].queued = 1
    assert scene.chosen() == [*LIVE, "old-2"], "partitions take turns"
    scene.lanes[TP("old", 2)].queued = GATED_SLICES_QUEUED - 1
    assert scene.chosen() == LIVE
    assert scene.held == [0, 1, 2]


def test_history_waits_while_the_gate_is_closed_and_nothing_else_does() -> None:
    scene = Scene()
    scene.history(1)
    scene.gate.closed = True
    assert scene.chosen() == LIVE
    assert scene.held == [1], "and what has nothing more is not held"


def test_history_waits_while_anything_live_has_a_backlog() -> None:
    scene = Scene()
    scene.history(0)
    live = scene.lanes[TP("live", 1)]
    live.end = 5
    assert scene.chosen() == LIVE
    assert scene.held == [0]
    live.ledger.next = 5
    assert scene.chosen() == [*LIVE, "old-0"]
    assert scene.held == []


def test_a_live_backlog_counts_although_its_partition_has_no_room() -> None:
    scene = Scene()
    scene.history(0)
    scene.lanes[TP("live", 0)].end = 5
    ready = [tp for tp in scene.lanes if tp != TP("live", 0)]
    assert scene.turns.choose(scene.lanes, ready, {"old": scene.gate}) == [TP("live", 1)]  # type: ignore[dict-item]
