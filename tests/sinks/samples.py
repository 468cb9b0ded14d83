"""Messages as the other roles write them, with what a test wants to vary."""

from __future__ import annotations

from typing import Any

from sinks.decode import Headers, decode
from sinks.errors import Position
from sinks.rows import Row
from streamer.domain import messages as m
from streamer.domain import records as r

ORG = "12345678X"
OTHER_ORG = "87654321A"
MOMENT = "2026-01-02T08:00:00.000Z"
APPENDED_MS = 1_767_225_600_123
Message = tuple[str, bytes, bytes, Headers]  # topic, key, value, headers


def record(*, org: str = ORG, id_: str = "e1", hash_: bytes = b"h" * 16, offset: int = 7, **changes: Any) -> Message:
    """One item of credit.records; ``individual`` and ``name`` go to its party."""
    party = r.Party(org_code=org, **{k: changes.pop(k) for k in ("individual", "name", "uscc") if k in changes})
    fields: dict[str, Any] = {
        "type": "decision.penalty",
        "source": "tax",
        "id": id_,
        "domain": "tax",
        "authority": r.AuthorityRef(code="11100000000013232F", name="测试省税务局"),
        "document_number": "测税罚〔2026〕1号",
        "decided_on": "2026-01-02",
    }
    item = r.Record(party=party, **(fields | changes))
    origin = str(r.Origin("credit.events.tax", 1, offset, 0, 1)).encode()
    return "credit.records", org.encode(), r.encode_record(item), ((r.HEADER_ORIGIN, origin), (r.HEADER_HASH, hash_))


def alert_event(alert_id: str = "a1", revision: int = 1, action: str = "raised", org: str = ORG) -> m.AlertEvent:
    data = m.AlertData(
        alert_id=alert_id,
        revision=revision,
        action=action,
        domain="procurement",
        entity=m.Entity(org_code=org, name="测试公司"),
        listing=m.Listing(list="fic-list", name_zh="测试名单"),
        measure=m.MeasureRef("fic-m1", "hash", "restrict", discretionary=False, action_zh="限制", basis=()),
        evidence=(),
        objection="none",
        in_force=action != "lifted",
        remedy=m.Remedy("甲", "乙", "丙"),
        asks=m.Asks(human_decision=True, answers=("applied",)),
        reply_to=f"procurement:{alert_id}",
        cause=m.Cause("tax", "e1"),
    )
    time = f"2026-01-{max(revision, 1):02}T08:00:00.000Z"
    return m.AlertEvent(id=f"{alert_id}.{revision}", type=m.ALERT_TYPE, time=time, subject=org, data=data)


def alert(alert_id: str = "a1", revision: int = 1, action: str = "raised", *, standing: bool = False) -> Message:
    topic = "credit.standing.procurement" if standing else "credit.alerts.procurement"
    return topic, alert_id.encode(), m.encode(alert_event(alert_id, revision, action)), ()


def notice(notice_id: str = "n1", revision: int = 1, action: str = "raised") -> Message:
    data = m.NoticeData(
        notice_id=notice_id,
        revision=revision,
        action=action,
        source="finance",
        kind="consider",
        entity=m.Entity(org_code=ORG),
        rule_id="fic-c1",
        rulebook="hash",
        name_zh="测试提示",
        basis=(),
        evidence=(),
        cause=m.Cause("calendar", "2026-01-02"),
    )
    time = f"2026-02-{max(revision, 1):02}T00:00:00+08:00"
    event = m.NoticeEvent(id=f"{notice_id}.{revision}", type=m.NOTICE_TYPE, time=time, subject=ORG, data=data)
    return "credit.notices.finance", notice_id.encode(), m.encode(event), ()


def status(version: int = 1, org: str = ORG, **changes: Any) -> Message:
    fields: dict[str, Any] = {"open_entries": (), "open_alerts": (f"a{version}",)}
    value = m.Status(org_code=org, version=version, changed_at=MOMENT, **(fields | changes))
    return "credit.status", org.encode(), m.encode(value), ()


def dead_letter(offset: int = 9, stage: str = "intake", **changes: Any) -> Message:
    fields: dict[str, Any] = {
        "fate": "dead-lettered",
        "reason": "not_json",
        "source": "tax",
        "sealed": "AAEC",
        "at": MOMENT,
    }
    origin = str(r.Origin("credit.events.tax", 0, offset))
    value = m.DeadLetter(origin=origin, stage=stage, **(fields | changes))
    return "credit.dead-letters", origin.encode(), m.encode(value), ()


def rows(message: Message, partition: int = 2, offset: int = 40) -> tuple[Row, ...]:
    topic, key, value, headers = message
    return decode(Position(topic, partition, offset), key, value, headers, APPENDED_MS)
