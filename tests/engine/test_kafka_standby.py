"""On real Kafka: a standby is promoted without reading its partitions again, and what it has is exact."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.engine import cluster, oracle
from tests.engine.workshop import Workshop

KILLED = -9
TWO: dict[str, Any] = {"standbys": 1, "session": 6.0, "commit": 0.2, "poll": 200, "unit_target": 20_000, "slow_ms": 2}


async def until_caught_up(workshop: Workshop, worker: str, process: subprocess.Popen[bytes]) -> None:
    """It has standbys, and they have what the changelog had when this was asked (perhaps from when it owned them)."""
    ends = sum(await cluster.end_offsets(workshop.bootstrap, workshop.changelog, workshop.partitions))

    async def caught_up() -> bool:
        lags = workshop.samples("streamer_standby_lag_records", worker)
        return bool(lags) and not any(lags or ())

    await workshop.until(caught_up, f"standbys of {worker} at the end of {ends}", process)


@pytest.mark.parametrize("static", [True, False])
async def test_a_standby_is_promoted_by_reading_the_rest_alone(workshop: Workshop, static: bool) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(1, 10_000))
    names = [f"{workshop.name}-{n}" if static else "" for n in (0, 1)]
    zero = {**TWO, "instance": names[0]}
    one = {**TWO, "instance": names[1], "folder": str(workshop.folder / "w1")}
    first, second = workshop.spawn(**zero), workshop.spawn(**one)
    await workshop.until_drained(second)
    await until_caught_up(workshop, "w0", first)
    await until_caught_up(workshop, "w1", second)
    before = workshop.metric("streamer_recovered_records_total", "w1") or 0
    await workshop.publish(oracle.events(2, 1_000))
    first.kill()
    assert await workshop.wait(first) == KILLED
    await workshop.until_drained(second)
    everything = sum(await cluster.end_offsets(workshop.bootstrap, workshop.changelog, workshop.partitions))
    promoted = (workshop.metric("streamer_recovered_records_total", "w1") or 0) - before
    assert promoted < everything / 8, f"{promoted} of {everything}: half of it is the killed one's"

    first = workshop.spawn(**zero)  # what it owned is a standby now, or its own again
    await until_caught_up(workshop, "w0", first)
    second.kill()
    assert await workshop.wait(second) == KILLED
    await workshop.publish(oracle.events(3, 500))
    await workshop.until_drained(first)
    assert await workshop.stop(first) == 0
    assert await workshop.finish(instance=names[0]) == {}


async def test_a_worker_with_standbys_alone_is_ready_and_lives(workshop: Workshop) -> None:
    workshop.partitions = workshop.config.partitions = 1
    await workshop.create()
    await workshop.publish(oracle.events(4, 2_000))
    first = workshop.spawn(standbys=1, instance="")
    await workshop.until_drained(first)
    second = workshop.spawn(standbys=1, instance="", folder=str(workshop.folder / "w1"))

    async def one_stands_by() -> bool:
        return any(workshop.metric("streamer_standby_records_total", w) for w in ("w0", "w1"))

    await workshop.until(one_stands_by, "one of them stands by", second)

    async def ready() -> bool:
        return all(workshop.metric("streamer_ready", w) == 1 for w in ("w0", "w1"))

    await workshop.until(ready, "both are ready", second)
    assert sorted(workshop.metric("streamer_assigned_partitions", w) or 0 for w in ("w0", "w1")) == [0, 1]
    assert await workshop.stop(second) == 0
    assert await workshop.stop(first) == 0
    assert await workshop.differences(("w0", "w1")) == {}, "a clean stop leaves the standby's rows in its store"
