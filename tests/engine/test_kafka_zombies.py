"""On real Kafka: paused workers that wake, foreign writers, workers that come and go."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from streamer.engine.exits import Exit
from streamer.engine.partition_row import origin
from tests.engine import cluster, oracle
from tests.engine.workshop import Workshop

SLOW: dict[str, Any] = {"slow_ms": 40, "commit": 0.2, "poll": 100, "session": 6.0, "unit_target": 20_000}


async def test_a_worker_that_slept_beyond_its_session_ends_and_nothing_is_wrong(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(1, 16_000))
    second = {"folder": str(workshop.folder / "w1"), "instance": f"{workshop.name}-1"}
    sleeper, other = workshop.spawn(**SLOW), workshop.spawn(**SLOW, **second)
    await workshop.until_applied(1_500, sleeper)
    os.kill(sleeper.pid, signal.SIGSTOP)
    before = await workshop.lag()
    await workshop.until_drained(other)  # needs the sleeper's partitions, too
    assert before > 0
    os.kill(sleeper.pid, signal.SIGCONT)
    assert await workshop.wait(sleeper) in (Exit.PAUSE, Exit.FOREIGN)
    assert await workshop.stop(other) == 0
    await workshop.publish(oracle.events(2, 1_000))
    assert await workshop.finish() == {}


async def test_workers_come_and_go_without_a_kill(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(3, 16_000))
    first = workshop.spawn(instance="", **SLOW)
    await workshop.until_applied(1_000, first)
    second = workshop.spawn(instance="", folder=str(workshop.folder / "w1"), **SLOW)
    await workshop.until_applied(6_000, second)
    assert await workshop.stop(first) == 0
    await workshop.until_applied(10_000, second)
    assert await workshop.stop(second) == 0
    assert await workshop.finish() == {}


async def zombie_write(workshop: Workshop, topic: str, partition: int, key: bytes, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=workshop.bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key, partition=partition)
    finally:
        await producer.stop()


@pytest.mark.parametrize("where", ["changelog", "standing"])
async def test_a_foreign_write_is_noticed_while_idle_and_repaired_by_the_next_start(
    workshop: Workshop, where: str
) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(4, 3_000))
    process = workshop.spawn()
    await workshop.until_drained(process)
    topic = workshop.changelog if where == "changelog" else workshop.config.standing
    log = await cluster.read(workshop.bootstrap, topic, workshop.partitions)
    victim = next(r for r in log[0] if r.key is not None and r.key[:1] in b"ha")
    assert victim.key is not None
    stale = origin(1, victim.offset) + b"\x96\x01\x01\x00\x00\x00\x00" if where == "changelog" else b'{"stale":1}'
    await zombie_write(workshop, topic, 0, victim.key, stale)
    assert await workshop.wait(process) == Exit.FOREIGN
    assert await workshop.finish() == {}


async def test_a_write_between_recovery_and_the_first_commit_is_void(workshop: Workshop) -> None:
    """A paused worker's whole unit, with its partition row, lands just before the new owner's first: it must not count."""
    await workshop.create()
    await workshop.publish(oracle.events(5, 3_000))
    assert await workshop.finish() == {}
    ends = await cluster.end_offsets(workshop.bootstrap, workshop.changelog, workshop.partitions)
    stale = origin(10**6, ends[0] - 5)  # what the sleeper knew of the log, and far ahead in the source
    await zombie_write(workshop, workshop.changelog, 0, b"\x00", stale + b"\x95\xce\x00\x0f\x42\x3f\x01\x01\x80\x90")
    await workshop.publish(oracle.events(6, 500))
    assert await workshop.finish() == {}


async def test_a_worker_that_ends_while_another_joins_leaves_nothing_behind(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(7, 10_000))
    first = workshop.spawn(instance="", **SLOW)
    await workshop.until_applied(500, first)
    second = workshop.spawn(instance="", folder=str(workshop.folder / "w1"), **SLOW)

    async def joining() -> bool:
        return (workshop.folder / "w1" / "http.port").exists()  # written just before it joins the group

    await workshop.until(joining, "the second one on its way into the group", second)
    first.kill()
    await workshop.wait(first)
    await workshop.until_drained(second)
    assert await workshop.stop(second) == 0
    assert await workshop.finish() == {}
