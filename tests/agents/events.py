"""Inbound messages for tests: one event of each type with every field it can have, sent by a fictional tax system."""

from __future__ import annotations

import copy
import json
from typing import Any, NamedTuple

from streamer.agents.admission import Admission, OutRecord, Refused
from streamer.domain.records import Record, decode_record
from streamer.domain.sealing import Sealer
from tests.domain.codes import citizen_number, uscc
from topics.envelope import SOURCE_PREFIX

TOPIC = "credit.events.tax"
TYPES = ("decision.penalty", "decision.listing", "decision.delisting", "document.recorded", "withdrawal", "correction")
NUMBER = citizen_number(17)
NAME = "欧阳测试"
FIRST, SECOND, THIRD = uscc(body="MA000001"), uscc(body="MA000002"), uscc(body="MA000003")
INDIVIDUAL = uscc("92449900", "L0000001")
AUTHORITY = {"code": "11449900TTTT00022E", "name": "国家税务总局测试省税务局"}
SEALER = Sealer.from_hex("5a" * 32)


class TestSource(NamedTuple):
    __test__ = False
    id: str
    types: tuple[str, ...]
    domains: tuple[str, ...]


SOURCES = (TestSource("tax", TYPES, ("tax",)), TestSource("collector", ("document.recorded",), ()))
ADMISSION = Admission(SOURCES, SEALER)


def party(code: str = FIRST, **more: Any) -> dict[str, Any]:
    return {"kind": "organisation", "identifiers": {"uscc": code}, "name": "测试省第一建设有限公司", **more}


def person(**more: Any) -> dict[str, Any]:
    return {"kind": "person", "identifiers": {"citizen_number": NUMBER}, "name": NAME, **more}


def individual(**more: Any) -> dict[str, Any]:
    return {"kind": "individual_business", "identifiers": {"uscc": INDIVIDUAL}, "name": NAME, **more}


PENALTY_BODY = {
    "conduct": "tax.evasion",
    "facts": "以多列支出的手段少缴税款。",
    "basis": [{"instrument": "测试省税收征收条例", "article": "第六十三条第一款", "text": "对偷税的，并处罚款。"}],
    "outcomes": [
        {"kind": "fine", "amount_fen": 5000, "from": "2026-01-05", "to": "2026-02-05", "content": "处以罚款。"}
    ],
    "assessed": [{"year": 2024, "amount_fen": 120000, "share_permille": 150}],
    "publicity": "serious",
}
LISTING_BODY = {
    "list": "tax.major-dishonest",
    "ground": "tax.evasion",
    "based_on": [{"authority": AUTHORITY, "document_number": "测税稽罚〔2026〕1号"}],
    "notice_served_on": "2026-01-02",
    "remedies_closed": True,
    "effective_on": "2026-02-01",
    "published_on": "2026-02-02",
    "until": "2029-02-01",
    "until_basis": "测试省失信名单办法第十二条",
}
DOCUMENT_BODY = {"kind": "judgment", "facts": "判决如下。", "outcomes": [{"kind": "other", "content": "支付货款。"}]}
TARGET = {"authority": AUTHORITY, "document_number": "测税稽罚〔2026〕1号", "kind": "penalty"}
BODIES: dict[str, dict[str, Any]] = {
    "decision.penalty": PENALTY_BODY,
    "decision.listing": LISTING_BODY,
    "decision.delisting": {
        "list": "tax.major-dishonest",
        "listing": {"id": "lr-1", "document_number": "测税失信〔2026〕2号", "authority": AUTHORITY},
        "cause": "repaired",
        "effective_on": "2026-08-01",
    },
    "document.recorded": DOCUMENT_BODY,
    "withdrawal": {"target": {"id": "e-0", **TARGET}, "target_version": 2, "cause": "revoked"},
    "correction": {
        "target": TARGET,
        "kind": "penalty",
        "version": 3,
        "original_party": party(SECOND),
        "replacement": {"decided_on": "2026-01-05", **PENALTY_BODY},
    },
}


def data(type_: str = "decision.penalty", **changes: Any) -> dict[str, Any]:
    """The data of a full event. A change to None removes the field."""
    found = {
        "authority": AUTHORITY,
        "document_number": "测税稽罚〔2026〕1号",
        "decided_on": "2026-01-05",
        "domain": "tax",
        "parties": [party()],
        "url": "https://tax.example.org/2026/1.html",
        "remarks": "无",
        **({} if type_ == "correction" else {"version": 1}),
        **BODIES[type_],
        **changes,
    }
    return copy.deepcopy({name: value for name, value in found.items() if value is not None})


def event(type_: str = "decision.penalty", *, id: str = "e-1", **changes: Any) -> dict[str, Any]:  # noqa: A002
    return envelope(type_, data(type_, **changes), id=id)


def envelope(type_: str, content: Any, **attributes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": SOURCE_PREFIX + "tax",
        "type": f"credit.{type_}.v1",
        "time": "2026-03-02T09:30:00+08:00",
        "datacontenttype": "application/json",
        "data": content,
        **attributes,
    }


def encoded(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def admit(content: Any, *, topic: str = TOPIC, headers: Any = ()) -> list[OutRecord | Refused]:
    value = content if isinstance(content, bytes | None) else encoded(content)
    admitted = ADMISSION.admit(topic, 1, 42, value, headers)
    assert admitted.fault is None
    return admitted.items


def record(item: OutRecord | Refused) -> Record:
    assert isinstance(item, OutRecord), item.reason
    found = decode_record(item.value)
    assert isinstance(found, Record)
    assert item.key == found.party.org_code.encode()
    return found


def refusal(item: OutRecord | Refused) -> Refused:
    assert isinstance(item, Refused)
    return item
