"""What the dossier keeps: one struct a row kind, its key, and its bytes (msgpack arrays with a schema version first).

Not for: deciding anything (``streamer.domain.dossier``) or storing it (the engine). A reader of schema n reads n - 1: fields
are only ever appended, with a default. Days are ordinals (``streamer.domain.dates``), 0 where there is none. Rows hold no
cycles: ``gc=False`` keeps the collector from looking at a cache full of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

import msgspec

# One byte a row kind; every key of an entity carries its 9-byte organization code right after it.
PARTITION: Final = b"p"  # p                       the partition: clock, rulebook, books
HEAD: Final = b"h"  # h <entity>              what is open about an entity
FACT: Final = b"f"  # f <entity> <fact id>    one decision
EVENT: Final = b"e"  # e <entity> <event key>  one event (source, id) that was seen
ALERT: Final = b"a"  # a <alert id>            the last revision of an alert or notice, as sent
DUE: Final = b"u"  # u <entity> <day> <fact>  a fact to look at again on that day
DUE_INDEX: Final = b"d"  # d <day> <entity>        entities with something due on that day
EXPIRY: Final = b"g"  # g <day> <number>        event rows whose memory ends on that day (``streamer.domain.expiry``)

ENTITY_BYTES: Final = 9
DAY_BYTES: Final = 4
SCHEMA: Final = 2  # 1: an expiry row for each event
EVENT_MEMORY_DAYS: Final = 400  # how long an event's id is known; an older copy still meets its fact
# Estimates of encoded rows with their keys, in bytes, for the size of a unit.
EVENT_BYTES: Final = 90
EXPIRIES_A_ROW: Final = 32
EXPIRY_ENTRY_BYTES: Final = 27
EXPIRY_BYTES: Final = 40 + EXPIRY_ENTRY_BYTES * EXPIRIES_A_ROW
PARTITION_BYTES: Final = 400

MARK: Final = True  # the value of rows that say all in their key


class Counts(msgspec.Struct, array_like=True, gc=False):
    """Items of one source in the books of a partition."""

    applied: int = 0
    duplicate: int = 0
    superseded: int = 0
    dead_lettered: int = 0
    witness: int = 0  # of applied: a further source reported a known fact

    def total(self) -> int:
        return self.applied + self.duplicate + self.superseded + self.dead_lettered


class Partition(msgspec.Struct, array_like=True, gc=False):
    schema: int = SCHEMA
    rulebook: str = ""  # hash of the active rulebook
    clock: int = 0
    ticks: str = "append"
    swept: int = 0  # every due day up to here is settled
    inbound: list[str] = []  # inbound "topic|partition", in order of first sight; event rows name them by index
    books: dict[str, Counts] = {}
    reported: dict[str, list[int]] = {}  # applied, duplicate, superseded as last reported to each source
    control: int = 0  # ticks and activations
    resent: int = 0  # messages whose item was already accounted for
    ticks_refused: int = 0
    expiry_day: int = 0  # the day whose expiry row is being filled, and its number
    expiry_row: int = 0


class AlertState(msgspec.Struct, array_like=True, gc=False):
    """Where one alert of an entry stands: ``ordinal`` counts its raisings, ``revision`` the messages of this one."""

    ordinal: int = 0
    revision: int = 0
    open: bool = False


class End(msgspec.Struct, array_like=True, gc=False):
    """What ended a decision: a delisting (移出) or a withdrawal (撤回)."""

    cause: str
    authority: str
    document_number: str
    on: int  # first day without it
    source: str
    event_id: str
    version: int = 0  # withdrawal: the versions up to it; 0 = all


class Fact(msgspec.Struct, array_like=True, gc=False):
    """One decision (决定) about an entity. ``present`` is False while only its end has arrived."""

    schema: int = SCHEMA
    kind: str = ""
    authority: str = ""
    registered: bool = False
    document_number: str = ""
    domain: str = ""
    version: int = 0
    present: bool = False
    decided_on: int = 0
    source: str = ""
    event_id: str = ""
    content: bytes = b""
    witnesses: list[str] = []
    name: str | None = None
    uscc: str | None = None
    url: str | None = None
    # an entry
    list_id: str | None = None
    ground: str | None = None
    served_on: int = 0
    published_on: int = 0
    effective_on: int = 0
    remedies_closed: bool = False
    until: int = 0
    until_basis: str | None = None
    # what ended it
    delisted: End | None = None
    withdrawn: End | None = None
    # supervision
    matches: tuple[str, ...] = ()  # criteria whose ``when`` holds
    counted: tuple[str, ...] = ()  # criteria that count it now
    amount_fen: int = 0
    alerts: dict[str, AlertState] = {}  # by measure id, or "notice:<kind>"


class Event(msgspec.Struct, array_like=True, gc=False):
    """An event (source, id) at this entity. ``origins``: flat [inbound index, highest offset, …]."""

    schema: int = SCHEMA
    content: bytes = b""
    outcome: str = ""
    expires: int = 0
    origins: list[int] = []
    fact: bytes = b""
    awaited: list[End] = []  # ends that name this event before it came; content is empty then


class Expiries(msgspec.Struct, array_like=True, gc=False):
    """Event rows whose memory ends on the day in the key: ``<entity> <event key>`` each, in order of arrival."""

    schema: int = SCHEMA
    events: list[bytes] = []


class Open(msgspec.Struct, array_like=True, gc=False):
    """An entry in force (在列). ``authority`` is its name as the alerts gave it."""

    list_id: str
    authority: str
    document_number: str
    from_: int
    until: int
    alerts: list[str] = []  # alert ids


class Counter(msgspec.Struct, array_like=True, gc=False):
    """What a criterion counts about an entity now; ``facts`` are the newest of it, for evidence."""

    count: int = 0
    amount_fen: int = 0
    facts: list[bytes] = []
    alert: AlertState = msgspec.field(default_factory=AlertState)
    alert_id: str = ""  # of the open manage alert


class Head(msgspec.Struct, array_like=True, gc=False):
    schema: int = SCHEMA
    version: int = 0
    uscc: str | None = None
    name: str | None = None
    name_as_of: int = 0
    individual: bool = False
    next_due: int = 0
    open: dict[bytes, Open] = {}
    counters: dict[str, Counter] = {}
    facts: int = 0  # decisions that stand
    changed_at: str = ""  # instant of the last status
    waiting: list[bytes] = []  # facts whose entry begins later, sorted


class AlertRow(msgspec.Struct, array_like=True, gc=False):
    """The last revision of an alert or notice exactly as sent; the compacted topic can be written again from it."""

    schema: int = SCHEMA
    to: str = ""  # domain of an alert, source of a notice
    body: bytes = b""


class Rows(Protocol):
    """The rows of one partition during one unit. Values are live objects: ``put`` what was changed. ``grow``: about how many
    bytes the whole row has with its key; ``keep`` False: hardly read again soon."""

    def get(self, key: bytes) -> Any: ...
    def put(self, key: bytes, value: Any, grow: int, keep: bool = True) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def scan(self, prefix: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, Any]]: ...


class Codec:
    """Rows to bytes and back; the kind of a row is its key's first byte."""

    def __init__(self) -> None:
        kinds = {PARTITION: Partition, HEAD: Head, FACT: Fact, EVENT: Event, ALERT: AlertRow}
        self._decoders = {key[0]: msgspec.msgpack.Decoder(kind).decode for key, kind in kinds.items()}
        self._decoders |= {key[0]: msgspec.msgpack.Decoder(bool).decode for key in (DUE, DUE_INDEX)}
        self._decoders[EXPIRY[0]] = msgspec.msgpack.Decoder(Expiries | bool).decode  # marks of schema 1 last 400 days
        self._encode = msgspec.msgpack.Encoder().encode

    def encode(self, key: bytes, value: object) -> bytes:  # noqa: ARG002  the engine's protocol gives the key, too
        return self._encode(value)

    def decode(self, key: bytes, raw: bytes | memoryview) -> Any:
        row = self._decoders[key[0]](raw)
        if row is not MARK and row.schema != SCHEMA:
            row.schema = SCHEMA  # what is read of the schema before is written in this one
        return row


def day_key(ordinal: int) -> bytes:
    return ordinal.to_bytes(DAY_BYTES, "big")
