"""The peers' environments: exact versions, no addresses, files checked by hash; a peer that is not there is told, not hidden."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.peers import HERE, JAVA, OWN, PEERS, Environments
from streamer.local import artifacts

FILES = sorted((HERE / "requirements").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_everything_installed_has_an_exact_version_and_no_address(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []


def test_every_peer_has_an_environment_and_every_environment_a_peer() -> None:
    assert {peer.environment for peer in PEERS} == {OWN, JAVA, *(file.stem for file in FILES)}


def test_kafka_streams_is_of_the_brokers_version_and_every_file_has_its_hash() -> None:
    jars = artifacts.parse((HERE / "streams.lock").read_text(encoding="utf-8"))
    versions = {jar.coordinate.rpartition(":")[0]: jar.coordinate.rpartition(":")[2] for jar in jars}
    assert versions["org.apache.kafka:kafka-streams"] == versions["org.apache.kafka:kafka-clients"]
    assert versions["org.apache.kafka:kafka-clients"] == artifacts.kafka_version()
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert jars[-1].coordinate.startswith("org.eclipse.jdt:ecj:")  # taken off the class path: it compiles


async def test_an_environment_that_cannot_be_made_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_venv(*_: object, **__: object) -> None:
        raise OSError("no room on the disk")

    monkeypatch.setattr("bench.peers.venv.create", no_venv)
    said: list[str] = []
    environments = Environments(tmp_path, said.append)
    await environments.prepare({OWN, "quix"})
    assert environments.missing == {"quix": "OSError: no room on the disk"}
    assert any("not installed: quix" in line for line in said)
