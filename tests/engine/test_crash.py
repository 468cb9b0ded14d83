"""Whatever fails in a part that nobody awaits ends the process through ``fatal``, once, with a code that says what it was."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    ConsumerStoppedError,
    GroupAuthorizationFailedError,
    InvalidRequestError,
    KafkaConnectionError,
)
from mode import Service

from streamer.engine import EngineApp, EngineSettings, crash, health, preflight, worker
from streamer.engine.exits import Exit, Refusal
from tests.engine.conftest import EndedError
from tests.engine.workshop import Workshop

NO_ROOM = Exception("IO error: No space left on device: While appending to file: db/000012.sst")


def an_app(tmp_path: Path) -> EngineApp:
    made = EngineApp(EngineSettings(app_id="a", bootstrap_servers="127.0.0.1:1", state_dir=tmp_path, metrics_port=-1))
    made.slices("events")
    codec: Any = object()
    made.keyed_table("t", source="events", partitions=1, codec=codec)
    return made


@pytest.fixture
def app(tmp_path: Path) -> Iterator[EngineApp]:
    made = an_app(tmp_path)
    yield made
    close(made)


def close(app: EngineApp) -> None:
    if app._consumer is not None:
        app.consumer._thread.thread_loop.close()


def parts(app: EngineApp) -> Iterator[Service]:
    """The services of an app that Faust starts, and those within."""
    consumer: Any = app.consumer
    for part in app.on_init_dependencies():
        yield app.add_dependency(part)
    yield from (app, consumer._thread, consumer._thread.method_queue, app.tables.recovery)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (NO_ROOM, Exit.DISK),
        (OSError(errno.ENOSPC, "No space left on device", "http.port"), Exit.DISK),
        (Refusal(Exit.FOREIGN, "somebody else writes"), Exit.FOREIGN),
        (GroupAuthorizationFailedError("a"), Exit.CONFIG),
        (InvalidRequestError("a"), Exit.BROKER),
        (KafkaConnectionError("a"), Exit.BROKER),
        (TimeoutError(), Exit.BROKER),
        (KeyError("x"), Exit.FAULT),
        (MemoryError(), Exit.FAULT),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, BaseException) else "",
)
async def test_a_crash_of_any_part_is_the_end_and_says_what_it_was(
    tmp_path: Path, ends: list[int], fault: BaseException, code: Exit
) -> None:
    for number in range(12):
        app = an_app(tmp_path)
        found = list(parts(app))
        assert len(found) == 12
        part = found[number]
        with pytest.raises(EndedError):
            await part.crash(fault)
        assert ends.pop() == code, part
        assert not app.crashed, "Faust has nothing to stop"
        close(app)


async def test_a_task_of_the_app_that_fails_is_the_end(app: EngineApp, ends: list[int]) -> None:
    app._store: Any = SimpleNamespace(flush=_no_room)  # type: ignore[misc]
    object.__setattr__(app.settings, "flush_interval_s", 0.001)
    task = app.add_future(app._flush_often())
    await asyncio.wait([task])
    assert ends == [Exit.DISK]


def _no_room(*, wait: bool) -> None:
    raise NO_ROOM


async def test_what_a_clean_stop_closed_and_a_loop_that_is_gone_are_no_crash(app: EngineApp, ends: list[int]) -> None:
    await app.tables.crash(GeneratorExit())
    assert ends == [], "a loop that is gone"
    app.runtime.stopping = True
    await app.consumer.crash(ConsumerStoppedError())
    assert ends == []
    with pytest.raises(EndedError):
        await app.producer.crash(NO_ROOM)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Refusal(Exit.CONFIG, "topics missing"), Exit.CONFIG),
        (GroupAuthorizationFailedError("a"), Exit.CONFIG),
        (InvalidRequestError("a"), Exit.BROKER),
        (NO_ROOM, Exit.DISK),
        (KeyError("x"), Exit.FAULT),
    ],
    ids=["config", "forbidden", "broker", "disk", "fault"],
)
async def test_a_start_that_fails_is_the_end(
    app: EngineApp, ends: list[int], monkeypatch: pytest.MonkeyPatch, fault: Exception, code: Exit
) -> None:
    async def fails() -> None:
        raise fault

    monkeypatch.setattr(app, "_prepare", fails)
    with pytest.raises(EndedError):
        await app.start()
    assert ends == [code]


async def test_a_port_that_is_taken_is_waited_for_and_then_named(
    app: EngineApp, ends: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamer.engine.exits.sys.__stderr__", sys.stderr)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        object.__setattr__(app.settings, "metrics_port", port)
        monkeypatch.setattr(health, "PORT_WAIT_S", 0.0)
        with pytest.raises(EndedError):
            await app.start()
        assert ends == [Exit.CONFIG]
        assert f"port {port} of 127.0.0.1" in capsys.readouterr().err
        monkeypatch.setattr(health, "PORT_WAIT_S", 60.0)
        monkeypatch.setattr(health, "_PORT_RETRY_S", 0.01)
        tries, third, start = [0], asyncio.Event(), health.web.TCPSite.start

        async def tried(site: Any) -> None:
            tries[0] += 1
            if tries[0] == 3:
                third.set()
            await start(site)

        monkeypatch.setattr(health.web.TCPSite, "start", tried)
        listening = asyncio.ensure_future(app._health.start())
        await asyncio.wait([listening, asyncio.ensure_future(third.wait())], return_when=asyncio.FIRST_COMPLETED)
        assert not listening.done()
    await listening
    assert app._health._runner is not None
    await app._health._runner.cleanup()


async def test_kafka_that_goes_between_two_questions_of_a_start_is_waited_for(
    app: EngineApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_FIRST_WAIT_S", 0.001)
    answers: list[Any] = [KafkaConnectionError(), OSError(), {"t": {}}]

    async def ask() -> Any:
        assert app.runtime.waits == ["kafka"]
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await preflight.wait_for_kafka(app.runtime, ask) == {"t": {}}
    assert app.runtime.waits == []


async def test_a_callback_of_ours_that_raises_is_the_end_another_s_is_logged(
    ends: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(crash.loop_handler)
    loop.call_soon(lambda: {}["theirs"])
    await asyncio.sleep(0)
    assert ends == []
    assert "theirs" in caplog.text
    loop.call_soon(preflight.check_topics, {}, {"t": None})
    await asyncio.sleep(0)
    assert ends == [Exit.CONFIG]


def test_a_crash_is_told_once() -> None:
    log = logging.getLogger("a-crash-is-told-once")
    made = [log.makeRecord("", 40, "", 0, text, (), None) for text in ("[^--Consumer]: Crashed reason=%r", "other")]
    assert [crash.said_once(record) for record in made] == [False, True]


def test_a_worker_that_comes_to_its_end_by_itself_is_a_fault(app: EngineApp, ends: list[int]) -> None:
    loop = asyncio.new_event_loop()
    try:
        made = worker.EngineWorker(app, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
        for fault, code in ((KafkaConnectionError(), Exit.BROKER), (MemoryError(), Exit.FAULT), (None, Exit.FAULT)):

            async def start(fault: Exception | None = fault) -> None:
                if fault is not None:
                    raise fault

            made.start = start  # type: ignore[method-assign]
            with pytest.raises(EndedError):
                made.execute_from_commandline()
            assert ends.pop() == code
    finally:
        loop.close()


async def test_a_process_whose_part_crashes_ends_at_once_with_one_account_of_it(workshop: Workshop) -> None:
    await workshop.create()
    assert await workshop.wait(workshop.spawn(module="tests.engine.crashing")) == Exit.FAULT
    text = workshop.tail(100_000)
    assert text.count("fatal: exit 83 (fault)") == 1
    assert text.count("RuntimeError") == 1
    assert "as asked" not in text, "it may hold what an event says"
    assert "Stopping" not in text
