"""On real Kafka: whatever dies when, the outcome is that of one event at a time. Judged by tests.engine.oracle."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from tests.engine import oracle
from tests.engine.workshop import Workshop

SLOW: dict[str, Any] = {"slow_ms": 15, "commit": 0.2, "poll": 100}
KILLED = -9


async def test_everything_is_applied_once_and_a_clean_stop_leaves_nothing_open(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(1, 8_000))
    assert await workshop.finish() == {}
    assert await workshop.lag() == 0


@pytest.mark.parametrize(
    "failpoint", ["after_outputs", "in_changelog", "after_changelog", "after_rocksdb", "before_offset_commit"]
)
async def test_killed_inside_a_commit(workshop: Workshop, failpoint: str) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(2, 6_000))
    for count in (1, 3):
        process = workshop.spawn(f"{failpoint}:{count}", unit_target=20_000, **SLOW)
        assert await workshop.wait(process) == KILLED, workshop.tail()
    assert await workshop.finish(cache=200_000) == {}


async def test_killed_at_any_moment_with_the_state_folder_lost_and_inside_recovery(workshop: Workshop) -> None:
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    draw = random.Random(seed)
    await workshop.create()
    await workshop.publish(oracle.events(seed, 12_000))
    applied = 0
    for unit_target in (3_000, 1 << 20, 30_000):
        process = workshop.spawn(unit_target=unit_target, cache=draw.choice([30_000, 64 << 20]), **SLOW)
        applied += draw.randrange(500, 2_500)
        await workshop.until_applied(applied, process)
        process.kill()
        assert await workshop.wait(process) == KILLED, workshop.tail()
    workshop.wipe()
    process = workshop.spawn("in_recovery:1", **SLOW)
    assert await workshop.wait(process) == KILLED
    assert await workshop.finish(cache=200_000) == {}


async def test_a_kill_after_the_changelog_is_met_again_as_redelivery(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(3, 3_000))
    assert await workshop.wait(workshop.spawn("after_rocksdb:120", unit_target=3_000, **SLOW)) == KILLED
    process = workshop.spawn()
    await workshop.until_drained(process)
    assert (workshop.metric("streamer_redelivered_records_total") or 0) > 0
    assert await workshop.stop(process) == 0
    assert await workshop.differences() == {}
