"""What a consumer shows of its partitions, and that it shows nothing of those that are gone. No Kafka."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streamer.engine.consumer import SliceConsumer
from streamer.engine.lane import Lane
from streamer.engine.ledger import Ledger
from streamer.engine.metrics import Metrics
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings

TPS = [TP("source", 0), TP("source", 1)]


class Thread:
    """In place of the consumer's: every log ends at 20; ``meanwhile`` happens before the answer."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Any] = lambda: None

    async def call_thread(self, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        self.meanwhile()
        return await call(*args)

    async def ends(self, tps: list[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, 20)


def consumer(tmp_path: Path) -> tuple[Any, Metrics]:
    metrics = Metrics()
    runtime = Runtime(EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path), metrics)
    made: Any = SliceConsumer.__new__(SliceConsumer)
    made.app = SimpleNamespace(own_positions=dict)
    made.runtime, made._thread = runtime, Thread()
    made.lanes = {tp: Lane(runtime, *tp, Ledger("source", 3, None)) for tp in TPS}
    return made, metrics


def shown(metrics: Metrics) -> set[tuple[str, str | None]]:
    return {
        (sample.name, sample.labels.get("partition"))
        for family in metrics.registry.collect()
        for sample in family.samples
        if "partition" in sample.labels
    }


async def test_gauges_of_partitions_that_are_gone_are_gone(tmp_path: Path) -> None:
    made, metrics = consumer(tmp_path)
    await made._poll_positions()
    assert shown(metrics) == {(n, p) for n in ("streamer_position", "streamer_lag_records") for p in ("0", "1")}
    assert metrics.registry.get_sample_value("streamer_lag_records", {"topic": "source", "partition": "1"}) == 17
    made.drop_lanes()
    assert shown(metrics) == set()


async def test_a_look_that_was_under_way_does_not_bring_them_back(tmp_path: Path) -> None:
    made, metrics = consumer(tmp_path)
    made._thread.meanwhile = made.drop_lanes
    await made._poll_positions()
    assert shown(metrics) == set()
