"""What waits at a gate, for how long, and in whose favour. Clock and lags are the test's own; no Kafka."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streamer.engine.gate import GATED_SLICES_QUEUED, MEASURE_VALID_S, Bound, Turns
from streamer.engine.group_lag import GroupLag, LagUnknownError
from streamer.engine.metrics import Metrics
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.starts import lane_for
from streamer.engine.thread import Start


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


def test_what_is_handed_over_and_not_yet_durable_is_not_forgotten_by_a_measure() -> None:
    """It cannot be in the lag yet: not a record of it has been written."""
    gate, _ = bound(100)
    flying = 0
    gate.in_flight = lambda: flying
    measure(gate, 0)
    gate.took(70)
    flying = 70
    measure(gate, 0)
    measure(gate, 0)
    assert gate.value == 70
    gate.took(20)
    flying = 60  # thirty are written
    measure(gate, 30)
    assert gate.value == 90
    flying = 0
    measure(gate, 90)
    assert gate.value == 90
    flying = 5  # of an assignment before: taken elsewhere
    measure(gate, 90)
    assert gate.value == 90


class Admin:
    """In place of aiokafka's: a topic as it is described, and what the group has committed."""

    def __init__(self, *topics: dict[str, Any]) -> None:
        self.topics = list(topics)

    async def describe_topics(self, _wanted: list[str]) -> list[dict[str, Any]]:
        return self.topics

    async def list_consumer_group_offsets(self, _group: str) -> dict[TP, Any]:
        return {TP("records", 0): SimpleNamespace(offset=10), TP("other", 0): SimpleNamespace(offset=1)}


def described(*partitions: int, error_code: int = 0, faulty: int | None = None) -> dict[str, Any]:
    return {
        "error_code": error_code,
        "topic": "records",
        "partitions": [{"partition": p, "error_code": 5 if p == faulty else 0} for p in partitions],
    }


def lag_gate(admin: Admin, monkeypatch: pytest.MonkeyPatch, lanes: dict[TP, Any] | None = None) -> GroupLag:
    async def ends(tps: list[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, 15)

    async def call_thread(call: Any, *args: Any) -> Any:
        return await call(*args)

    thread = SimpleNamespace(ends=ends, call_thread=call_thread)
    app = SimpleNamespace(
        runtime=SimpleNamespace(clock=Clock()), consumer=SimpleNamespace(_thread=thread), gates={}, lanes=lanes or {}
    )
    gate = GroupLag(app, topic="records", group="g", max_lag_records=100)
    app.gates["old"] = gate

    async def connected() -> Admin:
        return admin

    monkeypatch.setattr(gate, "_connected", connected)
    return gate


async def test_the_lag_is_what_the_group_has_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = lag_gate(Admin(described(1, 0)), monkeypatch)
    await gate.measure()
    assert gate.value == 5 + 15, "a partition that was never committed counts from 0"


@pytest.mark.parametrize(
    "answer",
    [
        [described(error_code=3)],
        [described(0, 1, error_code=5)],
        [described()],
        [],
        [described(0, 1, faulty=1)],
        [described(0, 2)],
        [described(0, 1) | {"topic": "other"}],
    ],
)
async def test_an_answer_that_does_not_tell_of_every_partition_is_no_measure(
    monkeypatch: pytest.MonkeyPatch, answer: list[dict[str, Any]]
) -> None:
    gate = lag_gate(Admin(*answer), monkeypatch)
    with pytest.raises(LagUnknownError):
        await gate.measure()
    assert gate.value is None
    assert gate.closed


async def test_what_the_lanes_of_gated_topics_have_not_finished_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    flying = SimpleNamespace(ledger=SimpleNamespace(next=30, done=10))
    gate = lag_gate(Admin(described(0)), monkeypatch, {TP("old", 0): flying, TP("live", 0): flying})
    gate.took(50)
    await gate.measure()
    assert gate.value == 5 + 20


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


def test_a_live_backlog_counts_before_anything_of_it_was_fetched(tmp_path: Path) -> None:
    """What waits is known from the start of a partition, not only from its first fetch."""
    settings = EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path)
    app = SimpleNamespace(
        table_of=lambda _topic: None, topic_ids={}, sparse_topics=set(), runtime=Runtime(settings, Metrics())
    )
    lanes = {
        TP("live", 0): lane_for(app, "live", 0, Start(0, 10, 4)),
        TP("old", 0): lane_for(app, "old", 0, Start(0, 10, None)),
    }
    turns, gates = Turns(), {"old": SimpleNamespace(closed=False)}
    assert turns.choose(lanes, lanes, gates) == [TP("live", 0)]  # type: ignore[arg-type]
    assert lanes[TP("old", 0)].held
    lanes[TP("live", 0)].ledger.next = 10
    assert len(turns.choose(lanes, lanes, gates)) == 2  # type: ignore[arg-type]


def test_a_live_backlog_counts_although_its_partition_has_no_room() -> None:
    scene = Scene()
    scene.history(0)
    scene.lanes[TP("live", 0)].end = 5
    ready = [tp for tp in scene.lanes if tp != TP("live", 0)]
    assert scene.turns.choose(scene.lanes, ready, {"old": scene.gate}) == [TP("live", 1)]  # type: ignore[dict-item]
