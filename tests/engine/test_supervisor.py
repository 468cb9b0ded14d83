"""What is started again, when, and what stops all. Processes, clock and waits are the test's own; one test has real ones."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from streamer.engine.exits import NEVER_RESTARTED, Exit
from streamer.engine.supervisor import Backoff, Program, Supervisor


class Process:
    """A child that ends when told: with ``code`` at once, or on a signal."""

    def __init__(self, code: int | None, deaf: bool = False) -> None:
        self.pid = 1
        self.deaf = deaf
        self.signals: list[int] = []
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if code is not None:
            self._end.set_result(code)

    def send_signal(self, signal: int) -> None:
        self.signals.append(signal)
        if (not self.deaf or signal == 9) and not self._end.done():
            self._end.set_result(-signal if self.deaf else 0)

    def kill(self) -> None:
        self.send_signal(9)

    async def wait(self) -> int:
        return await self._end


def test_waits_double_to_a_bound_and_begin_anew_after_a_long_life() -> None:
    backoff = Backoff(first_s=1.0, longest_s=5.0, reset_s=60.0)
    assert [backoff.after(lived) for lived in (0, 2, 3, 10, 59, 60, 1)] == [1.0, 2.0, 4.0, 5.0, 5.0, 1.0, 2.0]


class Scene:
    """Programs whose lives are written down beforehand; the last life lasts until it is told to end."""

    def __init__(self, lives: dict[str, list[int]], deaf: bool = False, stop_timeout_s: float = 5.0) -> None:
        self.lives = lives
        self.started: list[Process] = []
        self.names: list[str] = []
        self.deaf = deaf
        self.quiet = asyncio.Event()
        self.supervisor = Supervisor(
            [Program(name, [name]) for name in lives],
            backoff=lambda: Backoff(first_s=0.0, longest_s=0.0),
            spawn=self.spawn,
            clock=lambda: 0.0,
            stop_timeout_s=stop_timeout_s,
        )

    async def spawn(self, program: Program) -> Process:
        left = self.lives[program.name]
        process = Process(left.pop(0) if left else None, self.deaf)
        self.started.append(process)
        self.names.append(program.name)
        if not any(self.lives.values()):
            self.quiet.set()
        return process


async def test_a_program_that_cannot_be_started_just_now_is_tried_again() -> None:
    scene = Scene({"dossier": [int(Exit.STALL)]})
    refusals = [BlockingIOError("fork: no more processes")]
    spawn, again = scene.spawn, asyncio.Event()

    async def short_of_processes(program: Program) -> Process:
        if scene.names and refusals:
            raise refusals.pop()
        process = await spawn(program)
        if len(scene.names) > 1:
            again.set()
        return process

    scene.supervisor._spawn = short_of_processes
    running = asyncio.ensure_future(scene.supervisor.run())
    await asyncio.wait_for(again.wait(), 5)
    scene.supervisor.stop()
    assert await asyncio.wait_for(running, 5) == 0
    assert (scene.names, refusals) == (["dossier", "dossier"], [])


async def test_what_ends_in_doubt_is_started_again_and_a_stop_ends_all_cleanly() -> None:
    scene = Scene({"one": [Exit.GAP, -9, 1, 0], "two": []})
    running = asyncio.ensure_future(scene.supervisor.run())
    await scene.quiet.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    scene.supervisor.stop()
    assert await running == 0
    assert scene.supervisor.restarts == {"one": 4, "two": 0}
    assert [p.signals for p in scene.started if p.signals] == [[signal.SIGTERM]] * 2


@pytest.mark.parametrize("code", sorted(NEVER_RESTARTED))
async def test_what_a_restart_does_not_mend_stops_all(code: Exit) -> None:
    scene = Scene({"good": [], "bad": [int(code)]})
    assert await scene.supervisor.run() == code
    assert scene.names.count("bad") == 1
    assert [p.signals for n, p in zip(scene.names, scene.started, strict=True) if n == "good"] == [[signal.SIGTERM]]


async def test_a_process_that_does_not_end_in_time_is_killed() -> None:
    scene = Scene({"deaf": []}, deaf=True, stop_timeout_s=0.01)
    running = asyncio.ensure_future(scene.supervisor.run())
    await scene.quiet.wait()
    scene.supervisor.stop()
    assert await running == 0
    assert scene.started[0].signals == [signal.SIGTERM, signal.SIGKILL]


async def test_real_processes_get_the_signal_and_their_exit_code_is_understood() -> None:
    waits = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print(1, flush=True); signal.pause()"
    supervisor = Supervisor(
        [
            Program("waits", [sys.executable, "-c", waits]),
            Program("ends", [sys.executable, "-c", "import sys, time; time.sleep(0.5); sys.exit(78)"]),
        ]
    )
    assert await supervisor.run() == Exit.CONFIG
