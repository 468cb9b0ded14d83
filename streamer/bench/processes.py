"""A measured process: start, wait until it is ready, read what it cost, stop. Not for: servers (``streamer.local``)."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from streamer.bench import marks
from streamer.bench.launch import CORE_VARIABLE, PROFILE_VARIABLE
from streamer.bench.profiler import WRITE_SIGNAL
from streamer.errors import StreamerError

POLL_S: Final = 0.02
READY_TIMEOUT_S: Final = 90.0
STOP_TIMEOUT_S: Final = 15.0
PROFILE_TIMEOUT_S: Final = 10.0
LOG_TAIL_LINES: Final = 15
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


class Usage(NamedTuple):
    """User and system seconds so far, and the peak of resident memory."""

    cpu_s: float
    peak_mb: float


class Measured:
    """One process of ``streamer.bench.launch``; ``folder`` takes its log, mark and profile."""

    def __init__(
        self, name: str, folder: Path, environment: Mapping[str, str], *, core: int | None, profile: Path | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name, self._folder, self._profile = name, folder, profile
        self._mark = folder / f"{name}.mark"
        self._mark.unlink(missing_ok=True)
        environment = {**os.environ, **environment, marks.VARIABLE: str(self._mark)}
        if core is not None:
            environment[CORE_VARIABLE] = str(core)
        if profile is not None:
            environment[PROFILE_VARIABLE] = str(profile)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamer.bench.launch", name],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def _log(self) -> Path:
        return self._folder / f"{self.name}.log"

    def require_alive(self) -> None:
        """Raises StreamerError with the end of its log when it has ended."""
        code = self._process.poll()
        if code is not None:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
            raise StreamerError(
                f"{self.name} ended with exit code {code} while it was measured; the end of its log:\n{tail}",
                where=str(self._log),
                todo="see docs/guarantees.md for the exit codes",
            )

    def usage(self) -> Usage:
        process = Path(f"/proc/{self._process.pid}")
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        peak = _PEAK.search((process / "status").read_text())
        return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(peak[1]) / 1024 if peak else 0.0)

    async def started(self) -> marks.Mark:
        """Its first event. Raises StreamerError when it does not come."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while (mark := marks.read(self._mark)) is None:
            self.require_alive()
            if time.monotonic() > deadline:
                raise StreamerError(f"{self.name} handled no event in {READY_TIMEOUT_S:g} s", where=str(self._log))
            await asyncio.sleep(POLL_S)
        return mark

    async def ready(self, state_dir: Path) -> None:
        """A role's own word for it. Raises StreamerError."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not await asyncio.to_thread(_is_ready, state_dir / "http.port"):
            self.require_alive()
            if time.monotonic() > deadline:
                raise StreamerError(f"{self.name} is not ready after {READY_TIMEOUT_S:g} s", where=str(self._log))
            await asyncio.sleep(POLL_S * 5)

    async def write_profile(self) -> None:
        """Have the profile written, if there is one."""
        if self._profile is None:
            return
        self._process.send_signal(WRITE_SIGNAL)
        deadline = time.monotonic() + PROFILE_TIMEOUT_S
        while not self._profile.exists() and time.monotonic() < deadline:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL; never raises for a process that is gone."""
        if self._process.poll() is None:
            self._process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                return
            await asyncio.sleep(POLL_S)


def _is_ready(port_file: Path) -> bool:
    try:
        port = int(port_file.read_text())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False
