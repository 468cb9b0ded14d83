"""One step's working set: the rows it may touch, where its messages go, and the day and instant it acts on.

Not for: deciding. ``Work`` is created anew for each record or due day of one entity; it holds the entity's head and writes it,
with a new status, once at the end.
"""

from __future__ import annotations

from typing import Protocol

from streamer.domain import messages
from streamer.domain.dates import iso
from streamer.domain.lawbook import Law
from streamer.domain.messages import Cause
from streamer.domain.records import Origin, Record
from streamer.domain.state import DUE, DUE_INDEX, EVENT, FACT, HEAD, MARK, Event, Fact, Head, Partition, Rows, day_key

DUE_ROW_BYTES = 70  # of a due row and its index row, with their keys


class Effects(Protocol):
    """Where a step's messages go. Bodies are final bytes; the same step gives the same ones."""

    def alert(self, domain: str, alert_id: str, body: bytes) -> None: ...
    def notice(self, source: str, notice_id: str, body: bytes) -> None: ...
    def status(self, org_code: str, body: bytes) -> None: ...
    def refuse(self, record: Record, origin: Origin, reason: str, json_pointer: str) -> None: ...
    def counts(self, source: str, body: bytes) -> None: ...


class Work:
    """``clock`` is the day that decides (the partition's, or the due day); ``at`` the RFC 3339 instant messages carry."""

    __slots__ = ("at", "cause", "changed", "clock", "effects", "entity", "head", "law", "org_code", "partition", "rows")

    def __init__(
        self,
        *,
        rows: Rows,
        effects: Effects,
        partition: Partition,
        law: Law,
        entity: bytes,
        head: Head,
        clock: int,
        at: str,
        cause: Cause,
    ) -> None:
        self.rows, self.effects, self.partition, self.law = rows, effects, partition, law
        self.entity, self.org_code, self.head = entity, entity.decode(), head
        self.clock, self.at, self.cause = clock, at, cause
        self.changed = False  # what stands changed: a new status is due

    def fact(self, fact_id: bytes) -> Fact | None:
        fact: Fact | None = self.rows.get(FACT + self.entity + fact_id)
        return fact

    def event(self, key: bytes) -> Event | None:
        """An event's row, unless its memory has ended: whether a sweep has deleted it already changes nothing."""
        event: Event | None = self.rows.get(EVENT + self.entity + key)
        return event if event is not None and event.expires > self.clock else None

    def put_fact(self, fact_id: bytes, fact: Fact) -> None:
        size = (
            150
            + 3 * len(fact.document_number)
            + 3 * len(fact.name or "")
            + 20 * len(fact.witnesses)
            + 40 * len(fact.alerts)
        )
        self.rows.put(FACT + self.entity + fact_id, fact, size)

    def due(self, ordinal: int, fact_id: bytes) -> None:
        """Look at the fact again on that day."""
        self.rows.put(DUE + self.entity + day_key(ordinal) + fact_id, MARK, DUE_ROW_BYTES, False)
        self.rows.put(DUE_INDEX + day_key(ordinal) + self.entity, MARK, 0, False)
        if not self.head.next_due or ordinal < self.head.next_due:
            self.head.next_due = ordinal

    def close(self) -> None:
        """Write the head; tell the status if what stands changed."""
        head = self.head
        if self.changed:
            head.version += 1
            head.changed_at = self.at
            self.effects.status(self.org_code, status_body(self.org_code, head))
        size = 80 + 3 * len(head.name or "") + 160 * len(head.open) + 200 * len(head.counters) + 18 * len(head.waiting)
        self.rows.put(HEAD + self.entity, head, size)


def status_body(org_code: str, head: Head) -> bytes:
    """The status message of a head: what stands now. From state alone."""
    entries = sorted(head.open.items())
    alerts = [alert for _, entry in entries for alert in entry.alerts]
    alerts += [counter.alert_id for counter in head.counters.values() if counter.alert_id]
    return messages.encode(
        messages.Status(
            org_code=org_code,
            version=head.version,
            uscc=head.uscc,
            name=head.name,
            open_entries=tuple(
                messages.OpenEntry(
                    list=entry.list_id,
                    authority=entry.authority,
                    document_number=entry.document_number,
                    from_=iso(entry.from_) or "",
                    until=iso(entry.until),
                )
                for _, entry in entries
            ),
            open_alerts=tuple(sorted(alerts)),
            changed_at=head.changed_at,
        )
    )
