"""Bytewax with recovery; run by ``python -m bytewax.run bench.kernel.bytewax_flow -r DIR -s 1 -b 0``. Not for: anything else."""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow

from bench.kernel.core import ALERTS, BOOT, TOPIC, apply, dumps, loads


def step(state: dict[str, Any] | None, event: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    state = state or {"f": {}, "a": 0}
    _, alert = apply(state, event)
    return state, [alert] if alert else []


flow = Dataflow("w")
source = op.input("in", flow, KafkaSource([BOOT], [TOPIC], tail=False, batch_size=1000))
keyed = op.map("decode", source, lambda message: (message.key.decode(), loads(message.value)))
out = op.stateful_flat_map("facts", keyed, step)
messages = op.map("encode", out, lambda keyed_alert: KafkaSinkMessage(keyed_alert[0].encode(), dumps(keyed_alert[1])))
op.output("out", messages, KafkaSink([BOOT], ALERTS))
