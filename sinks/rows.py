"""One named tuple a table, with the fields of its type in ``sinks/migrations/0005_rows.sql``, and each table's key.

Not for: SQL (``sinks/queries``) or decoding (``sinks.decode``).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, NamedTuple


class RecordRow(NamedTuple):
    """An item about an organisation (enterprise.record)."""

    source: str
    event_id: str
    org_code: str
    content_hash: bytes
    type: str
    domain: str
    authority_code: str | None
    authority_name: str | None
    document_number: str
    decided_on: date | None
    version: int
    conduct: str | None
    basis_stated: bool | None
    data: str
    sealed: bytes | None
    inbound_topic: str
    inbound_partition: int
    inbound_offset: int
    party: int
    parties: int
    records_partition: int
    records_offset: int
    appended_at: datetime


class PersonRecordRow(NamedTuple):
    """An item about an individual business (个体工商户, person.record): sealed, no name."""

    source: str
    event_id: str
    org_code: str
    content_hash: bytes
    type: str
    domain: str
    version: int
    sealed: bytes | None
    inbound_topic: str
    inbound_partition: int
    inbound_offset: int
    party: int
    parties: int
    records_partition: int
    records_offset: int
    appended_at: datetime


class AlertRow(NamedTuple):
    """What stands of an alert (enterprise.alert)."""

    alert_id: str
    revision: int
    action: str
    domain: str
    org_code: str
    list: str
    rule_id: str
    class_: str
    in_force: bool
    changed_at: datetime
    data: str


class AlertRaised(NamedTuple):
    """When an alert was raised: the time of its revision 1, whichever revision came first."""

    alert_id: str
    raised_at: datetime


class AlertHistoryRow(NamedTuple):
    """One revision of an alert (enterprise.alert_history)."""

    alert_id: str
    revision: int
    action: str
    domain: str
    org_code: str
    changed_at: datetime
    data: str


class NoticeRow(NamedTuple):
    """What stands of a notice (enterprise.notice)."""

    notice_id: str
    revision: int
    action: str
    source: str
    kind: str
    org_code: str
    rule_id: str
    changed_at: datetime
    data: str


class NoticeRaised(NamedTuple):
    """When a notice was raised."""

    notice_id: str
    raised_at: datetime


class NoticeHistoryRow(NamedTuple):
    """One revision of a notice (enterprise.notice_history)."""

    notice_id: str
    revision: int
    action: str
    source: str
    org_code: str
    changed_at: datetime
    data: str


class StatusRow(NamedTuple):
    """What stands about an entity (enterprise.status)."""

    org_code: str
    version: int
    uscc: str | None
    name: str | None
    data: str
    changed_at: datetime


class DeadLetterRow(NamedTuple):
    """An item that could not go on (ops.dead_letter), its original sealed."""

    origin: str
    stage: str
    fate: str
    reason: str
    source: str | None
    event_id: str | None
    type: str | None
    org_code: str | None
    json_pointer: str
    at: datetime
    sealed: bytes


Row = (
    RecordRow
    | PersonRecordRow
    | AlertRow
    | AlertRaised
    | AlertHistoryRow
    | NoticeRow
    | NoticeRaised
    | NoticeHistoryRow
    | StatusRow
    | DeadLetterRow
)


class Table(NamedTuple):
    """How rows of one kind are written: query, count of leading key fields, index of the deciding version."""

    row: type[Row]
    name: str
    query: str
    key: int
    version: int | None = None

    @property
    def key_kind(self) -> str:
        """The key's column names, for messages that may not show its values."""
        return ", ".join(self.row._fields[: self.key])


# In the order of writing; the same in every transaction, so that two writers meet each other's locks in one order.
TABLES: Final = (
    Table(RecordRow, "enterprise.record", "insert_records", key=4),
    Table(PersonRecordRow, "person.record", "insert_person_records", key=4),
    Table(AlertHistoryRow, "enterprise.alert_history", "insert_alert_history", key=2),
    Table(AlertRow, "enterprise.alert", "upsert_alerts", key=1, version=1),
    Table(AlertRaised, "enterprise.alert", "date_alerts", key=1),
    Table(NoticeHistoryRow, "enterprise.notice_history", "insert_notice_history", key=2),
    Table(NoticeRow, "enterprise.notice", "upsert_notices", key=1, version=1),
    Table(NoticeRaised, "enterprise.notice", "date_notices", key=1),
    Table(StatusRow, "enterprise.status", "upsert_statuses", key=1, version=1),
    Table(DeadLetterRow, "ops.dead_letter", "insert_dead_letters", key=2),
)
TABLE_OF: Final[dict[type, Table]] = {table.row: table for table in TABLES}
