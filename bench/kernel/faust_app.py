"""The textbook Faust program: an agent, a Table in RocksDB, ``topic.send``. Not for: anything tuned."""

from __future__ import annotations

from typing import Any

import faust

from bench.kernel.core import ALERTS, APP, BOOT, COMMIT_S, DIR, HEARTBEAT_MS, SESSION_MS, TOPIC, apply

PARTITIONS = 4

app = faust.App(
    APP, broker="kafka://" + BOOT, store="rocksdb://", datadir=DIR, topic_partitions=PARTITIONS, web_enabled=False,
    consumer_auto_offset_reset="earliest", broker_commit_interval=COMMIT_S,
    broker_session_timeout=SESSION_MS / 1000, broker_heartbeat_interval=HEARTBEAT_MS / 1000,
)  # fmt: skip
events = app.topic(TOPIC, key_type=str, value_serializer="json", key_serializer="raw")
alerts = app.topic(ALERTS, value_serializer="json", key_serializer="raw")
table = app.Table("facts", partitions=PARTITIONS, options={"driver": "rocksdict"})


@app.agent(events)
async def credit(stream: Any) -> None:
    async for event in stream:
        key = event["subject"]
        state = table.get(key) or {"f": {}, "a": 0}
        changed, alert = apply(state, event)
        if changed:
            table[key] = state
            if alert:
                await alerts.send(key=key, value=alert)


if __name__ == "__main__":
    app.main()
