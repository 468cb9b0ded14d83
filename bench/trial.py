"""One rate of the latency part: events sent on time, alerts read as they come, and whether both were as they had to be. Not for:
the chain (``latency``).

A trial whose events did not go out on time, or whose alerts are not exactly those that the records call for, has no figures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import ceil
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streamer.bench.stage import Stage
from streamer.bench.workload import Sent, Workload
from streamer.domain.replay import Replay
from streamer.rulebook import open_domains
from topics import catalog

#: As Kafka's own producer has it by default, since 4.0.
LINGER_MS: Final = 5
WARM_UP_S: Final = 3.0
TURN_S: Final = 0.005  # events are sent in turns of so long
DRAIN_TIMEOUT_S: Final = 60.0
QUIET_S: Final = 2.0
RATE_LEAST: Final = 0.95  # of the intended one
PERCENTILES: Final = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}


class Seen(NamedTuple):
    """An alert message as the subscriber first had it: the event that caused it, and when."""

    event: str
    at: float


class Told(NamedTuple):
    """What a trial saw. ``intended``, ``achieved``: events/s; ``acknowledged``: event id → when; ``read``: id of an alert
    message → Seen; ``copies``: messages that came again; ``start``: events acknowledged before do not count."""

    intended: float
    achieved: float
    acknowledged: Mapping[str, float]
    read: Mapping[str, Seen]
    copies: int
    start: float


class Trial:
    """``sent`` events once it has run."""

    def __init__(self, stage: Stage, rate: float, *, seed: int) -> None:
        self._stage, self._rate, self._seed = stage, rate, seed
        self._acknowledged: dict[str, float] = {}
        self._read: dict[str, Seen] = {}
        self._copies = 0
        self.sent = 0

    async def run(self, seconds: float) -> Told:
        count = int(self._rate * (seconds + WARM_UP_S))
        workload = Workload(max(1_000, count // 10), self._seed)
        events = [(sent, str(orjson.loads(sent.value)["id"])) for sent in workload.events(count)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._stage.bootstrap, group_id=None, enable_auto_commit=False, fetch_max_wait_ms=500
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=self._stage.bootstrap, acks="all", enable_idempotence=True, linger_ms=LINGER_MS
        )
        await consumer.start()
        await producer.start()
        reading: asyncio.Task[None] | None = None
        try:
            await self._at_the_end(consumer)
            reading = asyncio.create_task(self._subscribe(consumer))
            took_s = await self._publish(producer, events)
            await self._quiet(reading)
        finally:
            if reading is not None:
                reading.cancel()
            await producer.stop()
            await consumer.stop()
        start = min(self._acknowledged.values()) + WARM_UP_S
        return Told(self._rate, count / took_s, self._acknowledged, self._read, self._copies, start)

    async def _at_the_end(self, consumer: AIOKafkaConsumer) -> None:
        topics = [catalog.ALERTS.topic(domain) for domain in open_domains()]
        ends = await self._stage.ends(topics)
        tps = [TopicPartition(topic, p) for topic in topics for p in await _partitions(consumer, topic)]
        consumer.assign(tps)
        for tp in tps:
            consumer.seek(tp, ends.get(tp, 0))

    async def _publish(self, producer: AIOKafkaProducer, events: Sequence[tuple[Sent, str]]) -> float:
        """Seconds from the first to the last acknowledgement."""
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
        return time.perf_counter() - begin

    def _acknowledge(self, name: str, _: Any) -> None:
        self._acknowledged.setdefault(name, time.perf_counter())

    async def _subscribe(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=1000)
            now = time.perf_counter()
            for records in fetched.values():
                for record in records:
                    alert = orjson.loads(record.value)
                    self._copies += alert["id"] in self._read
                    self._read.setdefault(alert["id"], Seen(alert["data"]["cause"]["event_id"], now))

    async def _quiet(self, reading: asyncio.Task[None]) -> None:
        """Until no alert has come for a while."""
        count, deadline = -1, time.monotonic() + DRAIN_TIMEOUT_S
        while count != len(self._read) and time.monotonic() < deadline and not reading.done():
            count = len(self._read)
            await asyncio.sleep(QUIET_S)
        if reading.done():
            reading.result()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> Iterable[int]:
    await consumer._client._wait_on_metadata(topic)
    return sorted(consumer.partitions_for_topic(topic) or ())


def due(replay: Replay) -> dict[str, str]:
    """Id of each alert message that the records call for → the event that caused it."""
    found = {}
    for _, _, body in replay.effects.alerts:
        alert = orjson.loads(body)
        found[alert["id"]] = alert["data"]["cause"]["event_id"]
    return found


def judged(told: Told, due: Mapping[str, str]) -> dict[str, Any]:
    """The figures with what they rest on; ``failed`` when they must not count. Pure."""
    missing = sum(event in told.acknowledged and name not in told.read for name, event in due.items())
    extra = sum(name not in due for name in told.read) + told.copies
    spans = sorted(
        (seen.at - at) * 1000
        for seen in told.read.values()
        if (at := told.acknowledged.get(seen.event)) is not None and at >= told.start
    )
    found: dict[str, Any] = {
        "intended": round(told.intended, 1), "rate": round(told.achieved, 1), "alerts": len(spans),
        "missing": missing, "extra": extra, **{name: percentile(spans, share) for name, share in PERCENTILES.items()},
    }  # fmt: skip
    reasons = []
    if told.achieved < RATE_LEAST * told.intended:
        reasons.append(f"only {told.achieved:,.0f} events/s went out, of {told.intended:,.0f}")
    if missing or extra:
        reasons.append(f"{missing:,} alerts are missing, {extra:,} are not due or came twice")
    if not spans:
        reasons.append("no alert was due")
    return {**found, "failed": "; ".join(reasons)} if reasons else found


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that ``share`` of all do not exceed; None of nothing."""
    if not ordered:
        return None
    return round(ordered[max(0, ceil(len(ordered) * share) - 1)], 2)
