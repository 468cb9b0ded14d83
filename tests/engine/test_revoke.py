"""Partitions are taken away in the middle of their start: nothing of it comes to life afterwards. No Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streamer.engine import EngineApp, EngineSettings, consumer
from streamer.engine.exits import Exit
from streamer.engine.ledger import Ledger
from tests.engine.conftest import EndedError

MINE = TP("events", 0)


class Scene:
    """A consumer whose thread answers at once; ``order`` of what happens, ``may_load``: the start goes on."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        app = EngineApp(EngineSettings(app_id="a", bootstrap_servers="127.0.0.1:1", state_dir=tmp_path))
        app.slices("events")
        self.consumer: Any = app.consumer
        self.order: list[str] = []
        self.loading, self.may_load = asyncio.Event(), asyncio.Event()
        self.broken: Exception | None = None
        lane = SimpleNamespace(ledger=Ledger("events-0", 0, None), end=0, owned=None, settle=list)
        for name in ("close", "sweep_soon", "tidy_soon"):
            setattr(lane, name, lambda: None)
        monkeypatch.setattr(consumer, "lane_for", lambda *_: lane)
        monkeypatch.setattr(self.consumer._thread, "call_thread", self.answer)
        monkeypatch.setattr(self.consumer, "assignment", lambda: {MINE})
        monkeypatch.setattr(self.consumer, "drop_lanes", self.drop_lanes)
        monkeypatch.setattr(self.consumer, "_on_partitions_revoked", self.faust_s)
        monkeypatch.setattr(app, "load_outputs", self.load_outputs)
        progress = SimpleNamespace(forget=lambda: None)
        app.tables._recovery = SimpleNamespace(  # type: ignore[assignment]
            give_back=self.give_back, standbys=(), progress=progress
        )

    async def answer(self, fun: Any, *_: Any) -> Any:
        return {MINE: None} if fun == self.consumer._thread.starts else None

    async def load_outputs(self) -> None:
        self.loading.set()
        await self.may_load.wait()

    async def give_back(self) -> None:
        self.order.append("recovery is over")
        if self.broken is not None:
            raise self.broken

    def drop_lanes(self) -> None:
        self.order.append("lanes dropped")
        self.consumer.lanes = {}

    async def faust_s(self, _revoked: set[TP]) -> None:
        self.order.append("Faust's")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(tmp_path, monkeypatch)
    yield made
    made.consumer._thread.thread_loop.close()


async def test_a_start_that_goes_on_after_its_partitions_went_changes_nothing(scene: Scene) -> None:
    starting = asyncio.ensure_future(scene.consumer.perform_seek())
    await scene.loading.wait()
    await scene.consumer.on_partitions_revoked({MINE})
    assert scene.order == ["lanes dropped", "recovery is over", "lanes dropped", "Faust's"]
    scene.may_load.set()
    await starting
    assert scene.consumer.lanes == {}
    assert not scene.consumer.runtime.guarding
    await scene.consumer.perform_seek()
    assert list(scene.consumer.lanes) == [MINE], "the next assignment starts"


async def test_what_fails_while_partitions_are_given_back_is_the_end(scene: Scene, ends: list[int]) -> None:
    scene.broken = KeyError("x")
    with pytest.raises(EndedError):
        await scene.consumer.on_partitions_revoked({MINE})
    assert ends == [Exit.REVOKE]
    assert "Faust's" not in scene.order
