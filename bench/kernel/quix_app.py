"""Quix Streams: a stateful step, RocksDB state with its changelog. W_EOS=1: exactly-once. Not for: anything else."""

from __future__ import annotations

import os
from typing import Any

from quixstreams import Application

from bench.kernel.core import ALERTS, APP, BOOT, COMMIT_S, DIR, HEARTBEAT_MS, SESSION_MS, TOPIC, apply


def step(event: dict[str, Any], state: Any) -> list[dict[str, Any]]:
    known = state.get("s") or {"f": {}, "a": 0}
    changed, alert = apply(known, event)
    if changed:
        state.set("s", known)
    return [alert] if alert else []


app = Application(
    broker_address=BOOT, consumer_group=APP, auto_offset_reset="earliest", commit_interval=COMMIT_S,
    state_dir=DIR, loglevel="WARNING",
    processing_guarantee="exactly-once" if os.environ.get("W_EOS") else "at-least-once",
    consumer_extra_config={"session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": HEARTBEAT_MS},
)  # fmt: skip
frame = app.dataframe(app.topic(TOPIC, key_deserializer="str", value_deserializer="json"))
frame = frame.apply(step, stateful=True, expand=True)
frame.to_topic(app.topic(ALERTS, key_serializer="str", value_serializer="json"))
app.run()
