"""The kernel workload's step and settings, shared by every peer written in Python. Not for: the driver.

State of an entity: ``{"f": {fact id: fine}, "a": 0|1}``. An event whose source and id are there is dropped; the first time
that an entity has three facts from two sources or more, one alert with a deterministic id and the list of its facts.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import orjson

ALERT_FACTS = 3
ALERT_SOURCES = 2
STATE0 = b'{"f":{},"a":0}'

BOOT = os.environ.get("W_BOOT", "")
TOPIC = os.environ.get("W_TOPIC", "events")
ALERTS = os.environ.get("W_ALERTS", "alerts")
APP = os.environ.get("W_APP", "app")
DIR = os.environ.get("W_DIR", ".")
CHANGELOG = APP + "-changelog"
COMMIT_S = float(os.environ.get("W_COMMIT_S", "1"))
SESSION_MS = 6000
HEARTBEAT_MS = 1500

loads, dumps = orjson.loads, orjson.dumps
_started = "W_T0" not in os.environ  # nobody measures: no mark


def mark_start() -> None:
    """At the first event: the wall clock, and the CPU that the start has cost until now."""
    global _started  # noqa: PLW0603 - one process, one mark
    if not _started:
        _started = True
        mark = Path(os.environ["W_T0"])
        draft = mark.with_suffix(".new")
        draft.write_text(f"{time.time()} {time.process_time()}", encoding="ascii")
        draft.rename(mark)


def apply(state: dict[str, Any], event: dict[str, Any]) -> tuple[bool, dict[str, Any] | None]:
    """(changed, alert or None); ``state`` is changed in place. One function: every call costs every peer."""
    if not _started:
        mark_start()
    fact = event["source"][-3:] + "|" + event["id"]
    facts = state["f"]
    if fact in facts:
        return False, None
    facts[fact] = event["data"]["fine_amount"]
    if not state["a"] and len(facts) >= ALERT_FACTS and len({known[:3] for known in facts}) >= ALERT_SOURCES:
        state["a"] = 1
        return True, {
            "id": "alert-" + event["subject"],
            "subject": event["subject"],
            "type": "cn.credit.alert.v1",
            "time": event["time"],
            "facts": list(facts),
        }
    return True, None
