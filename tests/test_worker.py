"""A process whose supervisor is gone ends by itself, cleanly; and several processes of a role have names of their own."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.cli.worker import programs
from streamer.engine import exits
from streamer.engine.exits import Exit, Refusal
from streamer.engine.lock import FolderLock
from streamer.engine.orphan import LATEST_END_S, follow
from streamer.errors import ConfigurationError
from streamer.settings import Settings

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans below this process become its children


def test_without_a_supervisor_nobody_is_followed() -> None:
    assert follow(0) is None


def test_an_orphan_is_told_to_stop_and_ended_if_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    parents, done = [7, 7, 1], list[object]()
    monkeypatch.setattr(exits, "terminate", done.append)
    thread = follow(7, parent=lambda: parents.pop(0), tell=lambda: done.append("told"), pause=done.append)
    assert thread is not None
    thread.join(PATIENCE_S)
    assert done == [0.5, 0.5, "told", LATEST_END_S, 0]


def settings(tmp_path: Path, **more: str) -> Settings:
    return Settings.from_env({"STREAMER_HOME": str(tmp_path), "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", **more})


def test_one_process_of_a_role_keeps_the_names_that_it_had(tmp_path: Path) -> None:
    found = programs(settings(tmp_path, STREAMER_METRICS_PORT="9100"), ["intake", "sink"], 1, {})
    assert [(p.name, p.env) for p in found] == [
        ("intake", {"STREAMER_HOME": str(tmp_path), "STREAMER_METRICS_PORT": "9100"}),
        ("sink", {"STREAMER_HOME": str(tmp_path), "STREAMER_METRICS_PORT": "9102"}),
    ]


def test_several_processes_have_an_instance_a_folder_and_a_port_each(tmp_path: Path) -> None:
    given = settings(tmp_path, STREAMER_INSTANCE="a", STREAMER_METRICS_PORT="9100")
    found = programs(given, ["intake", "dossier", "sink"], 3, {"STREAMER_INSTANCE": "a"})
    names = [p.name for p in found]
    instances = [(p.env or {})["STREAMER_INSTANCE"] for p in found]
    ports = [int((p.env or {})["STREAMER_METRICS_PORT"]) for p in found]
    assert names[:4] == ["intake-0", "intake-1", "intake-2", "dossier-0"]
    assert instances == ["a-0", "a-1", "a-2"] * 3
    assert ports == [9100, 9103, 9106, 9101, 9104, 9107, 9102, 9105, 9108]
    folders = {Settings.from_env(p.env).state_dir(p.name) for p in found}
    assert len(folders) == 9


@pytest.mark.parametrize(
    ("processes", "more", "why"),
    [
        (2, {}, "names of their own"),
        (2, {"STREAMER_INSTANCE": "a", "STREAMER_METRICS_PORT": "65532"}, "above 65535"),
    ],
)
def test_processes_that_could_not_be_told_apart_are_refused(
    tmp_path: Path, processes: int, more: dict[str, str], why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        programs(settings(tmp_path, **more), ["intake"], processes, {})


def test_a_folder_is_waited_for_while_its_holder_ends(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from streamer.engine.lock import FolderLock; "
        "FolderLock(Path(sys.argv[1])).take(); print(1, flush=True); sys.stdin.read()"
    )
    held = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        with pytest.raises(Refusal, match=f"held by process {holder.pid}") as refused:
            FolderLock(tmp_path).take(0.3)
        assert refused.value.code is Exit.LOCKED
        holder.stdin.close()
        FolderLock(tmp_path).take(PATIENCE_S)


@pytest.fixture
def adopts_orphans() -> Iterator[None]:
    """What a killed child leaves behind becomes this process's child, so that its exit code can be seen."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def lock_pids(folders: list[Path], supervisor: subprocess.Popen[bytes]) -> list[int]:
    """The processes that hold the state folders, once they do."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        texts = [(f / "lock").read_text() if (f / "lock").exists() else "" for f in folders]
        if all(text.strip().isdecimal() for text in texts):
            return [int(text) for text in texts]
        assert supervisor.poll() is None, "the worker ended"
        assert time.monotonic() < deadline, "the processes did not come up"
        time.sleep(0.05)


def exit_code(pid: int) -> int:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError("an orphan goes on")
        time.sleep(0.05)


def test_processes_of_a_killed_supervisor_end_cleanly(tmp_path: Path, adopts_orphans: None) -> None:
    """No Kafka answers at that address: processes wait for it for ever, and are nevertheless alive."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")},
        "STREAMER_HOME": str(tmp_path),
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "STREAMER_SEAL_KEY": "5a" * 32,
        "STREAMER_INSTANCE": "a",
    }
    command = [sys.executable, "-m", "streamer", "worker", "--role", "intake", "--processes", "2"]
    with (tmp_path / "log").open("wb") as log:
        supervisor = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    pids = lock_pids([tmp_path / "state" / f"credit-intake-a-{number}" for number in range(2)], supervisor)
    supervisor.kill()
    assert supervisor.wait(PATIENCE_S) == -signal.SIGKILL
    assert [exit_code(pid) for pid in pids] == [0, 0], (tmp_path / "log").read_text()
