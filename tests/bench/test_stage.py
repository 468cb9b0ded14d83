"""What a measured run works on: nothing of the run before. Not for: the runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.bench import stage
from streamer.bench.stage import Environment, Stage
from streamer.errors import ConfigurationError


class _Admin:
    """A cluster that has these topics."""

    def __init__(self, *topics: str) -> None:
        self.topics = topics

    def __call__(self, **_: object) -> _Admin:
        return self

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def list_topics(self) -> list[str]:
        return list(self.topics)


def _of_before(home: Path) -> Path:
    known = Environment("bench-1", home, "").state_dir("dossier") / "topic-ids.json"
    known.parent.mkdir(parents=True)
    known.touch()
    return known


async def test_a_stage_has_no_state_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = _of_before(tmp_path)
    monkeypatch.setattr(stage, "AIOKafkaAdminClient", _Admin("others"))
    async with Stage.open("", "", tmp_path):
        assert not known.exists()


async def test_a_cluster_with_topics_of_the_contract_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = _of_before(tmp_path)
    monkeypatch.setattr(stage, "AIOKafkaAdminClient", _Admin("credit.records"))
    with pytest.raises(ConfigurationError, match="topics of the contract"):
        async with Stage.open("", "", tmp_path):
            pass
    assert known.exists()
