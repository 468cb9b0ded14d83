"""The kernel workload's events and what must come of them, the same for the same count. Not for: sending (``cluster``).

``n`` JSON CloudEvents of some 630 bytes (UTF-8, Chinese text) about max(20,000, n/10) entities, weight 1/(rank + entities/100);
a tenth are byte-identical copies of one of the last 20,000.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson
from aiokafka.partitioner import murmur2

from bench.kernel import core

PARTITIONS: Final = 4
ENTITIES: Final = 20_000
EVENTS_AN_ENTITY: Final = 10
REPEAT_SHARE: Final = 0.1
REPEAT_WITHIN: Final = 20_000
SEED: Final = 20261123
PICKS_MIN: Final = 200_000  # so that fewer events are the first ones of these
_LETTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CATEGORIES: Final = ("行政处罚", "严重失信", "经营异常")

KeyValue = tuple[bytes, bytes]


class Caused(NamedTuple):
    """An alert and the record that must raise it."""

    alert: dict[str, Any]
    partition: int
    offset: int


class Truth(NamedTuple):
    """By alert id, and by entity."""

    alerts: dict[str, Caused]
    states: dict[str, dict[str, Any]]


@lru_cache(maxsize=200_000)
def partition_of(key: bytes) -> int:
    """As Kafka's default partitioner has it."""
    return int((murmur2(key) & 0x7FFFFFFF) % PARTITIONS)


def events(count: int) -> Iterator[KeyValue]:
    """(key, value), in order."""
    rnd = random.Random(SEED)
    entities = max(ENTITIES, count // EVENTS_AN_ENTITY)
    names = ["91" + "".join(rnd.choices(_LETTERS, k=16)) for _ in range(entities)]
    weights = [1 / (rank + entities / 100) for rank in range(entities)]
    picks = rnd.choices(range(entities), weights=weights, k=max(count, PICKS_MIN))
    recent: deque[KeyValue] = deque(maxlen=REPEAT_WITHIN)
    for number in range(count):
        if recent and rnd.random() < REPEAT_SHARE:
            yield recent[rnd.randrange(len(recent))]
            continue
        record = event(rnd, names[picks[number]], picks[number], number)
        recent.append(record)
        yield record


def event(rnd: random.Random, entity: str, entity_number: int, number: int) -> KeyValue:
    """One penalty about ``entity``."""
    source = rnd.randrange(8)
    day = f"2026-{1 + rnd.randrange(12):02d}-{1 + rnd.randrange(28):02d}"
    made = {
        "specversion": "1.0",
        "id": f"{rnd.getrandbits(64):016x}",
        "source": f"urn:credit:authority:s{source:02d}",
        "type": "cn.credit.penalty.v1",
        "time": f"{day}T08:{number % 60:02d}:00Z",
        "subject": entity,
        "datacontenttype": "application/json",
        "data": {
            "unified_social_credit_code": entity,
            "entity_name": f"示例实业有限公司第{entity_number}分公司",
            "authority": f"某市市场监督管理局{source:02d}",
            "document_number": f"市监罚〔2026〕{rnd.randrange(10**6):06d}号",
            "decision_date": day,
            "fine_amount": rnd.randrange(1000, 500_000),
            "currency": "CNY",
            "category": rnd.choice(_CATEGORIES),
            "published": day,
            "legal_basis": "《中华人民共和国反不正当竞争法》第二十条",
            "status": "effective",
        },
    }
    return entity.encode(), orjson.dumps(made)


def truth(records: Iterable[KeyValue]) -> Truth:
    """One event after the other over a dict; offsets as in a topic that holds these records and nothing else."""
    found = Truth({}, {})
    following = [0] * PARTITIONS
    for key, value in records:
        partition = partition_of(key)
        state = found.states.setdefault(key.decode(), {"f": {}, "a": 0})
        _, alert = core.apply(state, orjson.loads(value))
        if alert:
            found.alerts[alert["id"]] = Caused(alert, partition, following[partition])
        following[partition] += 1
    return found
