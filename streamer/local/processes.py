"""Long-lived processes that outlive the command that started them: start, recognise, stop. Not for: what they serve."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from streamer.errors import StreamerError

HOST: Final = "127.0.0.1"
POLL_S: Final = 0.05
KILL_TIMEOUT_S: Final = 10  # after SIGKILL only the kernel is still busy
LOG_TAIL_LINES: Final = 15
PORT_RANGE: Final = range(20_000, 30_000)  # below the ranges systems take client ports from
PORT_TRIES: Final = 200


class Process(msgspec.Struct, frozen=True):
    """A process we started: ``born`` tells it from a later one that was given the same pid."""

    pid: int
    born: str


def spawn(args: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Process:
    """Start ``args`` in a session of its own; its output is appended to ``log``. Raises StreamerError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                args, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, cwd=cwd, start_new_session=True
            )
        except OSError as error:
            raise StreamerError(
                f"cannot start {Path(args[0]).name}: {error.strerror}",
                where=args[0],
                todo="reinstall the Python packages (`make clean`, then again)",
            ) from None
    child.returncode = 0  # it outlives this object: from here on it is followed by its pid
    return Process(child.pid, _born(child.pid) or "")


def is_running(process: Process | None) -> bool:
    """True while exactly this process lives; a zombie is dead, and is reaped when it is our child."""
    if process is None:
        return False
    try:
        os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        pass  # another command's child
    return _born(process.pid) == process.born


def stop(process: Process, *, timeout_s: float, signals: Sequence[signal.Signals] = (signal.SIGTERM,)) -> None:
    """Ask with each signal in turn, ``timeout_s`` each, then SIGKILL. Returns when the process is gone."""
    for number in signals:
        if not _signal(process, number) or _gone(process, timeout_s):
            return
    kill(process)


def stop_all(group: Sequence[Process], *, timeout_s: float) -> None:
    """Ask all with SIGTERM at once, then end those that stay with SIGKILL."""
    asked = [process for process in group if _signal(process, signal.SIGTERM)]
    deadline = time.monotonic() + timeout_s
    for process in asked:
        if not _gone(process, max(deadline - time.monotonic(), 0)):
            kill(process)


def kill(process: Process) -> None:
    """SIGKILL, and wait until the process is gone. Raises StreamerError when it does not go."""
    if _signal(process, signal.SIGKILL) and not _gone(process, KILL_TIMEOUT_S):
        raise StreamerError(
            f"process {process.pid} does not end after SIGKILL",
            todo=f"look at it (`ps -o pid,stat,wchan {process.pid}`)",
        )


def _signal(process: Process, number: signal.Signals) -> bool:
    if not is_running(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def _gone(process: Process, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while is_running(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _born(pid: int) -> str | None:
    """What distinguishes this life of ``pid``: its start time in clock ticks since boot, or None when it is dead."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() else _born_by_ps(pid)
    fields = text.rpartition(")")[2].split()  # the name, in brackets, may hold anything
    return None if fields[0] in {"Z", "X"} else fields[19]  # proc(5): 3 state … 22 starttime


def _born_by_ps(pid: int) -> str | None:
    """Systems without /proc (macOS)."""
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = found.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def working_in(folder: Path) -> list[int]:
    """The living processes whose working directory is ``folder`` (needs /proc)."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder and _born(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue  # gone, or somebody else's
    return found


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The end of a server's log, indented, for an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def port_is_free(port: int) -> bool:
    """True when nothing on this machine listens on ``port`` of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(taken: set[int]) -> int:
    """A port nobody listens on and that is not in ``taken``, which it joins. Raises StreamerError."""
    for _ in range(PORT_TRIES):
        port = random.choice(PORT_RANGE)  # noqa: S311 - a place to look first, not a secret
        if port not in taken and port_is_free(port):
            taken.add(port)
            return port
    raise StreamerError(
        f"no free port between {PORT_RANGE.start} and {PORT_RANGE.stop}", where=HOST, todo="give one by option"
    )


def require_stopped(process: Process | None, server: str, port: int) -> None:
    """Raises StreamerError when ``server`` runs, on ``port``, and was to get another."""
    if is_running(process):
        raise StreamerError(
            f"{server} runs on port {port}; it cannot get another now", todo="`streamer local down` first"
        )


def require_port(port: int, server: str) -> None:
    """Raises StreamerError when somebody else listens on the port that ``server`` needs."""
    if not port_is_free(port):
        raise StreamerError(
            f"port {port}, which {server} needs, is taken by another process",
            where=f"{HOST}:{port}",
            todo="stop that process (`ss -ltnp` names it), or give another port, or `streamer local down --purge`",
        )
