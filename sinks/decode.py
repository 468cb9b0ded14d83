"""Messages of our own topics as rows: pure, one call a message. Not for: inbound topics, which the sink never reads.

A message that does not decode is a bug of its producer and raises UndecodableMessage: its place, never its content.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

import msgspec

from sinks.errors import Position, UndecodableMessage
from sinks.rows import (
    AlertHistoryRow,
    AlertRaised,
    AlertRow,
    DeadLetterRow,
    NoticeHistoryRow,
    NoticeRaised,
    NoticeRow,
    PersonRecordRow,
    RecordRow,
    Row,
    StatusRow,
)
from streamer.domain import messages
from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN, Origin, Record, decode_record

Headers = Sequence[tuple[str, bytes]]
FIRST_REVISION: Final = 1
UNSTATED: Final = "unstated"
_WITH_CONDUCT: Final = frozenset({"decision.penalty", "document.recorded"})  # types that can state conduct and basis
_WITHOUT_TOMBSTONES: Final = frozenset({"credit.records", "credit.dead-letters", "credit.alerts", "credit.notices"})

_encode = msgspec.json.Encoder().encode
_NUL: Final = b"\\u0000"
_ESCAPE: Final = re.compile(rb"(\\\\)|\\u0000")
_PATH: Final = re.compile(r"at `([^`]*)`$")


class _Message(msgspec.Struct, frozen=True, gc=False):
    key: str
    value: bytes
    headers: Headers
    at: Position
    timestamp_ms: int


def decode(
    at: Position, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int
) -> tuple[Row, ...]:
    """The rows of the message at ``at``; none for a tick, an activation, or the tombstone of a compacted topic.

    Raises UndecodableMessage.
    """
    family, decoder = _decoder(at.topic)
    if decoder is None:
        raise UndecodableMessage(at, "the sink does not know this topic")
    if value is None:
        if family in _WITHOUT_TOMBSTONES:
            raise UndecodableMessage(at, "no value")
        return ()
    if _NUL in value:
        value = _storable(value)
    try:
        return decoder(_Message((key or b"").decode(), value, headers, at, timestamp_ms))
    except msgspec.MsgspecError as error:
        path = _PATH.search(str(error))
        why = f"{type(error).__name__} at {path[1] if path else '$'}"
    except _ContractError as error:
        why = str(error)
    except ValueError as error:
        why = f"{type(error).__name__}: a date, time, origin or base64 text that is none"
    raise UndecodableMessage(at, why)  # outside the handler: what was caught may quote values


class _ContractError(Exception):
    """Says what is wrong, without values."""


def _record(message: _Message) -> tuple[Row, ...]:
    record = decode_record(message.value)
    if not isinstance(record, Record):
        return ()
    party = record.party
    _same(message.key, party.org_code, "party.org_code")
    origin, content_hash = _item(message.headers)
    sealed = None if record.sealed is None else _unsealed_text(record.sealed)
    appended_at = _appended(message.timestamp_ms)
    place = (*origin, message.at.partition, message.at.offset, appended_at)
    if party.individual:
        return (
            PersonRecordRow(
                record.source,
                record.id,
                party.org_code,
                content_hash,
                record.type,
                record.domain,
                record.version,
                sealed,
                *place,
            ),
        )
    states_basis = record.type in _WITH_CONDUCT
    authority = record.authority
    return (
        RecordRow(
            record.source,
            record.id,
            party.org_code,
            content_hash,
            record.type,
            record.domain,
            authority.code,
            authority.name,
            record.document_number,
            _day(record.decided_on) if record.decided_on else None,
            record.version,
            (record.conduct or UNSTATED) if states_basis else None,
            bool(record.basis) if states_basis else None,
            _clear(message.value, record),
            sealed,
            *place,
        ),
    )


@lru_cache(maxsize=256)  # the broker gives a whole batch one append time
def _appended(timestamp_ms: int) -> datetime:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC)


def _item(headers: Headers) -> tuple[Origin, bytes]:
    """The item of account and the content's hash, from the headers."""
    origin = content_hash = None
    for name, value in headers:
        if name == HEADER_ORIGIN:
            origin = value
        elif name == HEADER_HASH:
            content_hash = value
    if origin is None or content_hash is None:
        raise _ContractError(f"header {HEADER_ORIGIN if origin is None else HEADER_HASH!r} is missing")
    return Origin.parse(origin.decode()), content_hash


