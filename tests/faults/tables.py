"""What PostgreSQL must hold, row by row and column by column, from the messages in Kafka. Written from the contract and the
tables' own definitions, without the sink's code. Not for: reading or comparing (``verdict``)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN
from streamer.kafka_io import Message

Row = dict[str, Any]
Key = tuple[Any, ...]


class Table(NamedTuple):
    """``key``: columns of the primary key."""

    name: str
    key: tuple[str, ...]


RECORDS: Final = Table("enterprise.record", ("source", "event_id", "org_code", "content_hash"))
PEOPLE: Final = Table("person.record", RECORDS.key)
LETTERS: Final = Table("ops.dead_letter", ("origin", "stage"))
STATUS: Final = Table("enterprise.status", ("org_code",))
ALERTS: Final = Table("enterprise.alert", ("alert_id",))
ALERT_HISTORY: Final = Table("enterprise.alert_history", ("alert_id", "revision"))
NOTICES: Final = Table("enterprise.notice", ("notice_id",))
NOTICE_HISTORY: Final = Table("enterprise.notice_history", ("notice_id", "revision"))
TABLES: Final = (RECORDS, PEOPLE, LETTERS, STATUS, ALERTS, ALERT_HISTORY, NOTICES, NOTICE_HISTORY)
#: Columns that PostgreSQL makes of others.
GENERATED: Final = frozenset({"date_status"})
WITH_BASIS: Final = frozenset({"decision.penalty", "document.recorded"})


class Expected:
    """Rows by table and key, as messages come in, in order of offset within a partition: the first of a key stays, or the first of
    its highest version."""

    def __init__(self) -> None:
        self.rows: dict[Table, dict[Key, Row]] = {table: {} for table in TABLES}

    def record(self, message: Message) -> None:
        body = _json(message)
        origin = message.header(HEADER_ORIGIN)
        if body["record"] != "item" or origin is None:
            return
        topic, partition, offset, party, parties = origin.decode().rsplit("|", 4)
        sealed = body.pop("sealed", None)
        kept = {
            "source": body["source"],
            "event_id": body["id"],
            "org_code": body["party"]["org_code"],
            "content_hash": message.header(HEADER_HASH),
            "type": body["type"],
            "domain": body["domain"],
            "version": body.get("version", 1),
            "sealed": _bytes(sealed),
            "inbound_topic": topic,
            "inbound_partition": int(partition),
            "inbound_offset": int(offset),
            "party": int(party),
            "parties": int(parties),
            "records_partition": message.partition,
            "records_offset": message.offset,
            "appended_at": message.timestamp,
        }
        if body["party"].get("individual"):
            self._first(PEOPLE, kept)
            return
        on, authority = body.get("decided_on"), body["authority"]
        states_basis = body["type"] in WITH_BASIS
        kept |= {
            "authority_code": authority.get("code"),
            "authority_name": authority.get("name"),
            "document_number": body["document_number"],
            "decided_on": date.fromisoformat(on) if on else None,
            "conduct": (body.get("conduct") or "unstated") if states_basis else None,
            "basis_stated": bool(body.get("basis")) if states_basis else None,
            "data": body,
        }
        self._first(RECORDS, kept)

    def letter(self, message: Message) -> None:
        body = _json(message)
        told = ("origin", "stage", "fate", "reason", "source", "event_id", "type", "org_code")
        kept = {name: body.get(name) for name in told}
        kept |= {"json_pointer": body.get("json_pointer", ""), "at": _ms(body["at"]), "sealed": _bytes(body["sealed"])}
        self._first(LETTERS, kept)

    def status(self, message: Message) -> None:
        if message.value is None:
            return
        body = _json(message)
        kept = {name: body.get(name) for name in ("org_code", "version", "uscc", "name")}
        self._highest(STATUS, kept | {"data": body, "changed_at": _ms(body["changed_at"])}, "version")

    def alert(self, message: Message) -> None:
        event = _json(message)
        data = event["data"]
        history = {
            "alert_id": data["alert_id"],
            "revision": data["revision"],
            "action": data["action"],
            "domain": data["domain"],
            "org_code": data["entity"]["org_code"],
            "changed_at": _ms(event["time"]),
            "data": data,
        }
        self._first(ALERT_HISTORY, history)
        measure = data["measure"]
        now = {"list": data["listing"]["list"], "rule_id": measure["rule_id"], "class": measure["class"]}
        self._current(ALERTS, history | now | {"in_force": data["in_force"]})

    def notice(self, message: Message) -> None:
        event = _json(message)
        data = event["data"]
        history = {
            "notice_id": data["notice_id"],
            "revision": data["revision"],
            "action": data["action"],
            "source": data["source"],
            "org_code": data["entity"]["org_code"],
            "changed_at": _ms(event["time"]),
            "data": data,
        }
        self._first(NOTICE_HISTORY, history)
        self._current(NOTICES, history | {"kind": data["kind"], "rule_id": data["rule_id"]})

    def _current(self, table: Table, row: Row) -> None:
        """The highest revision, with the time of the first."""
        known = self.rows[table].get(tuple(row[name] for name in table.key), {})
        raised_at = known.get("raised_at")
        if raised_at is None and row["revision"] == 1:
            raised_at = row["changed_at"]
        kept = self._highest(table, row, "revision")
        kept["raised_at"] = raised_at

    def _first(self, table: Table, row: Row) -> None:
        self.rows[table].setdefault(tuple(row[name] for name in table.key), row)

    def _highest(self, table: Table, row: Row, version: str) -> Row:
        rows, key = self.rows[table], tuple(row[name] for name in table.key)
        if key not in rows or rows[key][version] < row[version]:
            rows[key] = row
        return rows[key]


def readers(it: Expected, domains: list[str], sources: list[str]) -> dict[str, Callable[[Message], None]]:
    """What takes the messages of each topic."""
    found = {"credit.records": it.record, "credit.dead-letters": it.letter, "credit.status": it.status}
    found |= {f"credit.alerts.{domain}": it.alert for domain in domains}
    return found | {f"credit.notices.{source}": it.notice for source in sources}


def found(row: Any) -> Row:
    """A row of PostgreSQL in the same terms."""
    return {name: _plain(name, value) for name, value in row.items() if name not in GENERATED}


def _plain(name: str, value: Any) -> Any:
    if name == "data":
        return json.loads(value)
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value


def _json(message: Message) -> Any:
    """PostgreSQL stores no U+0000: U+FFFD stands for it."""
    return _storable(json.loads(message.value or b""))


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    return value


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
