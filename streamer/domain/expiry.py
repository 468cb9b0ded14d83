"""Which event rows are forgotten, and when: many to a row, in order of arrival, so that an event costs no row of its own.

Not for: what else falls due (``streamer.domain.calendar``). Schema 1 had a row for each, ``g <day> <entity> <event key>``; it
is still read.
"""

from __future__ import annotations

from typing import Final

from streamer.domain.state import (
    DAY_BYTES,
    EVENT,
    EXPIRIES_A_ROW,
    EXPIRY,
    EXPIRY_BYTES,
    EXPIRY_ENTRY_BYTES,
    Event,
    Expiries,
    Partition,
    Rows,
    day_key,
)

SWEEP_EXPIRIES: Final = 2_000  # event rows forgotten in one piece, and at most one expiry row's more
_NUMBER_BYTES: Final = 4


def note(rows: Rows, partition: Partition, day: int, event: bytes) -> None:
    """Forget the event row of ``event`` (entity and event key) on ``day``, which is never before that of the last call."""
    if partition.expiry_day != day:
        partition.expiry_day, partition.expiry_row = day, 0
    key = EXPIRY + day_key(day) + partition.expiry_row.to_bytes(_NUMBER_BYTES, "big")
    row: Expiries = rows.get(key) or Expiries()
    row.events.append(event)
    grow = (
        EXPIRY_BYTES if len(row.events) == 1 else EXPIRY_ENTRY_BYTES
    )  # each put counts: the row once, then what it adds
    rows.put(key, row, grow, False)  # an open unit has it at hand, and nobody else asks
    if len(row.events) >= EXPIRIES_A_ROW:
        partition.expiry_row += 1


def forget(rows: Rows, clock: int) -> bool:
    """Delete event rows whose memory ended by ``clock`` (an older copy still meets its fact). True: there may be more."""
    found: list[tuple[bytes, list[bytes]]] = []
    events = 0
    for key, row in rows.scan(EXPIRY, EXPIRY + day_key(clock + 1)):
        if events >= SWEEP_EXPIRIES:
            break
        found.append((key, row.events if isinstance(row, Expiries) else [key[1 + DAY_BYTES :]]))
        events += len(found[-1][1])
    for key, ended in found:
        for event in ended:
            _forget(rows, EVENT + event, clock)
        rows.delete(key)
    return events >= SWEEP_EXPIRIES


def _forget(rows: Rows, key: bytes, clock: int) -> None:
    event: Event | None = rows.get(key)
    if event is not None and event.expires <= clock:
        rows.delete(key)
