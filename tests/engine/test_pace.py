"""A handler gets no more records than it works off before the loop must turn."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.engine import EngineSettings
from streamer.engine.app import _unless_gone
from streamer.engine.consumer import SliceConsumer
from streamer.engine.memory import InFlight
from streamer.engine.pace import FIRST_RECORDS, Pace
from tests.engine.lane_bench import Bench

MOST = 20_000


def test_before_anything_was_seen_a_slice_is_small() -> None:
    assert Pace(0.25).room(MOST) == FIRST_RECORDS


def test_a_slower_slice_counts_at_once_and_quicker_ones_by_and_by() -> None:
    pace = Pace(0.25)
    for _ in range(60):
        pace.saw(1_000, 0.010)
    assert pace.room(MOST) == MOST, "10 µs a record: 25,000 of them would do"
    pace.saw(1_000, 1.0)
    assert pace.room(MOST) == 250
    pace.saw(250, 0.0025)
    assert 250 < pace.room(MOST) < 400
    assert pace.room(100) == 100


def test_one_record_goes_on_however_long_it_takes_and_none_says_nothing() -> None:
    pace = Pace(0.25)
    pace.saw(1, 60.0)
    assert pace.room(MOST) == 1
    pace.saw(0, 1e9)
    for _ in range(60):
        pace.saw(1, 0.001)
    assert pace.room(MOST) > 200


async def test_what_a_handler_takes_is_seen_and_bounds_the_next_fetch(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.lane.runtime.pace = Pace(bench.settings.slice_target_s)
    consumer: Any = SimpleNamespace(runtime=bench.runtime, _in_flight=InFlight())
    lanes: Any = {}
    part = bench.slice(10)
    bench.now = 5_000.0  # waiting for the agent is not the agent's time

    def each(_part: Any, _record: Any) -> None:
        bench.now += 0.025

    bench.handle(part, each)
    await bench.settle()
    assert SliceConsumer._room_for(consumer, lanes) == 10


async def test_the_loop_turns_before_each_slice() -> None:
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    assert await _unless_gone("anything") == "anything"
    assert turned.is_set()


@pytest.mark.parametrize("target_s", [0.0, 2.6])
def test_a_target_without_sense_is_refused(tmp_path: Path, target_s: float) -> None:
    with pytest.raises(ValueError, match="slice_target_s"):
        EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path, slice_target_s=target_s)
