"""The state file: whole or not at all, readable by its owner only."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.errors import StreamerError
from streamer.local import find
from streamer.local.paths import Paths
from streamer.local.processes import Process
from streamer.local.state import Broker, Postgres, State, load, save


def test_what_was_saved_is_loaded_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    state = State("cluster", [Broker(1, 20_001, 20_002, Process(7, "8"))], Postgres(20_003, "secret"))
    save(paths, state)
    assert load(paths) == state
    assert paths.state.stat().st_mode & 0o777 == 0o600


def test_a_home_without_servers_is_empty(tmp_path: Path) -> None:
    assert load(Paths(tmp_path)) == State()


def test_a_damaged_file_is_named_with_the_next_step(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    save(paths, State())
    paths.state.write_text("{")
    with pytest.raises(StreamerError, match="damaged") as error:
        load(paths)
    assert error.value.where == str(paths.state)


def test_the_home_is_the_environments_or_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STREAMER_HOME", raising=False)
    assert Paths().home == tmp_path / ".streamer"
    monkeypatch.setenv("STREAMER_HOME", str(tmp_path / "elsewhere"))
    assert Paths().home == tmp_path / "elsewhere"


def test_find_prefers_the_environment_then_the_last_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert find(tmp_path) is None
    save(Paths(tmp_path), State("cluster", [Broker(1, 20_001, 20_002)], Postgres(20_003, "secret")))
    found = find(tmp_path)
    assert found is not None
    assert (found.bootstrap_servers, found.database_url) == (
        "127.0.0.1:20001",
        "postgresql://streamer:secret@127.0.0.1:20003/streamer",
    )
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/credit")
    found = find(tmp_path)
    assert found is not None
    assert (found.bootstrap_servers, found.database_url) == ("kafka:9092", "postgresql://elsewhere/credit")
