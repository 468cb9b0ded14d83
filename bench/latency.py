"""From publish acknowledged to alert readable, at shares of the sustained rate of the whole chain. Not for: the rate itself.

Intake, dossier and sink on one core; servers, publisher and a subscriber that reads the alerts topics on the others. An event
counts if it raised or lifted an alert; the first seconds do not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import partial
from math import ceil
from statistics import median
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.chain import ROLES, Runner, kept, staged
from bench.context import Bench
from bench.store import Run, of
from streamer.agents.sink import sink_topics
from streamer.bench.stage import Environment, Stage
from streamer.bench.workload import SOURCES, Sent, Workload
from streamer.rulebook import open_domains, sources
from topics import catalog

WARM_UP_S: Final = 3.0
TURN_S: Final = 0.005  # events are sent in turns of so long
DRAIN_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.05
SEED: Final = 77
PERCENTILES: Final = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}


async def latency(bench: Bench) -> None:
    """Each share after the other, on a chain that keeps running."""
    plan = bench.plan
    shares = [share for share in plan.latency_shares if not bench.store.has("latency", "chain", round(share * 100), 1)]
    if not shares:
        return
    async with staged(bench) as (stage, runner):
        rate = await sustained(bench, stage, runner)
        at = await stage.fresh(keep_events=False)
        processes = [runner._start(role, at) for role in reversed(ROLES)]
        try:
            for process in processes:
                await process.ready(at.state_dir(process.name))
            for share in shares:
                before = sum(process.usage().cpu_s for process in processes)
                trial = Trial(stage, share * rate, seed=SEED + round(share * 100))
                found = await trial.run(plan.latency_s)
                await _drained(stage, at, [process.require_alive for process in processes])
                cpu_s = sum(process.usage().cpu_s for process in processes) - before
                peak_mb = sum(process.usage().peak_mb for process in processes)
                run = Run(
                    "latency", "chain", round(share * 100), 1, trial.sent, plan.latency_s + WARM_UP_S, cpu_s, peak_mb
                )
                bench.keep(run._replace(extra={"rate": round(share * rate), **found}))
        finally:
            for process in processes:
                await process.stop()


async def sustained(bench: Bench, stage: Stage, runner: Runner) -> float:
    """Events a second of the whole chain: measured in this run, or now."""
    events = bench.plan.chain_events
    runs = of(bench.store.runs, "chain", "chain", events)
    if not runs:
        await runner.publish(events)
        run = kept("latency", events, 1, await runner.chain())._replace(name="sustained")
        bench.keep(run)
        runs = [run]
        await stage.fresh(keep_events=False)
    return median(run.rate for run in runs)


async def _drained(stage: Stage, at: Environment, alive: Sequence[Any]) -> None:
    """Everything that was sent has gone through all roles."""

    def all_alive() -> None:
        for check in alive:
            check()

    inbound = [catalog.EVENTS.topic(source) for source in SOURCES]
    own = sink_topics([source.id for source in sources()], open_domains())
    for role, topics in zip(ROLES, (inbound, [catalog.RECORDS], own), strict=True):
        ends = await stage.ends(topics)
        await stage.until_committed(at.group(role), ends, all_alive)


class Trial:
    """One rate."""

    def __init__(self, stage: Stage, rate: float, *, seed: int) -> None:
        self._stage, self._rate, self._seed = stage, rate, seed
        self._acknowledged: dict[str, float] = {}
        self._read: dict[str, float] = {}  # event id → its last alert
        self.sent = 0

    async def run(self, seconds: float) -> dict[str, Any]:
        count = int(self._rate * (seconds + WARM_UP_S))
        workload = Workload(max(1_000, count // 10), self._seed)
        events = [(sent, orjson.loads(sent.value)["id"]) for sent in workload.events(count)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._stage.bootstrap, group_id=None, enable_auto_commit=False, fetch_max_wait_ms=500
        )
        producer = AIOKafkaProducer(bootstrap_servers=self._stage.bootstrap, acks="all", enable_idempotence=True)
        await consumer.start()
        await producer.start()
        reading: asyncio.Task[None] | None = None
        try:
            topics = [catalog.ALERTS.topic(domain) for domain in open_domains()]
            ends = await self._stage.ends(topics)
            tps = [TopicPartition(topic, p) for topic in topics for p in await self._partitions(consumer, topic)]
            consumer.assign(tps)
            for tp in tps:
                consumer.seek(tp, ends.get(tp, 0))
            reading = asyncio.create_task(self._subscribe(consumer))
            await self._publish(producer, events)
            await self._quiet(reading)
        finally:
            if reading is not None:
                reading.cancel()
            await producer.stop()
            await consumer.stop()
        return self._found(min(self._acknowledged.values()) + WARM_UP_S)

    async def _publish(self, producer: AIOKafkaProducer, events: Sequence[tuple[Sent, str]]) -> None:
        begin, due = time.perf_counter(), 0
        waiting: list[Any] = []
        while due < len(events):
            now = min(len(events), int((time.perf_counter() - begin) * self._rate))
            for sent, name in events[due:now]:
                future = await producer.send(catalog.EVENTS.topic(sent.source), sent.value, key=sent.key)
                if name not in self._acknowledged:  # a copy changes nothing
                    future.add_done_callback(partial(self._acknowledge, name))
                waiting.append(future)
            due = now
            await asyncio.sleep(TURN_S)
        await asyncio.gather(*waiting)
        self.sent = len(events)

    def _acknowledge(self, name: str, _: Any) -> None:
        self._acknowledged.setdefault(name, time.perf_counter())

    async def _subscribe(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=1000)
            now = time.perf_counter()
            for records in fetched.values():
                for record in records:
                    cause = orjson.loads(record.value)["data"]["cause"]
                    self._read[cause["event_id"]] = now

    async def _quiet(self, reading: asyncio.Task[None]) -> None:
        """Until no alert has come for a while."""
        count, deadline = -1, time.monotonic() + DRAIN_TIMEOUT_S
        while count != len(self._read) and time.monotonic() < deadline and not reading.done():
            count = len(self._read)
            await asyncio.sleep(2.0)
        if reading.done():
            reading.result()

    @staticmethod
    async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> Iterable[int]:
        await consumer._client._wait_on_metadata(topic)
        return sorted(consumer.partitions_for_topic(topic) or ())

    def _found(self, start: float) -> dict[str, Any]:
        spans = sorted(
            (read - self._acknowledged[name]) * 1000
            for name, read in self._read.items()
            if name in self._acknowledged and self._acknowledged[name] >= start
        )
        return {"alerts": len(spans), **{name: percentile(spans, share) for name, share in PERCENTILES.items()}}


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that ``share`` of all do not exceed; None of nothing."""
    if not ordered:
        return None
    return round(ordered[max(0, ceil(len(ordered) * share) - 1)], 2)
