"""The consumer's thread: what is asked of it does not wait for what hangs. No Kafka."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from streamer.engine import EngineApp, EngineSettings

CALLS = 4
PATIENCE_S = 30.0


@pytest.fixture
async def thread(tmp_path: Path) -> Any:
    app = EngineApp(EngineSettings(app_id="a", bootstrap_servers="127.0.0.1:1", state_dir=tmp_path))
    made: Any = app.consumer._thread
    runner = threading.Thread(target=made.thread_loop.run_forever)
    runner.start()
    asyncio.run_coroutine_threadsafe(made.method_queue.start(), made.thread_loop).result(PATIENCE_S)  # as Faust does
    yield made
    asyncio.run_coroutine_threadsafe(made.method_queue.stop(), made.thread_loop).result(PATIENCE_S)
    made.thread_loop.call_soon_threadsafe(made.thread_loop.stop)
    runner.join(PATIENCE_S)
    made.thread_loop.close()


class Hangs:
    """Look-ups that get no answer; how many were given up in the thread."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.given_up = threading.Semaphore(0)

    async def __call__(self) -> None:
        self.begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up.release()


async def test_a_commit_goes_out_while_look_ups_and_a_fetch_hang(thread: Any) -> None:
    hangs = Hangs()
    calls = [asyncio.ensure_future(thread.call_thread(hangs)) for _ in range(CALLS)]

    async def commit(offsets: dict[str, int]) -> dict[str, int]:
        return offsets

    assert await asyncio.wait_for(thread.call_thread(commit, {"t": 1}), PATIENCE_S) == {"t": 1}
    assert await asyncio.wait_for(thread.call_thread(dict, a=1), PATIENCE_S) == {"a": 1}, "a plain function, too"
    for _ in calls:
        assert await asyncio.to_thread(hangs.begun.acquire, timeout=PATIENCE_S)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    for _ in calls:
        assert await asyncio.to_thread(hangs.given_up.acquire, timeout=PATIENCE_S), "nothing is left behind"


async def test_what_fails_in_the_thread_fails_here(thread: Any) -> None:
    async def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await thread.call_thread(fails)
