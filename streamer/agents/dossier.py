"""The dossier's agent: slices of ``credit.records`` through the domain's step, its messages out, its rows in one table.

Not for: deciding (``streamer.domain``) or durability (``streamer.engine``).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from streamer import ticks
from streamer.agents.rulebooks import Rulebooks
from streamer.domain import messages
from streamer.domain.alerts import alert_key
from streamer.domain.dates import append_day, append_time, iso
from streamer.domain.dossier import Dossier, Meta
from streamer.domain.reasons import REASONS
from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN, Activation, Origin, Record, decode_record
from streamer.domain.sealing import Sealer
from streamer.domain.state import HEAD, PARTITION, SCHEMA, AlertRow, Codec, Head, Partition, Rows
from streamer.domain.work import status_body
from streamer.engine import EngineApp, RecordIn, Slice

RECORDS: Final = "credit.records"
STATUS: Final = "credit.status"
DEAD_LETTERS: Final = "credit.dead-letters"
TABLE: Final = "dossier"
MIDNIGHT_POLL_S: Final = 20.0
ACTIVATION_MARK: Final = b'{"record":"rulebook.activated"'
_CODEC: Final = Codec()

Restated = tuple[bytes, tuple[tuple[str, bytes], ...]] | None


class Sends(Protocol):
    """What a slice and a sweep have in common."""

    @property
    def partition(self) -> int: ...
    @property
    def rows(self) -> Rows: ...
    def send(self, topic: str, partition: int | None, key: bytes, value: bytes, *, first: bool = False) -> None: ...


class KafkaEffects:
    """The step's messages as Kafka messages: all in the partition whose records caused them. Standing before alerts, so
    that a subscriber who reads standing to its end and then alerts from where they were misses nothing."""

    __slots__ = ("raw", "sealer", "timestamp_ms", "to")

    def __init__(self, to: Sends, sealer: Sealer) -> None:
        self.to, self.sealer = to, sealer
        self.raw, self.timestamp_ms = b"", 0  # of the record being applied

    def alert(self, domain: str, alert_id: str, body: bytes) -> None:
        key = alert_id.encode()
        self.to.send(f"credit.standing.{domain}", self.to.partition, key, body, first=True)
        self.to.send(f"credit.alerts.{domain}", self.to.partition, key, body)

    def notice(self, source: str, notice_id: str, body: bytes) -> None:
        self.to.send(f"credit.notices.{source}", self.to.partition, notice_id.encode(), body)

    def status(self, org_code: str, body: bytes) -> None:
        self.to.send(STATUS, self.to.partition, org_code.encode(), body)

    def counts(self, source: str, body: bytes) -> None:
        self.to.send(f"credit.outcomes.{source}", self.to.partition, b"counts", body)

    def refuse(self, record: Record, origin: Origin, reason: str, json_pointer: str) -> None:
        row, text = REASONS[reason], str(origin)
        letter = messages.DeadLetter(
            origin=text,
            fate=row.fate,
            stage="dossier",
            reason=reason,
            source=record.source,
            event_id=record.id,
            type=record.type,
            org_code=record.party.org_code,
            json_pointer=json_pointer,
            at=append_time(self.timestamp_ms),
            sealed=base64.b64encode(self.sealer.seal(self.raw, text.encode())).decode(),
        )
        outcome = messages.Outcome(
            event_id=record.id,
            topic=origin.topic,
            partition=origin.partition,
            offset=origin.offset,
            party=origin.party,
            outcome=row.fate,
            reason_code=reason,
            json_pointer=json_pointer,
            fix_zh=row.fix_zh,
            fix_en=row.fix_en,
            retryable=row.retryable,
        )
        self.to.send(DEAD_LETTERS, self.to.partition, text.encode(), messages.encode(letter))
        self.to.send(f"credit.outcomes.{record.source}", self.to.partition, text.encode(), messages.encode(outcome))


def restate_standing(rows: Any, key: bytes) -> Restated:
    """The last revision of an alert, from state."""
    row: AlertRow | None = rows.get(alert_key(key.decode()))
    return (row.body, ()) if row else None


def restate_status(rows: Any, key: bytes) -> Restated:
    """The last status of an entity, from state."""
    head: Head | None = rows.get(HEAD + key)
    return (status_body(key.decode(), head), ()) if head and head.version else None


class Midnight:
    """The partitions seen here whose clock is behind the date. Production's ticks: the owner of a partition writes one when the
    date turns; two owners at once write two, and the second does nothing."""

    def __init__(self) -> None:
        self._clocks: dict[int, int] = {}

    def saw(self, partition: int, row: Partition) -> None:
        if row.ticks == "append":
            self._clocks[partition] = row.clock

    def behind(self, today: int) -> list[int]:
        return sorted(partition for partition, clock in self._clocks.items() if clock and clock < today)


def meta_of(record: RecordIn) -> Meta:
    """What comes beside a record, from its headers."""
    origin, content = None, b""
    for name, value in record.headers:
        if name == HEADER_ORIGIN:
            origin = Origin.parse(value.decode())
        elif name == HEADER_HASH:
            content = value
    return Meta(record.offset, record.timestamp, origin, content)


def apply_slice(dossier: Dossier, sealer: Sealer, slice_: Slice) -> None:
    """All of a slice's records, in order. Their rulebooks are there already."""
    rows, effects, apply = slice_.rows, KafkaEffects(slice_, sealer), dossier.apply
    for record in slice_.fresh():
        effects.raw = value = record.value or b""
        effects.timestamp_ms = record.timestamp
        apply(rows, effects, decode_record(value), meta_of(record))


