"""A kill of the card counts only while events were still to come, and of ours it comes by what has become durable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.kernel import card
from bench.kernel.card import Kills
from bench.peers import BY_NAME

EVENTS = 100


class Fake:
    """A worker whose every life makes ``a_life`` more events durable at once, in units of one partition; and its cluster."""

    peer = BY_NAME["ours"]
    app, topic = "app", "topic"

    def __init__(self, folder: Path, a_life: int, dies_in: int = 0) -> None:
        self.folder, self._a_life, self._dies_in = folder, a_life, dies_in
        self.done, self.lives, self._ended = 0, 0, False

    def start(self, settings: Mapping[str, str], command: list[str] | None) -> None:
        assert command is not None
        assert command[-1] == card.WATCHED
        self.lives += 1
        self._ended = self.lives == self._dies_in
        first, self.done = self.done, min(EVENTS, self.done + self._a_life)
        flying = f"+ 0 {self.done} {self.done + 5}\n" if self.done < EVENTS else ""
        Path(settings["W_JOURNAL"]).write_text(f"+ 0 {first} {self.done}\n- 0 {first} {self.done}\n{flying}")

    async def first_event(self) -> tuple[float, float]:
        return 0.0, 0.0

    def ended(self) -> int | None:
        return 70 if self._ended else None

    def kill(self) -> None:
        self._ended = True

    async def committed(self, *_: str) -> dict[int, int]:
        """Offsets are behind: nothing is said to be done."""
        return {}


async def kills_of(fake: Fake, monkeypatch: pytest.MonkeyPatch, wanted: int) -> dict[str, Any]:
    async def finish(_: Kills) -> bool:
        return True

    async def verdict(_: Kills, kills: int, finished: bool) -> dict[str, Any]:
        return {"kills": kills, "finished": finished}

    monkeypatch.setattr(Kills, "_finish", finish)
    monkeypatch.setattr(Kills, "_verdict", verdict)
    monkeypatch.setattr(card, "SETTLE_S", 0.0)
    monkeypatch.setattr(card, "LIFE_TIMEOUT_S", 0.0)
    bench: Any = SimpleNamespace(
        plan=SimpleNamespace(kills=wanted),
        cluster=fake,
        environments=SimpleNamespace(command=lambda *_: ["python", "-m", "bench.kernel.ours"]),
    )
    worker: Any = fake
    return await Kills(bench, worker, EVENTS).run()


async def test_kills_land_while_events_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(tmp_path / "state", a_life=10)
    assert await kills_of(fake, monkeypatch, wanted=5) == {"kills": 5, "finished": True}
    assert fake.lives == 5


async def test_a_kill_after_the_last_event_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await kills_of(Fake(tmp_path / "state", a_life=40), monkeypatch, wanted=10)
    assert found["kills"] == 2  # at 40 and 80; at 100 nothing flowed any more


async def test_a_life_that_ends_by_itself_was_not_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(tmp_path / "state", a_life=10, dies_in=2)
    assert (await kills_of(fake, monkeypatch, wanted=4))["kills"] == 4
    assert fake.lives == 5
