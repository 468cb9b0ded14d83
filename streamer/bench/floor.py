"""The floor: a plain loop with a consumer, a state a key in RocksDB, a changelog and alerts. What it costs to do the least.

Not for: anything that must not be lost or counted twice: killed between two writes, it repeats or forgets. It checks no schema,
no identifier and no rule; state ``{"f": {fact: fine}, "a": 0|1}``, an alert at the third fact from two sources. What was
fetched is flushed (changelog, alerts, RocksDB) before the next fetch; offsets are committed once a second.

Settings from FLOOR_BOOTSTRAP, FLOOR_TOPIC, FLOOR_DIR, FLOOR_APP; started by ``streamer.bench.launch``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from rocksdict import Options, Rdict, WriteBatch

COMMIT_S: Final = 1.0
FETCH_WAIT_MS: Final = 200
FETCH_RECORDS: Final = 2000
EMPTY: Final = b'{"f":{},"a":0}'
ALERT_FACTS: Final = 3
ALERT_SOURCES: Final = 2

Rows = list[tuple[bytes, bytes]]


def changelog(app: str) -> str:
    return f"{app}-changelog"


def alerts(app: str) -> str:
    return f"{app}-alerts"


def apply(state: dict[str, Any], event: dict[str, Any]) -> tuple[bool, dict[str, Any] | None]:
    """(changed, alert). An event of the same source and id is dropped."""
    source = event["source"].rpartition(":")[2]
    fact, facts = f"{source}|{event['id']}", state["f"]
    if fact in facts:
        return False, None
    facts[fact] = sum(o.get("amount_fen", 0) for o in event["data"].get("outcomes", ()))
    if (
        not state["a"]
        and len(facts) >= ALERT_FACTS
        and len({known.partition("|")[0] for known in facts}) >= ALERT_SOURCES
    ):
        state["a"] = 1
        return True, {"id": f"alert-{fact}", "time": event["time"], "facts": list(facts)}
    return True, None


class Floor:
    """States of all partitions, what changed since the last flush, and what is to be committed."""

    def __init__(self, producer: AIOKafkaProducer, app: str, folder: Path) -> None:
        self._producer, self._app, self._folder = producer, app, folder
        self._stores: dict[int, Rdict] = {}
        self._caches: dict[int, dict[bytes, list[Any]]] = {}
        self._alerts: dict[int, Rows] = {}
        self.ends: dict[TopicPartition, int] = {}

    def step(self, tp: TopicPartition, records: list[ConsumerRecord]) -> None:
        store = self._stores.get(tp.partition)
        if store is None:
            options = Options(raw_mode=True)
            options.create_if_missing(True)
            store = self._stores[tp.partition] = Rdict(str(self._folder / f"p{tp.partition}"), options)
        cache = self._caches.setdefault(tp.partition, {})
        out = self._alerts.setdefault(tp.partition, [])
        for record in records:
            key = record.key
            event = orjson.loads(record.value)
            entry = cache.get(key)
            if entry is None:
                entry = cache[key] = [orjson.loads(store.get(key) or EMPTY), False]
            changed, alert = apply(entry[0], event)
            if changed:
                entry[1] = True
                if alert:
                    out.append((key, orjson.dumps(alert)))
        self.ends[tp] = records[-1].offset + 1

    async def flush(self) -> None:
        sent, writes = [], []
        for partition, cache in self._caches.items():
            rows = [(key, orjson.dumps(entry[0])) for key, entry in cache.items() if entry[1]]
            sent += await self._send(changelog(self._app), partition, rows)
            sent += await self._send(alerts(self._app), partition, self._alerts[partition])
            batch = WriteBatch(raw_mode=True)
            for key, value in rows:
                batch.put(key, value)
            writes.append((self._stores[partition], batch))
        for future in sent:
            await future
        for store, batch in writes:
            store.write(batch)
        self._caches.clear()
        self._alerts.clear()

    async def _send(self, topic: str, partition: int, rows: Iterable[tuple[bytes, bytes]]) -> list[Any]:
        """As few record batches as fit."""
        sent, batch = [], self._producer.create_batch()
        for key, value in rows:
            if batch.append(key=key, value=value, timestamp=None) is None:
                batch.close()
                sent.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        if batch.record_count():
            batch.close()
            sent.append(await self._producer.send_batch(batch, topic, partition=partition))
        return sent


async def main(begin: Callable[[], None]) -> None:
    """Run until killed. ``begin`` is called at the first event."""
    bootstrap, topic, app = os.environ["FLOOR_BOOTSTRAP"], os.environ["FLOOR_TOPIC"], os.environ["FLOOR_APP"]
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=app, enable_auto_commit=False, auto_offset_reset="earliest",
        session_timeout_ms=6000, heartbeat_interval_ms=1500, max_partition_fetch_bytes=1 << 20,
    )  # fmt: skip
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=1 << 19
    )
    await consumer.start()
    await producer.start()
    floor = Floor(producer, app, Path(os.environ["FLOOR_DIR"]))
    first, last = True, time.monotonic()
    while True:
        fetched = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=FETCH_RECORDS)
        if fetched and first:
            begin()
            first = False
        for tp, records in fetched.items():
            floor.step(tp, records)
        if fetched:
            await floor.flush()
        if floor.ends and time.monotonic() - last >= COMMIT_S:
            await consumer.commit(dict(floor.ends))
            floor.ends.clear()
            last = time.monotonic()
