"""Without a backlog records come together until the round before is over; with one nothing is waited for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.engine.consumer import SliceConsumer, left_in_kafka
from streamer.engine.gathering import ENOUGH_RECORDS, ROUND_MOST_S, Gathering

GAP_S = 1 / 32  # exact, so that clocks add up


def test_the_first_are_not_waited_for() -> None:
    assert Gathering(GAP_S).wait_s(5.0, under_way=False) == 0.0


def test_a_few_records_are_followed_by_a_gap() -> None:
    gathering = Gathering(GAP_S)
    gathering.handed(3, 0, 10.0)
    assert gathering.wait_s(10.0 + GAP_S / 4, under_way=False) == pytest.approx(GAP_S * 3 / 4)
    assert gathering.wait_s(10.0 + GAP_S, under_way=False) == 0.0


def test_a_round_under_way_is_waited_for_but_not_for_ever() -> None:
    gathering = Gathering(GAP_S)
    gathering.handed(3, 0, 10.0)
    assert gathering.wait_s(10.0 + GAP_S, under_way=True) == pytest.approx(GAP_S / 2)
    assert gathering.wait_s(10.0 + ROUND_MOST_S - 0.001, under_way=True) == pytest.approx(0.001)
    assert gathering.wait_s(10.0 + ROUND_MOST_S, under_way=True) == 0.0


def test_after_many_the_next_follow_at_once() -> None:
    gathering = Gathering(GAP_S)
    gathering.handed(ENOUGH_RECORDS, 0, 10.0)
    assert gathering.wait_s(10.0, under_way=True) == 0.0
    gathering.handed(ENOUGH_RECORDS - 1, 0, 10.0)
    assert gathering.wait_s(10.0, under_way=True) > 0.0


def test_where_many_are_left_in_kafka_the_next_follow_at_once() -> None:
    """One fetch may bring less of a backlog than is worth a hand-over."""
    gathering = Gathering(GAP_S)
    gathering.handed(1, ENOUGH_RECORDS, 10.0)
    assert gathering.wait_s(10.0, under_way=True) == 0.0
    gathering.handed(1, ENOUGH_RECORDS - 1, 10.0)
    assert gathering.wait_s(10.0, under_way=True) > 0.0


def test_all_lanes_that_may_go_on_count_as_left() -> None:
    def lane(following: int, end: int, *, held: bool = False) -> Any:
        return SimpleNamespace(ledger=SimpleNamespace(next=following), end=end, held=held)

    assert left_in_kafka([lane(10, 400), lane(7, 7), lane(0, 9_000, held=True), lane(3, 0), lane(5, 6)]) == 391


def test_without_a_gap_nothing_is_waited_for() -> None:
    gathering = Gathering(0.0)
    gathering.handed(1, 0, 10.0)
    assert gathering.wait_s(10.0, under_way=True) == 0.0


@pytest.mark.parametrize("under_way", ["queued", "units"])
async def test_what_lanes_have_under_way_is_the_round(monkeypatch: pytest.MonkeyPatch, under_way: str) -> None:
    """An open unit is not: it may wait for just those records."""
    now, slept = 10.0, list[float]()
    lane = SimpleNamespace(queued=0, units=[], open=object(), busy=True)
    gathering = Gathering(GAP_S)
    gathering.handed(1, 0, now)
    consumer: Any = SimpleNamespace(
        _gathering=gathering, runtime=SimpleNamespace(clock=lambda: now), lanes={"one": lane}
    )

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)
        setattr(lane, under_way, [] if len(slept) > 3 else [object()])

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await SliceConsumer._gather(consumer)
    assert slept == [pytest.approx(GAP_S), *[pytest.approx(GAP_S / 2)] * 3]
