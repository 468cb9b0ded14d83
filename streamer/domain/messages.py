"""What leaves the house: alert, notice, status, outcome and dead letter, as structures and as bytes.

Alert and notice are CloudEvents 1.0 (structured mode); the others plain JSON. Every field is explainable from state alone.
Never in an alert: score, severity, legal representative, citizen number or mask, other lists, free text of facts.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

ALERT_TYPE: Final = "credit.alert.v1"
NOTICE_TYPE: Final = "credit.notice.v1"
MESSAGE_SOURCE: Final = "urn:credit:streamer"


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    org_code: str
    uscc: str | None = None
    name: str | None = None
    name_as_of: str | None = None


class BasisText(msgspec.Struct, frozen=True):
    instrument: str
    article: str
    text_zh: str


class Listing(msgspec.Struct, frozen=True, omit_defaults=True):
    """The entry that an alert rests on (列入). For a criterion ``list`` is the criterion's row id."""

    list: str
    name_zh: str
    authority: str | None = None
    document_number: str | None = None
    decided_on: str | None = None
    served_on: str | None = None
    ground_zh: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    until: str | None = None
    until_basis: str | None = None


class MeasureRef(msgspec.Struct, frozen=True):
    rule_id: str
    rulebook: str
    class_: str = msgspec.field(name="class")
    discretionary: bool
    action_zh: str
    basis: tuple[BasisText, ...]


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    authority: str
    document_number: str
    kind: str
    decided_on: str | None = None
    url: str | None = None


class Remedy(msgspec.Struct, frozen=True):
    objection_to: str
    repair_to: str
    exit_zh: str


class Lift(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an alert is taken back. ``cause``: delisted | withdrawn | expired | superseded | criterion-ended | rule-ended."""

    cause: str
    document: str | None = None
    effective_on: str | None = None


class Asks(msgspec.Struct, frozen=True, omit_defaults=True):
    human_decision: bool
    answers: tuple[str, ...]
    answer_by: str | None = None


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """The event that caused this revision; for what fell due, ``source`` is ``calendar`` and ``event_id`` the due date."""

    source: str
    event_id: str


class AlertData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    alert_id: str
    revision: int
    action: str  # raised | amended | lifted
    domain: str
    entity: Entity
    listing: Listing
    measure: MeasureRef
    evidence: tuple[Evidence, ...]
    objection: str  # none | pending | upheld
    in_force: bool
    remedy: Remedy
    lift: Lift | None = None
    asks: Asks
    reply_to: str
    cause: Cause


class NoticeData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Private, to the competent source: something to consider or to complete; restricts nothing.

    ``kind``: consider (a criterion seems met) | notice-not-served | not-published | remedies-open
    """

    notice_id: str
    revision: int
    action: str  # raised | closed
    source: str  # addressee
    kind: str
    entity: Entity
    rule_id: str
    rulebook: str
    name_zh: str
    basis: tuple[BasisText, ...]
    evidence: tuple[Evidence, ...]
    cause: Cause


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Structured mode, application/cloudevents+json. ``id`` is ``<alert_id>.<revision>``."""

    specversion: str = "1.0"
    id: str
    source: str = MESSAGE_SOURCE
    type: str
    time: str
    subject: str  # organization code
    datacontenttype: str = "application/json"
    data: Any


class AlertEvent(CloudEvent, frozen=True, kw_only=True):
    data: AlertData


class NoticeEvent(CloudEvent, frozen=True, kw_only=True):
    data: NoticeData


class OpenEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    list: str
    authority: str
    document_number: str
    from_: str = msgspec.field(name="from")
    until: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands about an entity now (credit.status, compacted, internal). ``version`` grows by one with each change."""

    org_code: str
    version: int
    uscc: str | None = None
    name: str | None = None
    open_entries: tuple[OpenEntry, ...]
    open_alerts: tuple[str, ...]  # alert ids, sorted
    changed_at: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A department's own feedback (credit.outcomes.<source>). Never a value of the event."""

    event_id: str | None  # absent when the id itself must not be repeated
    topic: str
    partition: int
    offset: int
    party: int
    outcome: str  # dead-lettered | parked
    reason_code: str
    json_pointer: str
    fix_zh: str
    fix_en: str
    retryable: bool


class OutcomeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rest, by period: one message a partition when its clock turns. Sum over partitions and messages."""

    period_until: str
    counts: dict[str, int]  # applied | duplicate | superseded


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An item that could not go on (credit.dead-letters), its original sealed. ``fate``: dead-lettered | parked."""

    origin: str  # Origin as text
    fate: str
    stage: str  # intake | dossier
    reason: str
    source: str | None
    event_id: str | None = None
    type: str | None = None
    org_code: str | None = None
    json_pointer: str = ""
    at: str  # RFC 3339: append time of the record that caused it; at intake the time that the message's sender gave
    sealed: str  # base64


encode = msgspec.json.Encoder().encode
decode_alert = msgspec.json.Decoder(AlertEvent).decode
decode_notice = msgspec.json.Decoder(NoticeEvent).decode
decode_status = msgspec.json.Decoder(Status).decode
decode_dead_letter = msgspec.json.Decoder(DeadLetter).decode
decode_outcome = msgspec.json.Decoder(Outcome).decode
