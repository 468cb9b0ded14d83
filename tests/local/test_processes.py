"""Processes: recognised, stopped, never mistaken for another."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from streamer.errors import StreamerError
from streamer.local import processes
from streamer.local.processes import HOST, Process

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


def wait_for(log: Path, text: str) -> None:
    while text not in log.read_text():
        pass


@pytest.mark.parametrize(("command", "timeout_s"), [(SLEEPER, 60), (DEAF, 0.2)], ids=["obeys", "deaf to SIGTERM"])
def test_stop_ends_a_process_that_obeys_and_one_that_does_not(
    tmp_path: Path, command: list[str], timeout_s: float
) -> None:
    log = tmp_path / "log"
    process = processes.spawn(command, log=log)
    wait_for(log, "up")
    assert processes.is_running(process)
    processes.stop(process, timeout_s=timeout_s)
    assert not processes.is_running(process)


def test_a_process_has_its_own_session_so_that_the_terminal_does_not_end_it(tmp_path: Path) -> None:
    process = processes.spawn(SLEEPER, log=tmp_path / "log")
    assert os.getsid(process.pid) == process.pid
    processes.kill(process)


def test_a_pid_given_to_another_process_is_not_ours(tmp_path: Path) -> None:
    process = processes.spawn(SLEEPER, log=tmp_path / "log")
    other = Process(process.pid, "1")
    assert not processes.is_running(other)
    processes.stop(other, timeout_s=0)  # touches nobody
    assert processes.is_running(process)
    processes.kill(process)


def test_a_killed_child_is_dead_although_nobody_asked_for_its_exit_code(tmp_path: Path) -> None:
    process = processes.spawn(SLEEPER, log=tmp_path / "log")
    os.kill(process.pid, signal.SIGKILL)
    while processes.is_running(process):
        pass
    processes.stop(process, timeout_s=0)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StreamerError, match="cannot start java"):
        processes.spawn([str(tmp_path / "java")], log=tmp_path / "log")


def test_a_taken_port_is_named_with_the_next_step() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StreamerError, match=f"port {port}, which PostgreSQL needs") as error:
            processes.require_port(port, "PostgreSQL")
    assert "next:" in str(error.value)
    processes.require_port(port, "PostgreSQL")


def test_free_ports_differ() -> None:
    taken: set[int] = set()
    assert len({processes.free_port(taken) for _ in range(50)}) == 50


def test_the_end_of_a_log_is_shown_and_its_absence_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert "no log" in processes.tail(log)
    log.write_text("\n".join(map(str, range(100))))
    assert processes.tail(log, lines=2) == "    98\n    99"