def _clear(value: bytes, record: Record) -> str:
    """A record's JSON without what is sealed, which intake writes last."""
    if record.sealed is None:
        return value.decode()
    tail = f',"sealed":"{record.sealed}"}}'.encode()
    if value.endswith(tail):
        return value[: -len(tail)].decode() + "}"
    return _encode(msgspec.structs.replace(record, sealed=None)).decode()


def _standing(message: _Message) -> tuple[Row, ...]:
    return (_alert_row(message, messages.decode_alert(message.value)),)


def _alert(message: _Message) -> tuple[Row, ...]:
    event = messages.decode_alert(message.value)
    row = _alert_row(message, event)
    history = AlertHistoryRow(
        row.alert_id, row.revision, row.action, row.domain, row.org_code, row.changed_at, row.data
    )
    if row.revision == FIRST_REVISION:
        return history, row, AlertRaised(row.alert_id, row.changed_at)
    return history, row


def _alert_row(message: _Message, event: messages.AlertEvent) -> AlertRow:
    alert = event.data
    _same(message.key, alert.alert_id, "data.alert_id")
    return AlertRow(
        alert.alert_id,
        alert.revision,
        alert.action,
        alert.domain,
        alert.entity.org_code,
        alert.listing.list,
        alert.measure.rule_id,
        alert.measure.class_,
        alert.in_force,
        _instant(event.time),
        _data(message.value),
    )


def _notice(message: _Message) -> tuple[Row, ...]:
    event = messages.decode_notice(message.value)
    notice = event.data
    _same(message.key, notice.notice_id, "data.notice_id")
    data, changed_at, org_code = _data(message.value), _instant(event.time), notice.entity.org_code
    history = NoticeHistoryRow(
        notice.notice_id, notice.revision, notice.action, notice.source, org_code, changed_at, data
    )
    row = NoticeRow(
        notice.notice_id,
        notice.revision,
        notice.action,
        notice.source,
        notice.kind,
        org_code,
        notice.rule_id,
        changed_at,
        data,
    )
    if notice.revision == FIRST_REVISION:
        return history, row, NoticeRaised(notice.notice_id, changed_at)
    return history, row


def _status(message: _Message) -> tuple[Row, ...]:
    status = messages.decode_status(message.value)
    _same(message.key, status.org_code, "org_code")
    changed_at = _instant(status.changed_at)
    data = message.value.decode()
    return (StatusRow(status.org_code, status.version, status.uscc, status.name, data, changed_at),)


def _dead_letter(message: _Message) -> tuple[Row, ...]:
    letter = messages.decode_dead_letter(message.value)
    _same(message.key, letter.origin, "origin")
    return (
        DeadLetterRow(
            letter.origin,
            letter.stage,
            letter.fate,
            letter.reason,
            letter.source,
            letter.event_id,
            letter.type,
            letter.org_code,
            letter.json_pointer,
            _instant(letter.at),
            _unsealed_text(letter.sealed),
        ),
    )


Decoder = Callable[[_Message], tuple[Row, ...]]
# By topic family: the name itself, or the name before its last part (domain, source).
DECODERS: Final[dict[str, Decoder]] = {
    "credit.records": _record,
    "credit.alerts": _alert,
    "credit.standing": _standing,
    "credit.notices": _notice,
    "credit.status": _status,
    "credit.dead-letters": _dead_letter,
}


@lru_cache(maxsize=1024)
def _decoder(topic: str) -> tuple[str, Decoder | None]:
    """The family of a topic (``credit.alerts.procurement`` → ``credit.alerts``) and how it decodes."""
    family = topic if topic in DECODERS else topic.rpartition(".")[0]
    return family, DECODERS.get(family)


def _same(key: str, expected: str, field: str) -> None:
    if key != expected:
        raise _ContractError(f"the message's key is not its {field}")


def _unsealed_text(base64: str) -> bytes:
    """The sealed bytes out of their base64; still sealed."""
    return binascii.a2b_base64(base64, strict_mode=True)


_day: Final = lru_cache(maxsize=8192)(date.fromisoformat)


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise _ContractError("a time without an offset from UTC")
    return found


class _Event(msgspec.Struct):
    data: msgspec.Raw


_decode_event = msgspec.json.Decoder(_Event).decode


def _data(value: bytes) -> str:
    """An event's data as it was sent."""
    return bytes(_decode_event(value).data).decode()


def _storable(value: bytes) -> bytes:
    """JSON as Postgres takes it: U+0000 cannot be stored and becomes U+FFFD (an escaped backslash is no start of it)."""
    return _ESCAPE.sub(lambda found: found[1] or b"\\ufffd", value)
