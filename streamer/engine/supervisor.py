"""Keeps processes running: starts them again with bounded back-off, stops all when a person must act. Not for: what they do.

A process ends whenever it is in doubt; going on is this module's business.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streamer.engine.exits import NEVER_RESTARTED, Exit

log = logging.getLogger(__name__)


class Child(Protocol):
    """A started process, as ``asyncio.subprocess.Process`` has it."""

    @property
    def pid(self) -> int: ...

    def send_signal(self, signal: int) -> None: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep running. ``env`` is the whole environment; None: this process's."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None


@dataclass(slots=True)
class Backoff:
    """Waits before a restart: doubling from ``first_s`` to ``longest_s``; from the start again after a life of ``reset_s``."""

    first_s: float = 0.5
    longest_s: float = 30.0
    reset_s: float = 60.0
    _next_s: float = field(default=0.0, init=False)

    def after(self, lived_s: float) -> float:
        """The wait after a life of ``lived_s``."""
        if lived_s >= self.reset_s or not self._next_s:
            self._next_s = self.first_s
        wait = self._next_s
        self._next_s = min(2 * wait, self.longest_s)
        return wait


async def _spawn(program: Program) -> Child:
    return await asyncio.create_subprocess_exec(*program.argv, env=program.env)


class Supervisor:
    """``await run()`` until told to stop, or until a process ends with a code that no restart mends."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        backoff: Callable[[], Backoff] = Backoff,
        stop_timeout_s: float = 9.0,
        spawn: Callable[[Program], Awaitable[Child]] = _spawn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._programs = programs
        self._backoff = backoff
        self._stop_timeout_s = stop_timeout_s
        self._spawn = spawn
        self._clock = clock
        self._stopping = asyncio.Event()
        self._children: dict[str, Child] = {}
        #: Restarts by program.
        self.restarts: dict[str, int] = {p.name: 0 for p in programs}
        self._code = 0

    def stop(self) -> None:
        """Ends all processes cleanly; ``run`` returns then."""
        self._stopping.set()

    def install_signals(self) -> None:
        """SIGTERM and SIGINT stop all."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    async def run(self) -> int:
        """0 after ``stop``; else the exit code of the process that a restart does not mend."""
        keepers = [asyncio.ensure_future(self._keep(program)) for program in self._programs]
        await self._stopping.wait()
        for child in list(self._children.values()):
            _tell(child, signal.SIGTERM)
        _, late = await asyncio.wait(keepers, timeout=self._stop_timeout_s)
        if late:
            for name, child in self._children.items():
                log.warning("%s (process %d) did not end in time, killed; nothing is lost", name, child.pid)
                _tell(child, signal.SIGKILL)
            await asyncio.wait(late)
        for keeper in keepers:
            keeper.result()
        return self._code

    async def _keep(self, program: Program) -> None:
        backoff = self._backoff()
        while not self._stopping.is_set():
            began = self._clock()
            try:
                child = self._children[program.name] = await self._spawn(program)
            except OSError as exc:  # no memory, processes or files for one more just now
                wait_s = backoff.after(0.0)
                log.error("%s cannot be started (%s); tried again in %.1f s", program.name, exc, wait_s)
                await self._pause(wait_s)
                continue
            if self._stopping.is_set():  # told while it was being started
                _tell(child, signal.SIGTERM)
            code = await child.wait()
            del self._children[program.name]
            if self._stopping.is_set():
                return
            if code in NEVER_RESTARTED:
                log.error("%s ended with %s; all stop, because a restart does not help", program.name, _named(code))
                self._code = code
                self.stop()
                return
            wait_s = backoff.after(self._clock() - began)
            log.warning("%s ended with %s; started again in %.1f s", program.name, _named(code), wait_s)
            self.restarts[program.name] += 1
            await self._pause(wait_s)

    async def _pause(self, wait_s: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), wait_s)
        except TimeoutError:
            return


def _named(code: int) -> str:
    if code < 0:
        return f"signal {-code}"
    return f"{code} ({Exit(code).name.lower()})" if code in Exit.__members__.values() else str(code)


def _tell(child: Child, number: int) -> None:
    try:
        child.send_signal(number)
    except ProcessLookupError:
        return
