"""Every example says the truth about its schema, and the streamer's own structures fit the contract."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from streamer.domain import messages, records
from topics.catalog import EXAMPLES, FAMILIES, INBOUND_TYPES
from topics.envelope import decode
from topics.validation import type_names, validate

FILES = sorted(EXAMPLES.glob("*/*.json"))
GOOD = [path for path in FILES if path.name.startswith("good-")]
BAD = [path for path in FILES if path.name.startswith("bad-")]


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def body(message: dict[str, Any]) -> dict[str, Any]:
    """What the schema of a type is about: the data of a CloudEvent, or the whole of a plain message."""
    return message["data"] if "specversion" in message else message


@pytest.mark.parametrize("path", GOOD, ids=name_of)
def test_a_good_example_passes(path: Path) -> None:
    message = orjson.loads(path.read_bytes())
    assert validate(path.parent.name, body(message)) is None
    if "specversion" in message:
        assert message["type"] == path.parent.name
        assert decode(path.read_bytes()).data == message["data"]
        if path.parent.name not in INBOUND_TYPES:
            assert validate("cloudevent", message) is None


@pytest.mark.parametrize("path", BAD, ids=name_of)
def test_a_bad_example_fails_where_it_says(path: Path) -> None:
    case = orjson.loads(path.read_bytes())
    assert validate(path.parent.name, body(case["event"])) == (case["reason_keyword"], case["json_pointer"])


@pytest.mark.parametrize("type_name", sorted({t for f in FAMILIES.values() for t in f.types}))
def test_every_type_has_a_schema_and_good_and_bad_examples(type_name: str) -> None:
    assert type_name in type_names
    assert [p for p in GOOD if p.parent.name == type_name]
    assert [p for p in BAD if p.parent.name == type_name]


def test_every_folder_of_examples_is_a_type_of_a_family() -> None:
    assert {p.parent.name for p in FILES} == {t for f in FAMILIES.values() for t in f.types}


def test_the_only_format_of_an_inbound_type_is_a_date() -> None:
    """So that the keyword ``format`` means an impossible date, and nothing else."""
    schemas = EXAMPLES.parent / "schemas"
    texts = [(schemas / f"{name}.json").read_text() for name in ("common", *INBOUND_TYPES)]
    assert set(re.findall(r'"format": "([^"]*)"', "".join(texts))) == {"date"}


def test_every_inbound_type_has_an_impossible_date_among_its_bad_examples() -> None:
    assert {t for t in INBOUND_TYPES if (EXAMPLES / t / "bad-impossible-date.json").exists()} == INBOUND_TYPES


PENALTY_FILE = EXAMPLES / "credit.decision.penalty.v1" / "good-full.json"
PENALTY: dict[str, Any] = orjson.loads(PENALTY_FILE.read_bytes())["data"]


@pytest.mark.parametrize(
    "number",
    [
        "平税稽一局处〔2026〕1号", "(2024)粤01执123号", "沪监管〔2016〕第150201610696号", "市场【2019】1号",
        "测税稽罚〔２０２６〕１号", "穗番税退罚字〔2026〕1号", "测 市监 处 [2026] 12 号", "（2026）测01民终45号之一",
    ],
)  # fmt: skip
def test_document_numbers_as_departments_write_them_pass(number: str) -> None:
    assert validate("credit.decision.penalty.v1", PENALTY | {"document_number": number}) is None


@pytest.mark.parametrize("number", ["", "张三", "1\n2", "a\x001", "\x7f1", "无"])
def test_what_is_no_document_number_is_refused(number: str) -> None:
    found = validate("credit.decision.penalty.v1", PENALTY | {"document_number": number})
    assert found is not None
    assert found.json_pointer == "/document_number"


@pytest.mark.parametrize("where", ["", "/parties/0", "/parties/0/identifiers", "/outcomes/0", "/basis/0", "/authority"])
@pytest.mark.parametrize("name", ["11010519491231002X", "测试人"])
def test_a_violation_never_repeats_what_was_sent(where: str, name: str) -> None:
    data = json.loads(json.dumps(PENALTY))
    at: Any = data
    for part in where.split("/")[1:]:
        at = at[int(part)] if part.isdigit() else at[part]
    at[name] = {name: name}
    found = validate("credit.decision.penalty.v1", data)
    assert found is not None
    assert name not in "".join(found)
    assert found.json_pointer == where


@pytest.mark.parametrize(
    "name", ["facts", "remarks", "document_number", "url", "domain", "conduct", "decided_on", "publicity"]
)
def test_a_wrong_value_of_any_field_is_not_repeated(name: str) -> None:
    for value in ("110105\x0019491231002X", 110105194912310021, ["测试人"], {"测试人": 1}):
        found = validate("credit.decision.penalty.v1", PENALTY | {name: value})
        assert found is not None
        assert found.json_pointer == f"/{name}"


def test_numbers_beyond_any_sum_are_refused() -> None:
    for amount in (10**15 + 1, 2**64, 2**70, 1e30, True):
        found = validate("credit.decision.penalty.v1", PENALTY | {"outcomes": [{"kind": "fine", "amount_fen": amount}]})
        assert found is not None
        assert found.json_pointer == "/outcomes/0/amount_fen"


AUTHORITY = records.AuthorityRef(code="11449900009900012E", name="测试省税务局稽查局")
PARTY = records.Party(org_code="MA0000018", uscc="91449900MA0000018B", name="测试省第一建设有限公司", individual=True)
ITEMS = [
    records.Record(
        type="decision.penalty",
        source="tax",
        id="a-1",
        domain="tax",
        authority=AUTHORITY,
        document_number="测税罚[2026]1号",
        party=PARTY,
        decided_on="2026-02-27",
        version=2,
        conduct="tax.evasion",
        basis=(records.Basis("测试省税收征收条例", "第六十三条第一款"),),
        sanctions=(records.Sanction("procurement-ban", 5, "2026-03-01", "2027-02-28"),),
        assessed=(records.Assessed(2024, 100, 150),),
        publicity="serious",
        url="https://tax.example.gov.cn/1",
        sealed="AAEC",
    ),
    records.Record(
        type="decision.listing",
        source="tax",
        id="a-2",
        domain="tax",
        authority=AUTHORITY,
        document_number="测税失[2026]2号",
        party=PARTY,
        list="tax.major-dishonest",
        ground="tax.evasion",
        notice_served_on="2026-02-01",
        remedies_closed=True,
        effective_on="2026-03-01",
        published_on="2026-03-02",
        until="2029-03-01",
        until_basis="测试省失信名单办法第十二条",
    ),
    records.Record(
        type="withdrawal",
        source="tax",
        id="a-3",
        domain="tax",
        authority=AUTHORITY,
        document_number="测税撤[2026]3号",
        party=PARTY,
        version=0,
        cause="revoked",
        target=records.Target(authority=AUTHORITY, document_number="测税罚[2026]1号", kind="penalty"),
    ),
    records.Record(
        type="document.recorded",
        source="tax",
        id="a-4",
        domain="tax",
        authority=records.AuthorityRef(name="测试省税务局"),
        document_number="测税处[2026]4号",
        party=records.Party("MA0000018"),
        kind="tax-treatment",
    ),
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.type)
def test_a_record_as_the_domain_writes_it_fits_the_contract(item: records.Record) -> None:
    assert validate("credit.record.item.v1", orjson.loads(records.encode_record(item))) is None


def test_a_full_record_uses_every_field_of_the_contract() -> None:
    """A field added to the structure and not to the schema would be refused; one only in the schema would be dead."""
    used: set[str] = set().union(*(orjson.loads(records.encode_record(item)) for item in ITEMS))
    schema = orjson.loads((EXAMPLES.parent / "schemas" / "credit.record.item.v1.json").read_bytes())
    fields = {f.encode_name for f in msgspec.structs.fields(records.Record)}
    assert used == set(schema["properties"]) == fields | {"record"}


@pytest.mark.parametrize(
    ("type_name", "struct"),
    [
        ("credit.alert.v1", messages.AlertData),
        ("credit.notice.v1", messages.NoticeData),
        ("credit.status.v1", messages.Status),
        ("credit.outcome.v1", messages.Outcome),
        ("credit.outcome-counts.v1", messages.OutcomeCounts),
        ("credit.dead-letter.v1", messages.DeadLetter),
        ("cloudevent", messages.CloudEvent),
    ],
)
def test_the_fields_of_an_outbound_message_are_those_of_its_schema(type_name: str, struct: type) -> None:
    schema = orjson.loads((EXAMPLES.parent / "schemas" / f"{type_name}.json").read_bytes())
    fields = msgspec.structs.fields(struct)
    assert {f.encode_name for f in fields} == set(schema["properties"])
    needed = {f.encode_name for f in fields if f.required}
    assert needed <= set(schema["required"]) | ({"event_id"} if type_name == "credit.outcome.v1" else set())


@pytest.mark.parametrize("path", [p for p in GOOD if p.parent.name not in INBOUND_TYPES], ids=name_of)
def test_a_good_outbound_example_survives_the_streamers_own_codec(path: Path) -> None:
    decoders: dict[str, Any] = {
        "credit.alert.v1": messages.decode_alert,
        "credit.notice.v1": messages.decode_notice,
        "credit.status.v1": messages.decode_status,
        "credit.dead-letter.v1": messages.decode_dead_letter,
        "credit.outcome.v1": messages.decode_outcome,
        "credit.outcome-counts.v1": msgspec.json.Decoder(messages.OutcomeCounts).decode,
    }
    decoder = decoders.get(path.parent.name, records.decode_record)
    again = orjson.loads(messages.encode(decoder(path.read_bytes())))
    assert again == orjson.loads(path.read_bytes())
