"""Compacted outputs after a recovery: what is found past the known position is stated again, some keys at a time. No Kafka."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from aiokafka.structs import TopicPartition

from streamer.engine import outputs
from streamer.engine.fetch import Fetched
from streamer.engine.metrics import Metrics
from streamer.engine.partition import OwnedPartition
from streamer.engine.producer import Appender
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.store import Store
from streamer.engine.unit import Message

TP = TopicPartition("standing", 0)


class Rec(NamedTuple):
    key: bytes | None
    value: bytes = b"old"


class Turning:
    """Rows that are read from nowhere; counts how often the cache may age."""

    turns = 0

    def turn(self) -> None:
        self.turns += 1


class Steps:
    """In place of the commit's: appends as they come."""

    def __init__(self) -> None:
        self.batches: list[list[bytes | None]] = []

    async def append(self, _topic: str, _partition: int, part: list[Message], expected: int) -> int:
        self.batches.append([m.key for m in part])
        return expected + len(part)


async def test_keys_past_the_known_position_are_stated_again_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = [Rec(b"k%02d" % (n % 12)) for n in range(24)] + [Rec(None)]
    position = 0

    async def bounds(_tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {TP: 0}

    async def ends(_tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {TP: len(log)}

    def seek(_tp: TopicPartition, to: int) -> None:
        nonlocal position
        position = to

    async def fetch(_consumer: Any, _tps: Any, _timeout_s: float, most: int) -> dict[TopicPartition, Fetched]:
        nonlocal position
        first, position = position, min(len(log), position + min(most, 3))
        return {TP: Fetched(log[first:position], first, position, len(log))}

    monkeypatch.setattr(outputs, "fetch", fetch)
    monkeypatch.setattr(outputs, "KEYS_AT_ONCE", 5)
    runtime = Runtime(EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path), Metrics())
    steps = Steps()
    runtime.steps, runtime.appender = steps, Appender(None)  # type: ignore[assignment,arg-type]
    rows = Turning()
    owned = OwnedPartition(0, Store(tmp_path).partition(0, 0), rows, 0)  # type: ignore[arg-type]
    owned.row.outputs["standing"] = 2
    table: Any = SimpleNamespace(restate={"standing": lambda _rows, key: None if key == b"k05" else (b"now", ())})
    consumer = SimpleNamespace(assign=lambda _tps: None, seek=seek, beginning_offsets=bounds, end_offsets=ends)
    app = SimpleNamespace(runtime=runtime, now_ms=lambda: 1)
    await outputs.repair_outputs(app, consumer, table, owned)
    stated = [key for batch in steps.batches for key in batch]
    assert set(stated) == {b"k%02d" % n for n in range(12)} - {b"k05"}
    assert max(len(batch) for batch in steps.batches) < 5 + 3
    assert rows.turns >= len(stated)
    assert owned.outputs["standing"] == len(log) + len(stated)
