"""What counts as a stall, and what does not. The clock is the test's own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streamer.engine import EngineApp
from streamer.engine.metrics import Metrics
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.watchdog import Watchdog


class Scene:
    def __init__(self, tmp_path: Path) -> None:
        self.now = 0.0
        self.runtime = Runtime(EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path), Metrics())
        self.runtime.clock = lambda: self.now
        self.lane: Any = SimpleNamespace(
            busy=False, held=False, end=10, ledger=SimpleNamespace(name="t-0", done=10), progress_at=0.0
        )
        self.app: Any = SimpleNamespace(
            runtime=self.runtime, lanes={}, has_nothing_to_do=False, recovery_moved_at=0.0, committed_at=0.0
        )
        self.fresh()
        self.dog = Watchdog(self.app)

    def fresh(self) -> None:
        self.runtime.loop_turned_at = self.runtime.kafka_answered_at = self.app.committed_at = self.now

    def at(self, now: float) -> str | None:
        self.now = now
        self.fresh()
        return self.dog.verdict()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_work_that_does_not_move_is_a_stall(scene: Scene) -> None:
    scene.app.lanes = {0: scene.lane}
    assert scene.at(100) is None, "caught up"
    scene.lane.end = 20
    assert scene.at(129) is None
    assert "no progress on t-0 at 10 of 20" in (scene.at(131) or "")


def test_waiting_for_a_server_is_no_stall(scene: Scene) -> None:
    scene.app.lanes = {0: scene.lane}
    scene.lane.end = 20
    with scene.runtime.waiting_on("postgres"):
        assert scene.runtime.waits == ["postgres"]
        assert scene.at(1_000) is None
    assert scene.runtime.waits == []
    assert scene.at(1_029) is None, "when it is back there is time to go on"
    assert scene.at(1_031) is not None


def test_what_waits_at_a_gate_is_no_stall_but_what_was_let_in_must_move(scene: Scene) -> None:
    scene.app.lanes = {0: scene.lane}
    scene.lane.end, scene.lane.held = 20, True
    assert scene.at(1_000) is None
    scene.lane.held = False
    assert scene.at(1_029) is None, "the time at the gate does not count"
    assert scene.at(1_031) is not None
    scene.lane.held = scene.lane.busy = True
    assert scene.at(1_040) is not None


def test_a_silent_kafka_is_no_stall(scene: Scene) -> None:
    scene.app.lanes = {0: scene.lane}
    scene.lane.end = 20
    scene.at(10)
    scene.now = 200
    scene.runtime.loop_turned_at = 200
    assert scene.dog.verdict() is None
    assert scene.at(229) is None
    assert scene.at(231) is not None


def test_a_loop_that_does_not_turn_is_a_stall(scene: Scene) -> None:
    scene.app.lanes = {0: scene.lane}
    scene.at(10)
    scene.now = 41
    assert "event loop" in (scene.dog.verdict() or "")


def test_offsets_that_are_not_committed_are_a_stall(scene: Scene) -> None:
    scene.app.lanes = {0: scene.lane}
    scene.at(10)
    scene.now = 41
    scene.runtime.loop_turned_at = scene.runtime.kafka_answered_at = 41
    assert "not been committed" in (scene.dog.verdict() or "")


def test_a_worker_without_partitions_waits_but_not_for_a_recovery_that_stands_still(scene: Scene) -> None:
    assert scene.at(119) is None
    assert "no partitions" in (scene.at(121) or "")
    scene.app.has_nothing_to_do = True
    assert scene.at(10_000) is None, "there are more workers than partitions"
    scene.app.has_nothing_to_do = False
    scene.app.recovery_moved_at = 10_100
    assert scene.at(10_150) is None


MINE, OTHERS = TP("events", 0), TP("a-t-changelog", 1)


@pytest.mark.parametrize(
    ("assigned", "standbys", "rebalancing", "nothing"),
    [
        (set(), 0, False, True),
        ({OTHERS}, 1, False, True),
        ({OTHERS}, 0, False, False),  # standbys are about to be followed: that is a recovery
        ({OTHERS}, 1, True, False),
        (set(), 0, True, False),
        ({MINE, OTHERS}, 1, False, False),
        ({MINE, OTHERS}, 0, False, False),
        (None, 0, False, False),  # not yet in the group
    ],
)
def test_only_a_settled_assignment_without_a_source_is_nothing_to_do(
    tmp_path: Path, assigned: set[TP] | None, standbys: int, rebalancing: bool, nothing: bool
) -> None:
    app = EngineApp(EngineSettings(app_id="a", bootstrap_servers="127.0.0.1:1", state_dir=tmp_path))
    app.slices("events")
    if assigned is not None:
        app._update_assignment(assigned)
        app.unassigned = not assigned
    app.rebalancing = rebalancing
    app.tables._recovery = SimpleNamespace(standbys=range(standbys))  # type: ignore[assignment]
    assert app.has_nothing_to_do is nothing
    assert app.ready is nothing, "no lanes yet"
    now = app.runtime.loop_turned_at = app.runtime.clock() + 1_000
    app.runtime.clock = lambda: now
    verdict = app._watchdog.verdict()
    assert (verdict is None) is nothing, verdict


def test_a_stop_is_left_to_itself(scene: Scene) -> None:
    scene.runtime.stopping = True
    assert scene.at(10_000) is None
