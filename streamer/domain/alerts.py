"""Alerts and notices as messages: raised, amended, lifted, with what the law says and what the decision says (惩戒提示).

Not for: deciding that one is due (``streamer.domain.entries``, ``streamer.domain.counters``). An alert is advisory: it asks a
person. Its id is a hash of entity, entry, measure and ordinal; the same state gives the same bytes.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from streamer.domain import messages
from streamer.domain.dates import iso
from streamer.domain.law import ListRow, Measure, Row
from streamer.domain.messages import (
    AlertData,
    AlertEvent,
    Asks,
    BasisText,
    Entity,
    Evidence,
    Lift,
    Listing,
    MeasureRef,
    NoticeData,
    NoticeEvent,
    Remedy,
)
from streamer.domain.state import ALERT, AlertRow, AlertState, End, Fact
from streamer.domain.work import Work

ALERT_ID_BYTES: Final = 16
ANSWERS: Final = ("received", "applied", "not_applied", "lift_confirmed")


def alert_id(org_code: str, entry: bytes, rule_id: str, ordinal: int) -> str:
    """32 hex characters; ``entry`` is the fact id, or the criterion's id."""
    text = b"\0".join((org_code.encode(), entry, rule_id.encode(), b"%d" % ordinal))
    return blake2b(text, digest_size=ALERT_ID_BYTES).hexdigest()


def alert_key(identifier: str) -> bytes:
    return ALERT + bytes.fromhex(identifier)


def basis_of(row: Row) -> tuple[BasisText, ...]:
    return tuple(BasisText(b.instrument, b.article, b.text_zh) for b in row.basis)


def entity_of(work: Work, fact: Fact | None) -> Entity:
    """The entity as the decision names it; without a decision (a criterion), as last named."""
    name, as_of = (fact.name, fact.decided_on) if fact else (work.head.name, work.head.name_as_of)
    return Entity(
        org_code=work.org_code,
        uscc=(fact.uscc if fact else None) or work.head.uscc,
        name=name,
        name_as_of=iso(as_of) if name else None,
    )


def evidence_of(work: Work, fact: Fact) -> Evidence:
    return Evidence(
        authority=work.law.authority_name(fact.authority),
        document_number=fact.document_number,
        kind=fact.kind,
        decided_on=iso(fact.decided_on),
        url=fact.url,
    )


def listing_of(work: Work, fact: Fact, row: ListRow, from_: int, until: int, until_basis: str | None) -> Listing:
    grounds = {ground.code: ground.name_zh for ground in row.grounds}
    return Listing(
        list=row.id,
        name_zh=row.name_zh,
        authority=work.law.authority_name(fact.authority),
        document_number=fact.document_number,
        decided_on=iso(fact.decided_on),
        served_on=iso(fact.served_on),
        ground_zh=grounds.get(fact.ground or ""),
        from_=iso(from_),
        until=iso(until),
        until_basis=until_basis,
    )


def measure_of(work: Work, row: Measure) -> MeasureRef:
    return MeasureRef(row.id, work.law.hash, row.class_, row.discretionary, row.action_zh, basis_of(row))


def raise_alert(
    work: Work,
    state: AlertState,
    entry: bytes,
    *,
    domain: str,
    rule_id: str,
    entity: Entity,
    listing: Listing,
    measure: MeasureRef,
    evidence: tuple[Evidence, ...],
    remedy: Remedy,
) -> str:
    """Raise, or amend when one is open and says something else. Returns the alert's id; says nothing when nothing is new."""
    if state.open and last_alert(work, alert_id(work.org_code, entry, rule_id, state.ordinal)).data.domain != domain:
        lift_alert(work, state, entry, rule_id, Lift(cause="rule-ended", effective_on=iso(work.clock)))  # the row moved
    if not state.open:
        state.ordinal, state.revision, state.open = state.ordinal + 1, 0, True
    identifier = alert_id(work.org_code, entry, rule_id, state.ordinal)
    data = AlertData(
        alert_id=identifier,
        revision=state.revision + 1,
        action="amended" if state.revision else "raised",
        domain=domain,
        entity=entity,
        listing=listing,
        measure=measure,
        evidence=evidence,
        objection="none",
        in_force=True,
        remedy=remedy,
        asks=Asks(human_decision=True, answers=ANSWERS),
        reply_to=reply_to(identifier, domain),
        cause=work.cause,
    )
    if state.revision:
        last = last_alert(work, identifier).data
        if msgspec.structs.replace(data, revision=last.revision, action=last.action, cause=last.cause) == last:
            return identifier
    state.revision += 1
    _send(work, identifier, data)
    return identifier


