"""The floor: aiokafka, orjson and RocksDB in a plain loop. Not for: anything that must not be lost or counted twice.

Flushes (changelog, alerts, RocksDB) after every fetch; with W_CKPT=1 once a commit interval, with a dict in between, which
is what Quix and Bytewax do. Offsets go to the broker once a commit interval. As fast as public interfaces allow: uvloop, rows
in the order of their keys, filters for keys that are new.
"""

from __future__ import annotations

import os
import time
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rocksdict import Rdict, WriteBatch

from bench.kernel.core import (
    ALERTS,
    APP,
    BOOT,
    CHANGELOG,
    COMMIT_S,
    HEARTBEAT_MS,
    SESSION_MS,
    STATE0,
    TOPIC,
    apply,
    dumps,
    loads,
)
from bench.kernel.plain import open_store

FETCH_RECORDS = 20_000  # all that is there: at most 1 MiB a partition
CHECKPOINTS = bool(os.environ.get("W_CKPT"))
Row = tuple[bytes, bytes]


async def send(producer: AIOKafkaProducer, topic: str, partition: int, rows: list[Row]) -> list[Any]:
    """As few record batches as fit; their delivery futures."""
    sent, batch = [], producer.create_batch()
    for key, value in rows:
        if batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    if batch.record_count():
        batch.close()
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    return sent


class Floor:
    """States read or changed since the last flush, by partition."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._stores: dict[int, Rdict] = {}
        self._alerts: dict[int, list[Row]] = {}
        self.caches: dict[int, dict[bytes, list[Any]]] = {}
        self.ends: dict[TopicPartition, int] = {}

    def step(self, partition: int, records: list[Any]) -> None:
        store = self._stores.get(partition) or self._stores.setdefault(partition, open_store(partition))
        cache, out = self.caches.setdefault(partition, {}), self._alerts.setdefault(partition, [])
        for record in records:
            key = record.key
            event = loads(record.value)
            entry = cache.get(key)
            if entry is None:
                entry = cache[key] = [loads(store.get(key) or STATE0), False]
            changed, alert = apply(entry[0], event)
            if changed:
                entry[1] = True
                if alert:
                    out.append((key, dumps(alert)))
        self.ends[TopicPartition(TOPIC, partition)] = records[-1].offset + 1

    async def flush(self) -> None:
        sent, writes = [], []
        for partition, cache in self.caches.items():
            rows = [(key, dumps(entry[0])) for key, entry in sorted(cache.items()) if entry[1]]
            sent += await send(self._producer, CHANGELOG, partition, rows)
            sent += await send(self._producer, ALERTS, partition, self._alerts[partition])
            batch = WriteBatch(raw_mode=True)
            for key, value in rows:
                batch.put(key, value)
            writes.append((self._stores[partition], batch))
        for future in sent:
            await future
        for store, batch in writes:
            store.write(batch)
        self.caches.clear()
        self._alerts.clear()


async def main() -> None:
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=BOOT, group_id=APP, enable_auto_commit=False, auto_offset_reset="earliest",
        session_timeout_ms=SESSION_MS, heartbeat_interval_ms=HEARTBEAT_MS, max_partition_fetch_bytes=1 << 20,
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=BOOT, acks="all", enable_idempotence=True, max_batch_size=1 << 19)
    await consumer.start()
    await producer.start()
    floor, last = Floor(producer), time.monotonic()
    while True:
        for tp, records in (await consumer.getmany(timeout_ms=200, max_records=FETCH_RECORDS)).items():
            floor.step(tp.partition, records)
        due = time.monotonic() - last >= COMMIT_S
        if floor.caches and (due or not CHECKPOINTS):
            await floor.flush()
        if due and floor.ends:
            await consumer.commit(dict(floor.ends))
            floor.ends.clear()
            last = time.monotonic()


if __name__ == "__main__":
    uvloop.run(main())
