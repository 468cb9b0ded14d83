"""Kafka's files: each is the one that was locked, or it is not used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from streamer.errors import StreamerError
from streamer.local import artifacts

UNREACHABLE = "http://127.0.0.1:9/"  # discard: nobody listens


@pytest.fixture
def jar() -> artifacts.Jar:
    """Any locked file."""
    return artifacts.jars()[0]


@pytest.fixture
def fetched() -> None:
    """All files are in the machine's own cache."""
    artifacts.class_path(lambda _: None)


@pytest.fixture
def other_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Maven cache, and jgo set to a repository that does not answer."""
    settings = tmp_path / "jgo.conf"
    settings.write_text(f"[repositories]\nnone = {UNREACHABLE}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_every_file_is_locked_by_hash_and_the_broker_comes_first() -> None:
    jars = artifacts.jars()
    assert jars[0].coordinate == f"org.apache.kafka:kafka_2.13:{artifacts.kafka_version()}"
    assert all(len(jar.sha256) == 64 and jar.coordinate.count(":") == 2 for jar in jars)
    assert len({jar.coordinate.rpartition(":")[0] for jar in jars}) == len(jars)


def test_a_download_that_cannot_be_made_is_named_with_the_next_step(other_cache: Path) -> None:
    with pytest.raises(StreamerError, match=r"cannot fetch .* \(ConnectionError\)") as error:
        artifacts.class_path(lambda _: None)
    assert "KAFKA_BOOTSTRAP_SERVERS" in error.value.todo
    assert not list(other_cache.rglob("*.jar"))


def test_files_that_are_here_need_no_network(fetched: None, other_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("M2_REPO")  # the machine's own cache again; the repository still does not answer
    said: list[str] = []
    assert all(path.exists() for path in artifacts.class_path(said.append))
    assert not said


def test_half_a_file_is_not_used(
    other_cache: Path, jar: artifacts.Jar, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(artifacts, "jars", lambda: [jar])
    group, name, version = jar.coordinate.split(":")
    half = Path(other_cache, *group.split("."), name, version, f"{name}-{version}.jar")
    half.parent.mkdir(parents=True)
    half.write_bytes(b"PK")
    with pytest.raises(StreamerError, match="cannot fetch"):
        artifacts.class_path(lambda _: None)
    assert not half.exists()


def test_another_file_under_the_same_name_is_refused(
    other_cache: Path, jar: artifacts.Jar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a broken mirror does: answers, with something else."""
    forged = jar._replace(sha256="0" * 64)
    monkeypatch.setattr(artifacts, "jars", lambda: [forged])
    real = artifacts._cached

    def serve(maven: object, wanted: artifacts.Jar) -> Path:
        path = real(maven, wanted)  # type: ignore[arg-type]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"something else")
        return path

    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    monkeypatch.setattr(artifacts, "_cached", serve)
    with pytest.raises(StreamerError, match="SHA-256 differs"):
        artifacts.class_path(lambda _: None)
    shutil.rmtree(other_cache)