def lift_alert(work: Work, state: AlertState, entry: bytes, rule_id: str, lift: Lift) -> None:
    """Take an open alert back. The lift stands alone: it repeats what was raised, from the row of the last revision."""
    identifier = alert_id(work.org_code, entry, rule_id, state.ordinal)
    state.revision, state.open = state.revision + 1, False
    data = msgspec.structs.replace(
        last_alert(work, identifier).data,
        revision=state.revision,
        action="lifted",
        in_force=False,
        lift=lift,
        cause=work.cause,
    )
    _send(work, identifier, data)


def last_alert(work: Work, identifier: str) -> AlertEvent:
    row: AlertRow = work.rows.get(alert_key(identifier))
    return messages.decode_alert(row.body)


def reply_to(identifier: str, domain: str) -> str:
    """Opaque to the subscriber, echoed in its receipt; routes it back to the alert."""
    return f"{domain}:{identifier}"


def lift_of(end: End | None, cause: str, clock: int) -> Lift:
    if end is None:
        return Lift(cause=cause, effective_on=iso(clock))
    return Lift(cause=cause, document=end.document_number, effective_on=iso(end.on or clock))


def _send(work: Work, identifier: str, data: AlertData) -> None:
    body = messages.encode(
        AlertEvent(
            id=f"{identifier}.{data.revision}", type=messages.ALERT_TYPE, time=work.at, subject=work.org_code, data=data
        )
    )
    work.rows.put(alert_key(identifier), AlertRow(to=data.domain, body=body), len(body) + 60, False)
    work.effects.alert(data.domain, identifier, body)
    work.changed = True


def tell_notice(
    work: Work,
    state: AlertState,
    entry: bytes,
    *,
    source: str,
    kind: str,
    rule_id: str,
    name_zh: str,
    basis: tuple[BasisText, ...],
    evidence: tuple[Evidence, ...],
    entity: Entity,
) -> None:
    """Give a private notice, once while its ground lasts."""
    if state.open:
        return
    state.ordinal, state.revision, state.open = state.ordinal + 1, 1, True
    identifier = alert_id(work.org_code, entry, f"{rule_id}:{kind}", state.ordinal)
    data = NoticeData(
        notice_id=identifier,
        revision=1,
        action="raised",
        source=source,
        kind=kind,
        entity=entity,
        rule_id=rule_id,
        rulebook=work.law.hash,
        name_zh=name_zh,
        basis=basis,
        evidence=evidence,
        cause=work.cause,
    )
    _send_notice(work, data)


def close_notice(work: Work, state: AlertState, entry: bytes, rule_id: str, kind: str) -> None:
    """The ground of an open notice is gone."""
    if not state.open:
        return
    identifier = alert_id(work.org_code, entry, f"{rule_id}:{kind}", state.ordinal)
    state.revision, state.open = state.revision + 1, False
    row: AlertRow = work.rows.get(alert_key(identifier))
    last = messages.decode_notice(row.body).data
    _send_notice(work, msgspec.structs.replace(last, revision=state.revision, action="closed", cause=work.cause))


def _send_notice(work: Work, data: NoticeData) -> None:
    body = messages.encode(
        NoticeEvent(
            id=f"{data.notice_id}.{data.revision}",
            type=messages.NOTICE_TYPE,
            time=work.at,
            subject=work.org_code,
            data=data,
        )
    )
    work.rows.put(alert_key(data.notice_id), AlertRow(to=data.source, body=body), len(body) + 60, False)
    work.effects.notice(data.source, data.notice_id, body)
