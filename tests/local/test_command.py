"""The command line: its table of commands, its exit codes, and what it prints when something breaks."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from streamer.cli import main as command_line
from streamer.errors import ConfigurationError, StreamerError


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_HOME", str(tmp_path))
    monkeypatch.delenv("STREAMER_DEBUG", raising=False)


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        command_line.main(list(args))
    return int(stopped.value.code or 0)


def replace(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make ``streamer local`` fail with ``error``."""

    def fail() -> None:
        raise error

    monkeypatch.setattr("streamer.cli.local.local", click.Command("local", callback=fail))


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--help"], 0),
        (["local", "--help"], 0),
        (["no-such-command"], 2),
        (["local", "up", "--brokers", "2"], 2),
        (["local", "status"], 1),
        (["local", "down"], 0),
    ],
)
def test_exit_codes(args: list[str], code: int) -> None:
    assert run(*args) == code


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (
            StreamerError("it broke", where="there", todo="mend it"),
            1,
            "error: it broke\n  where: there\n  next:  mend it",
        ),
        (ConfigurationError("a setting is missing"), 78, "error: a setting is missing"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("张三 110101199003070011"), 70, "internal error: ValueError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_an_error_is_its_message_and_never_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, shown: str
) -> None:
    replace(monkeypatch, error)
    assert run("local") == code
    printed = capsys.readouterr().err
    assert shown in printed
    assert "Traceback" not in printed
    assert "110101" not in printed


def test_help_lists_every_command_that_is_there_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(command_line.COMMANDS, "not-yet", command_line.Command("streamer.cli.not_yet:x", "Later."))
    assert run("--help") == 0
    printed = capsys.readouterr().out
    assert "local" in printed
    assert "not-yet" not in printed


def test_status_is_machine_readable(
    capsys: pytest.CaptureFixture[str], kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    assert run("local", "status", "--json") == 0
    [found] = json.loads(capsys.readouterr().out)
    assert found == {"name": "kafka", "address": kafka, "pid": None, "answers": True, "external": True}
