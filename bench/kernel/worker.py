"""One measured process of a peer: start, first event, cost, kill -9. Not for: what it should have done (``check``)."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from bench.cluster import Cluster
from bench.peers import REPOSITORY, Environments, Peer
from bench.raw import peak_mb

START_TIMEOUT_S: Final = 90.0
STOP_TIMEOUT_S: Final = 15.0
POLL_S: Final = 0.01
LOG_TAIL_LINES: Final = 5
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None)


class Usage(NamedTuple):
    """User and system seconds so far, and the peak of resident memory."""

    cpu_s: float
    peak_mb: float


class WorkerFailedError(Exception):
    """A measured process did not do its work: the end of its log is in the text."""


class Worker:
    """``app`` names its group, topics and folder below ``home``."""

    def __init__(
        self,
        cluster: Cluster,
        environments: Environments,
        peer: Peer,
        topic: str,
        app: str,
        home: Path,
        core: int | None,
    ) -> None:
        self._cluster, self._environments, self._core = cluster, environments, core
        self.peer, self.topic, self.app = peer, topic, app
        self.folder = home / "state" / app
        self.alerts = f"alerts-{app}"
        self._mark, self._log = self.folder.with_suffix(".t0"), self.folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._code: int | None = None
        self._used: resource.struct_rusage | None = None
        self._peak_mb = 0.0

    async def prepare(self) -> None:
        """Its topics and folder. Raises WorkerFailedError."""
        self.folder.mkdir(parents=True)
        await self._cluster.create(self.alerts)
        if self.peer.changelog:
            await self._cluster.create(f"{self.app}-changelog")
        if self.peer.exits:
            command = [*self._environments.module(self.peer, "bytewax.recovery"), str(self.folder), "1"]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
            if done.returncode:
                raise WorkerFailedError(done.stderr.decode(errors="replace")[-300:])

    def start(self, settings: Mapping[str, str] | None = None, command: list[str] | None = None) -> None:
        """``settings``: environment variables beside the peer's; ``command``: another one than the peer's."""
        self._mark.unlink(missing_ok=True)
        self._code = self._used = None
        self._peak_mb = 0.0
        environment = {
            **os.environ, "PYTHONPATH": str(REPOSITORY), "W_BOOT": self._cluster.bootstrap, "W_TOPIC": self.topic,
            "W_ALERTS": self.alerts, "W_APP": self.app, "W_DIR": str(self.folder), "W_T0": str(self._mark),
            **self.peer.settings, **(settings or {}),
        }  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command or self._environments.command(self.peer, self.folder),
                cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=self._before,  # noqa: PLW1509 - two calls of the system
            )  # fmt: skip

    def _before(self) -> None:
        """In the child: its core, and it goes when the driver goes."""
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if self._core is not None:
            os.sched_setaffinity(0, {self._core})

    def ended(self) -> int | None:
        """Its exit code, or None while it runs."""
        if self._code is None and self._process is not None:
            pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._code = self._process.returncode = os.waitstatus_to_exitcode(status)
                self._used = used
            elif self.peer.exits:  # it will be gone when somebody asks
                self._peak_mb = max(self._peak_mb, peak_mb(self._process.pid))
        return self._code

    def usage(self) -> Usage:
        self.ended()
        if self._used is not None:
            return Usage(self._used.ru_utime + self._used.ru_stime, self._peak_mb)
        assert self._process is not None
        process = Path(f"/proc/{self._process.pid}")
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return Usage((int(fields[11]) + int(fields[12])) / _TICKS, peak_mb(self._process.pid))

    async def first_event(self) -> tuple[float, float]:
        """(time, CPU seconds until then). Raises WorkerFailedError when none comes."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._mark.exists():
            if self.ended() is not None or time.monotonic() > deadline:
                raise WorkerFailedError(f"no event handled; exit {self.ended()}; {self.log_tail()}")
            await asyncio.sleep(POLL_S)
        at, cpu_s = self._mark.read_text(encoding="ascii").split()
        return float(at), float(cpu_s)

    def log_tail(self) -> str:
        return " / ".join(self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])[-600:]

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self._process is not None and self.ended() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            while self.ended() is None:
                time.sleep(POLL_S)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for what does not end."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        if self._process is not None and self.ended() is None:
            self._process.terminate()
        while self.ended() is None and time.monotonic() < deadline:  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(POLL_S)
        self.kill()

    def port(self) -> int:
        """Where our engine serves its metrics."""
        return int((self.folder / "http.port").read_text())

    def discard(self) -> None:
        """The process and its folder go; its log stays."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def clean(self) -> None:
        """Its topics go, too."""
        self.discard()
        await self._cluster.delete({name for name in await self._cluster.topics() if self.app in name})
