"""When requests for records go out: without a backlog when records are wanted, whole where that is possible, and back soon where
it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from streamer.engine import thread as engine_thread
from streamer.engine.asking import BESIDE_WAITING_MS, Asking
from streamer.engine.fetch import Fetched
from streamer.engine.gathering import ENOUGH_RECORDS
from streamer.engine.thread import SliceThread

TP, OTHER, THIRD = (TopicPartition("t", number) for number in range(3))
NODE, ELSEWHERE = 1, 2
WAIT_MS = 500


class State:
    """Of a partition, as far as it is looked at."""

    def __init__(self) -> None:
        self.has_valid_position, self.paused = True, False


class Assignment:
    def __init__(self, *tps: TopicPartition) -> None:
        self.tps, self.active = set(tps), True
        self.states = {tp: State() for tp in tps}

    def state_value(self, tp: TopicPartition) -> State:
        return self.states[tp]


class Fetcher:
    """aiokafka's, as far as it is replaced or looked at."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []
        self._records: dict[TopicPartition, object] = {}
        self.nodes: dict[TopicPartition, int] = {}

    async def _proc_fetch_request(self, *request: object) -> bool:
        self.sent.append(request)
        return True

    def _select_read_replica(self, tp: TopicPartition) -> int:
        return self.nodes.get(tp, NODE)


class Request:
    """One of the client's requests, taken as far as it comes: no loop turns meanwhile."""

    def __init__(
        self, fetcher: Fetcher, assignment: Assignment | None = None, named: Iterable[TopicPartition] = (TP,)
    ) -> None:
        parts = [(tp.partition, 0, 1 << 20) for tp in named]
        self.request = FetchRequest(WAIT_MS, 1, 1 << 20, 0, [("t", parts)])
        self.sends: tuple[object, ...] = (assignment or Assignment(TP), NODE, self.request)
        self._steps: Any = fetcher._proc_fetch_request(*self.sends)

    @property
    def wait_ms(self) -> int:
        """As it goes out."""
        built: list[Any] = []
        self.request.build(_capturing(built))
        return int(built[1])

    def go_on(self) -> bool | None:
        """What it ended with; None: it waits."""
        return self._step(lambda: self._steps.send(None))

    def cancel(self) -> bool | None:
        return self._step(lambda: self._steps.throw(asyncio.CancelledError()))

    @staticmethod
    def _step(step: Callable[[], object]) -> bool | None:
        try:
            step()
        except StopIteration as end:
            return bool(end.value)
        return None


def _capturing(built: list[Any]) -> Any:
    def struct(*fields: Any) -> None:
        built.extend(fields)

    struct.API_VERSION = 4  # type: ignore[attr-defined]
    return struct


def made(fetcher: Fetcher, *, when_asked: bool = True) -> Any:
    thread: Any = SliceThread.__new__(SliceThread)
    thread._ensure_consumer = lambda: SimpleNamespace(_fetcher=fetcher)
    thread.consumer = SimpleNamespace(flow_active=True)
    thread._asking = Asking(fetcher, when_asked=when_asked)
    return thread


def answers(monkeypatch: pytest.MonkeyPatch, found: Mapping[TopicPartition, Fetched]) -> None:
    async def fetch(*_: object) -> Mapping[TopicPartition, Fetched]:
        return found

    monkeypatch.setattr(engine_thread, "fetch", fetch)


async def test_a_request_waits_until_records_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher = Fetcher()
    thread = made(fetcher)
    answers(monkeypatch, {})
    request = Request(fetcher)
    assert request.go_on() is None
    assert fetcher.sent == []
    await thread.slices([TP], 0.0, 10)
    assert request.go_on() is True
    assert fetcher.sent == [request.sends]


@pytest.mark.parametrize(
    ("records", "end", "at_once"),
    [(1, 1, False), (ENOUGH_RECORDS, ENOUGH_RECORDS, True), (1, 1 + ENOUGH_RECORDS, True), (3, ENOUGH_RECORDS, False)],
    ids=["a few", "many", "a few of many", "a few, and not many left"],
)
async def test_after_a_few_records_the_next_request_waits(
    monkeypatch: pytest.MonkeyPatch, records: int, end: int, *, at_once: bool
) -> None:
    fetcher = Fetcher()
    thread = made(fetcher)
    answers(monkeypatch, {TP: Fetched([None] * records, 0, records, end)})
    await thread.slices([TP], 0.0, 10)
    request = Request(fetcher)
    assert (request.go_on() is True) is at_once
    assert bool(fetcher.sent) is at_once


async def test_without_a_gap_no_request_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher = Fetcher()
    thread = made(fetcher, when_asked=False)
    assert Request(fetcher).go_on() is True
    answers(monkeypatch, {TP: Fetched([None], 0, 1, 1)})
    await thread.slices([TP], 0.0, 10)
    assert Request(fetcher).go_on() is True


async def test_nothing_to_take_leaves_the_request_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that an idle process has the next record at once."""
    fetcher = Fetcher()
    thread = made(fetcher)
    answers(monkeypatch, {})
    await thread.slices([TP], 0.0, 10)
    assert Request(fetcher).go_on() is True


async def test_a_request_that_waits_ends_with_its_assignment() -> None:
    """aiokafka ends what is pending, and awaits it."""
    fetcher = Fetcher()
    made(fetcher)
    request = Request(fetcher)
    assert request.go_on() is None
    assert request.cancel() is False
    assert fetcher.sent == []


async def test_a_request_beside_an_answer_that_is_not_taken_comes_back_soon() -> None:
    """When it is taken, more of that partition can be had only with the next request."""
    fetcher = Fetcher()
    made(fetcher, when_asked=False)
    fetcher._records[OTHER] = object()
    beside = Request(fetcher, Assignment(TP, OTHER))
    assert beside.go_on() is True
    assert beside.wait_ms == BESIDE_WAITING_MS
    assert fetcher.sent == [beside.sends]
    del fetcher._records[OTHER]
    whole = Request(fetcher, Assignment(TP, OTHER), [TP, OTHER])
    assert whole.go_on() is True
    assert whole.wait_ms == WAIT_MS


async def test_a_request_is_made_anew_when_a_partition_became_free_while_it_waited() -> None:
    """Its records would wait until something comes for one of the others."""
    fetcher = Fetcher()
    thread = made(fetcher)
    fetcher._records[OTHER] = object()
    request = Request(fetcher, Assignment(TP, OTHER))
    assert request.go_on() is None
    del fetcher._records[OTHER]
    thread._asking.go()
    assert request.go_on() is False
    assert fetcher.sent == []


@pytest.mark.parametrize("why", ["another broker's", "paused", "without a position"])
async def test_what_this_broker_is_not_asked_for_now_keeps_no_request_back(why: str) -> None:
    fetcher = Fetcher()
    made(fetcher, when_asked=False)
    assignment = Assignment(TP, OTHER, THIRD)
    for tp in (OTHER, THIRD):
        if why == "another broker's":
            fetcher.nodes[tp] = ELSEWHERE
        assignment.states[tp].paused = why == "paused"
        assignment.states[tp].has_valid_position = why != "without a position"
    fetcher._records[THIRD] = object()  # as an answer that came before it was paused
    request = Request(fetcher, assignment)
    assert request.go_on() is True
    assert request.wait_ms == WAIT_MS


async def test_a_gone_assignment_is_not_looked_at() -> None:
    """The client throws its answer away."""
    fetcher = Fetcher()
    made(fetcher, when_asked=False)
    assignment = Assignment(TP, OTHER)
    assignment.active = False
    assert Request(fetcher, assignment).go_on() is True
