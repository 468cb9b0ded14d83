"""What a peer left behind, next to the truth: its alerts and its state. Not for: making it (``card``)."""

from __future__ import annotations

import pickle
import re
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from bench.cluster import Cluster
from bench.kernel.worker import Worker
from bench.kernel.workload import Truth

_ENTITY: Final = re.compile(rb"91[0-9A-Z]{16}")


class Card(NamedTuple):
    """Alerts and entities that are not as they should be; ``doubled``: further copies of an alert; ``conflicting``: alerts
    that say something else than they must, or that must not be."""

    alerts: int
    lost: int
    doubled: int
    conflicting: int
    entities: int
    wrong_state: int


def compare(truth: Truth, alerts: list[dict[str, Any]], states: dict[str, dict[str, Any]]) -> Card:
    """Pure. The order of facts in a state does not count; in an alert it does."""
    seen = Counter(alert["id"] for alert in alerts)
    expected = truth.alerts
    return Card(
        len(expected),
        len(expected.keys() - seen.keys()),
        sum(seen.values()) - len(seen),
        sum(alert["id"] not in expected or alert != expected[alert["id"]].alert for alert in alerts),
        len(truth.states),
        sum(states.get(entity) != state for entity, state in truth.states.items()),
    )


def repeats_within(
    truth: Truth, alerts: list[dict[str, Any]], in_flight: list[tuple[int, int, int]]
) -> tuple[int, int]:
    """(bound, beyond): alerts of the units in flight at the kills, (partition, first, following) each, once a kill; and
    copies of alerts beyond what those units explain."""
    allowed: Counter[str] = Counter()
    for name, caused in truth.alerts.items():
        for partition, first, following in in_flight:
            allowed[name] += caused.partition == partition and first <= caused.offset < following
    copies = Counter(alert["id"] for alert in alerts)
    return sum(allowed.values()), sum(max(0, count - 1 - allowed[name]) for name, count in copies.items())


async def alerts_of(cluster: Cluster, worker: Worker) -> list[dict[str, Any]]:
    return [orjson.loads(read.value or b"{}") async for read in cluster.read(worker.alerts)]


async def states_of(cluster: Cluster, worker: Worker) -> dict[str, dict[str, Any]]:
    """The last state of every entity, from where the peer keeps what is durable."""
    if worker.peer.exits:
        return snapshots(worker.folder)
    rows: dict[bytes, bytes | None] = {}
    for topic in await cluster.topics():
        if worker.app in topic and "changelog" in topic:
            async for read in cluster.read(topic):
                if read.key is not None:
                    rows[read.key] = read.value
    if worker.peer.name == "ours":
        from bench.kernel.ours import states

        return states(rows.items())
    found = {}
    for key, value in rows.items():
        entity = _ENTITY.search(key)
        if entity and value:
            found[entity.group().decode()] = orjson.loads(value)
    return found


def snapshots(folder: Path) -> dict[str, dict[str, Any]]:
    """Bytewax keeps pickled states in SQLite, one row a key and epoch."""
    found = {}
    for file in folder.glob("*.sqlite3"):
        database = sqlite3.connect(file)
        rows = database.execute(
            "select state_key, ser_change from snaps where step_id like '%facts%' order by snap_epoch"
        )
        for key, blob in rows:
            found[key] = pickle.loads(blob) if blob else {}
        database.close()
    return found
