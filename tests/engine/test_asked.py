"""Without a backlog Kafka is asked when records are wanted, not as soon as the last answer was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from streamer.engine import thread as engine_thread
from streamer.engine.fetch import Fetched
from streamer.engine.gathering import ENOUGH_RECORDS
from streamer.engine.thread import SliceThread

TP = TopicPartition("t", 0)


class Fetcher:
    """aiokafka's, as far as it is replaced."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    async def _proc_fetch_request(self, *request: object) -> bool:
        self.sent.append(request)
        return True


def made(fetcher: Fetcher) -> Any:
    thread: Any = SliceThread.__new__(SliceThread)
    thread._asked = asyncio.Event()
    thread._ensure_consumer = lambda: SimpleNamespace(_fetcher=fetcher)
    thread.consumer = SimpleNamespace(flow_active=True)
    thread._fetch_when_asked()
    return thread


def answers(monkeypatch: pytest.MonkeyPatch, found: Mapping[TopicPartition, Fetched]) -> None:
    async def fetch(*_: object) -> Mapping[TopicPartition, Fetched]:
        return found

    monkeypatch.setattr(engine_thread, "fetch", fetch)


class Request:
    """One of the client's requests, taken as far as it comes: no loop turns meanwhile."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._steps: Any = fetcher._proc_fetch_request("assignment", 0, "request")

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


async def test_a_request_waits_until_records_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher = Fetcher()
    thread = made(fetcher)
    answers(monkeypatch, {})
    request = Request(fetcher)
    assert request.go_on() is None
    assert fetcher.sent == []
    await thread.slices([TP], 0.0, 10)
    assert request.go_on() is True
    assert fetcher.sent == [("assignment", 0, "request")]


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
