"""A consume and produce loop on confluent-kafka: the floor's state and order of steps on librdkafka. Not for: guarantees."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
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

FETCH_RECORDS = 2000
errors: list[Any] = []


def on_ack(error: Any, _: Any) -> None:
    if error:
        errors.append(error)


def handle(messages: list[Any], stores: dict[int, Rdict], producer: Producer) -> dict[int, int]:
    """One fetch, durable; partition → offset to commit."""
    cache: dict[bytes, list[Any]] = {}
    ends: dict[int, int] = {}
    for message in messages:
        if message.error():
            raise SystemExit(message.error())
        partition, key = message.partition(), message.key()
        store = stores.get(partition) or stores.setdefault(partition, open_store(partition))
        event = loads(message.value())
        entry = cache.get(key)
        if entry is None:
            entry = cache[key] = [loads(store.get(key) or STATE0), False, partition]
        changed, alert = apply(entry[0], event)
        if changed:
            entry[1] = True
            if alert:
                producer.produce(ALERTS, dumps(alert), key, partition, on_delivery=on_ack)
        ends[partition] = message.offset() + 1
    writes = {partition: WriteBatch(raw_mode=True) for partition in ends}
    for key, (state, changed, partition) in sorted(cache.items()):
        if changed:
            value = dumps(state)
            producer.produce(CHANGELOG, value, key, partition, on_delivery=on_ack)
            writes[partition].put(key, value)
    if producer.flush(30) or errors:
        raise SystemExit(errors or "flush timeout")
    for partition, batch in writes.items():
        stores[partition].write(batch)
    return ends


def main() -> None:
    consumer = Consumer({
        "bootstrap.servers": BOOT, "group.id": APP, "enable.auto.commit": False, "auto.offset.reset": "earliest",
        "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": HEARTBEAT_MS,
    })  # fmt: skip
    producer = Producer({"bootstrap.servers": BOOT, "enable.idempotence": True, "linger.ms": 1, "batch.size": 1 << 19})
    consumer.subscribe([TOPIC])
    stores: dict[int, Rdict] = {}
    pending: dict[int, int] = {}
    last = time.monotonic()
    while True:
        messages = consumer.consume(FETCH_RECORDS, 0.2)
        if messages:
            pending |= handle(messages, stores, producer)
        if pending and time.monotonic() - last >= COMMIT_S:
            offsets = [TopicPartition(TOPIC, partition, offset) for partition, offset in pending.items()]
            consumer.commit(offsets=offsets, asynchronous=False)
            pending, last = {}, time.monotonic()


if __name__ == "__main__":
    main()
