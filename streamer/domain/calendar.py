"""Time as data (期限): what falls due, worked off day by day, at whatever moment (到期处理).

Not for: knowing the date. A tick moves the partition's clock; ``settle_due`` acts as of each due day in order, so the moment of a
sweep changes nothing; ``sweep`` does a bounded piece of what is due in the partition and says whether there is more.
"""

from __future__ import annotations

from typing import Final

from streamer.domain import counters, entries, expiry
from streamer.domain.dates import NEVER, iso, midnight
from streamer.domain.lawbook import Law
from streamer.domain.messages import Cause
from streamer.domain.state import (
    DAY_BYTES,
    DUE,
    DUE_INDEX,
    ENTITY_BYTES,
    HEAD,
    PARTITION,
    PARTITION_BYTES,
    Head,
    Partition,
    Rows,
    day_key,
)
from streamer.domain.work import Effects, Work

SWEEP_ENTITIES: Final = 200  # entities settled in one piece of a sweep
CALENDAR: Final = "calendar"  # the source of what falls due


def settle_due(rows: Rows, effects: Effects, partition: Partition, law: Law, entity: bytes, head: Head) -> None:
    """Do all that is due for one entity up to the partition's clock, each day's work as of that day."""
    prefix = DUE + entity
    stop = prefix + day_key(partition.clock + 1)
    while True:
        first = next(iter(rows.scan(prefix, stop)), None)
        if first is None:
            break
        on = first[0][: len(prefix) + DAY_BYTES]
        _settle_day(rows, effects, partition, law, entity, head, on)
    following = next(iter(rows.scan(prefix)), None)
    head.next_due = (
        NEVER if following is None else int.from_bytes(following[0][len(prefix) : len(prefix) + DAY_BYTES], "big")
    )
    rows.put(HEAD + entity, head, 100)


def _settle_day(
    rows: Rows, effects: Effects, partition: Partition, law: Law, entity: bytes, head: Head, prefix: bytes
) -> None:
    ordinal = int.from_bytes(prefix[-DAY_BYTES:], "big")
    keys = [key for key, _ in rows.scan(prefix)]
    rows.delete(DUE_INDEX + day_key(ordinal) + entity)
    work = Work(
        rows=rows,
        effects=effects,
        partition=partition,
        law=law,
        entity=entity,
        head=head,
        clock=ordinal,
        at=midnight(ordinal),
        cause=Cause(CALENDAR, iso(ordinal) or ""),
    )
    for key in keys:
        rows.delete(key)
        fact_id = key[len(prefix) :]
        fact = work.fact(fact_id)
        if fact is not None:
            entries.settle(work, fact_id, fact)
            counters.settle(work, fact_id, fact)
            work.put_fact(fact_id, fact)
    work.close()


def sweep(rows: Rows, effects: Effects, partition: Partition, law: Law) -> bool:
    """Settle up to SWEEP_ENTITIES entities with something due, and forget a bounded number of event rows. True: there is more."""
    if partition.swept >= partition.clock:
        return False
    stop = day_key(partition.clock + 1)
    entities: dict[bytes, None] = {}
    more = False
    for key, _ in rows.scan(DUE_INDEX, DUE_INDEX + stop):
        if len(entities) == SWEEP_ENTITIES:
            more = True
            break
        entities[key[-ENTITY_BYTES:]] = None
    for entity in entities:
        settle_due(rows, effects, partition, law, entity, rows.get(HEAD + entity))
    more = expiry.forget(rows, partition.clock) or more
    if not more:
        partition.swept = partition.clock
        rows.put(PARTITION, partition, PARTITION_BYTES)
    return more