def register(
    app: EngineApp,
    *,
    rulebooks: Rulebooks,
    sealer: Sealer,
    sources: Iterable[str],
    domains: Iterable[str],
    partitions: int,
    observe: Callable[[int, Partition], None] = lambda _partition, _row: None,
) -> None:
    """Add the dossier's agent and table to ``app``. ``observe`` is given each partition's row after a slice (metrics)."""
    dossier = Dossier(rulebooks.law)
    calendar = Midnight()

    def sweep(context: Any) -> bool:
        row = context.rows.get(PARTITION)
        if isinstance(row, Partition):
            calendar.saw(context.partition, row)
        return dossier.sweep(context.rows, KafkaEffects(context, sealer))

    standing = {f"credit.standing.{domain}": restate_standing for domain in domains}
    app.keyed_table(
        TABLE,
        source=RECORDS,
        partitions=partitions,
        codec=_CODEC,
        restate={**standing, STATUS: restate_status},
        sweep=sweep,
        schema=SCHEMA,
    )
    for topic in standing:
        app.output(topic, compacted=True)
    app.output(STATUS, compacted=True)
    for topic in (DEAD_LETTERS, *(f"credit.alerts.{domain}" for domain in domains)):
        app.output(topic)
    for source in sources:
        app.output(f"credit.notices.{source}")
        app.output(f"credit.outcomes.{source}")

    async def agent(stream: Any) -> None:
        async for slice_ in stream:
            await _bring_rulebooks(rulebooks, slice_)
            apply_slice(dossier, sealer, slice_)
            row = slice_.rows.get(PARTITION)
            slice_.done()
            if isinstance(row, Partition):
                calendar.saw(slice_.partition, row)
                observe(slice_.partition, row)

    app.agent(app.slices(RECORDS), name="dossier")(agent)

    async def midnight() -> None:
        today = append_day(app.now_ms())
        behind = calendar.behind(today)
        if behind:
            await ticks.send_to(app.producer, behind, iso(today) or "")

    app.timer(MIDNIGHT_POLL_S)(midnight)


async def _bring_rulebooks(rulebooks: Rulebooks, slice_: Slice) -> None:
    """Load what this slice activates, and what its partition has active, before the synchronous steps need it."""
    row = slice_.rows.get(PARTITION)
    if isinstance(row, Partition) and row.rulebook:
        await rulebooks.ensure(row.rulebook)
    for record in slice_.records:
        if record.value is not None and record.value.startswith(ACTIVATION_MARK):
            value = decode_record(record.value)
            if isinstance(value, Activation):
                await rulebooks.ensure(value.rulebook)
