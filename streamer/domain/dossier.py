"""The dossier's step (信用档案): one record of one partition applied to its rows, and what must be said because of it.

Pure: no clock, no random, no other entity, no batch boundary. ``apply`` is all that production, replay and tests share. Every item
ends in exactly one of applied, duplicate, superseded or dead-lettered with a reason, and is counted in the partition's books.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streamer.domain import calendar, counters, decisions, entries, expiry
from streamer.domain.books import Books
from streamer.domain.dates import append_day, append_time, day
from streamer.domain.keys import event_key
from streamer.domain.lawbook import Law
from streamer.domain.messages import Cause
from streamer.domain.records import Activation, AnyRecord, Origin, Record, Tick
from streamer.domain.state import (
    EVENT,
    EVENT_BYTES,
    EVENT_MEMORY_DAYS,
    HEAD,
    PARTITION,
    PARTITION_BYTES,
    Event,
    Head,
    Partition,
    Rows,
)
from streamer.domain.work import Effects, Work


class NoRulebookError(Exception):
    """A record came before any rulebook was activated in its partition: run ``streamer topics apply``."""


class Meta(msgspec.Struct, frozen=True, gc=False):
    """What comes beside a record: where and when it was appended, its item of account and its content hash."""

    offset: int
    append_ms: int
    origin: Origin | None = None
    content: bytes = b""


class Dossier:
    """The step function with its rulebooks. ``law_of`` gives the compiled rulebook of a hash."""

    def __init__(self, law_of: Callable[[str], Law]) -> None:
        self._law_of = law_of

    def apply(self, rows: Rows, effects: Effects, record: AnyRecord, meta: Meta) -> None:
        """Apply one record. The caller gives each record of a partition once, in order of offset."""
        partition: Partition = rows.get(PARTITION) or Partition()
        if isinstance(record, Record):
            if not partition.rulebook:
                raise NoRulebookError("a record before the partition's rulebook.activated: run `streamer topics apply`")
            self._item(rows, effects, partition, record, meta)
        elif isinstance(record, Tick):
            _tick(effects, partition, record, meta)
        else:
            _activate(partition, record)
        rows.put(PARTITION, partition, PARTITION_BYTES)

    def sweep(self, rows: Rows, effects: Effects) -> bool:
        """A bounded piece of what is due in the partition; True while there is more."""
        partition: Partition | None = rows.get(PARTITION)
        if partition is None or not partition.rulebook:
            return False
        return calendar.sweep(rows, effects, partition, self._law_of(partition.rulebook))

    def _item(self, rows: Rows, effects: Effects, partition: Partition, record: Record, meta: Meta) -> None:
        if meta.origin is None:
            raise ValueError(f"record at offset {meta.offset} has no origin header")
        books = Books(partition, record.source)
        entity = record.party.org_code.encode()
        head: Head | None = rows.get(HEAD + entity)
        event_id = entity + event_key(record.source, record.id)
        event_row = EVENT + event_id
        seen: Event | None = None
        law = self._law_of(partition.rulebook)
        if head is None:
            head = Head(individual=record.party.individual)
        else:
            if head.next_due and head.next_due <= partition.clock:
                calendar.settle_due(rows, effects, partition, law, entity, head)
            seen = rows.get(event_row)
            if seen is not None and seen.expires <= partition.clock:
                seen = None
        inbound = books.inbound(meta.origin)
        if seen is not None and seen.content:
            if _is_resend(seen, inbound, meta.origin.offset):
                partition.resent += 1
                return
            _remember(seen, inbound, meta.origin.offset)
            rows.put(event_row, seen, EVENT_BYTES)
            if seen.content == meta.content:
                books.duplicate()
            else:
                books.dead_letter()
                effects.refuse(record, meta.origin, "id_reused", "/id")
            return
        work = Work(
            rows=rows,
            effects=effects,
            partition=partition,
            law=law,
            entity=entity,
            head=head,
            clock=partition.clock,
            at=append_time(meta.append_ms),
            cause=Cause(record.source, record.id),
        )
        if record.party.individual and not head.individual:
            _fall_silent(work)
        verdict = decisions.decide(work, record, meta.content, seen.awaited if seen else [])
        books.count(verdict.outcome)
        if verdict.outcome == "dead_lettered":
            effects.refuse(record, meta.origin, verdict.reason, verdict.pointer)
        if verdict.fact is not None:
            entries.settle(work, verdict.fact_id, verdict.fact)
            counters.settle(work, verdict.fact_id, verdict.fact)
            work.put_fact(verdict.fact_id, verdict.fact)
        expires = partition.clock + EVENT_MEMORY_DAYS
        outcome = decisions.END if _is_end(record, verdict) else verdict.outcome
        event = Event(content=meta.content, outcome=outcome, expires=expires, fact=verdict.fact_id)
        _remember(event, inbound, meta.origin.offset)
        rows.put(event_row, event, EVENT_BYTES, False)
        expiry.note(rows, partition, expires, event_id)
        work.close()


def _fall_silent(work: Work) -> None:
    """The entity turns out to be an individual business (个体工商户): take back what was said about it, say nothing more."""
    head = work.head
    for fact_id in list(head.open):
        fact = work.fact(fact_id)
        if fact is not None:
            entries.lift_all(work, fact_id, fact, "superseded")
            work.put_fact(fact_id, fact)
    head.open.clear()
    head.waiting = []
    counters.lift_all(work)
    head.individual, head.name, head.uscc = True, None, None
    if head.version:
        work.changed = True  # a status told the name


def _is_end(record: Record, verdict: decisions.Verdict) -> bool:
    return record.type not in decisions.KINDS and verdict.outcome == "applied"


def _is_resend(event: Event, inbound: int, offset: int) -> bool:
    """Copies of one inbound partition arrive in order, so an offset at or below the highest seen was accounted for."""
    origins = event.origins
    return any(origins[i] == inbound and offset <= origins[i + 1] for i in range(0, len(origins), 2))


def _remember(event: Event, inbound: int, offset: int) -> None:
    origins = event.origins
    for i in range(0, len(origins), 2):
        if origins[i] == inbound:
            origins[i + 1] = max(offset, origins[i + 1])
            return
    event.origins = [*origins, inbound, offset]


def _tick(effects: Effects, partition: Partition, tick: Tick, meta: Meta) -> None:
    """Move the clock; a date that is not later does nothing, one that is not its append date is refused in production."""
    partition.control += 1
    date = day(tick.date)
    if partition.ticks == "append" and date != append_day(meta.append_ms):
        partition.ticks_refused += 1
    elif date > partition.clock:
        for source, body in Books.report(partition, tick.date):
            effects.counts(source, body)
        partition.clock = date


def _activate(partition: Partition, activation: Activation) -> None:
    """The first sets clock and tick mode, too; a later one only the rulebook."""
    partition.control += 1
    if not partition.rulebook:
        partition.ticks = activation.ticks
        partition.clock = partition.swept = day(activation.clock)
    partition.rulebook = activation.rulebook
