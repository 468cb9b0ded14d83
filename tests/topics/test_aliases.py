"""A row in a source's own fields becomes the event that was meant, or is told where it does not fit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamer.aliases import AliasError, apply, read
from streamer.publish import Message, Reader, check
from streamer.rulebook import sources
from tests.real_input import real_or_made
from topics.envelope import content_hash, decode
from topics.validation import validate

SOURCES = {source.id: source for source in sources()}
RAW: dict[str, Any] = {
    "kind": {"from": "种类", "map": {"处罚": "decision.penalty", "处理": "document.recorded:tax-treatment"}},
    "id": {"from": "编号"},
    "const": {"domain": "tax", "parties.0.kind": "organisation"},
    "fields": {
        "parties.0.identifiers.uscc": "代码",
        "parties.0.name": "名称",
        "authority.name": "机关",
        "document_number": "文号",
        "decided_on": {"from": "日期", "type": "date"},
        "publicity": {"from": "等级", "map": {"重": "serious"}, "kinds": ["decision.penalty"]},
        "outcomes.0.amount_fen": {"from": "罚款", "type": "fen", "scale": 100, "with": {"outcomes.0.kind": "fine"}},
        "outcomes.1.amount_fen": {
            "from": "没收",
            "type": "fen",
            "scale": 1000000,
            "with": {"outcomes.1.kind": "other"},
        },
    },
}
ROW: dict[str, Any] = {
    "编号": "A-1",
    "种类": "处罚",
    "代码": "91449900MA0000018B",
    "机关": "测试省税务局",
    "文号": "测税罚〔2026〕1号",
}


def event(**fields: Any) -> dict[str, Any]:
    return apply(read(RAW), "tax", ROW | fields)


def test_a_row_becomes_an_event_that_the_contract_takes() -> None:
    found = event(名称=" 测试省第一建设有限公司 ", 日期="2026-02-27", 等级="重", 罚款=5000.5, 备用="x")
    assert found == {
        "specversion": "1.0",
        "id": "A-1",
        "source": "urn:credit:source:tax",
        "type": "credit.decision.penalty.v1",
        "data": {
            "domain": "tax",
            "parties": [
                {
                    "kind": "organisation",
                    "identifiers": {"uscc": "91449900MA0000018B"},
                    "name": "测试省第一建设有限公司",
                }
            ],
            "authority": {"name": "测试省税务局"},
            "document_number": "测税罚〔2026〕1号",
            "decided_on": "2026-02-27",
            "publicity": "serious",
            "outcomes": [{"kind": "fine", "amount_fen": 500050}],
        },
    }
    assert validate(found["type"], found["data"]) is None


def test_an_empty_field_sets_nothing_and_a_party_without_a_code_stays_a_party() -> None:
    found = event(代码=None, 名称="", 日期="  ", 没收="0.2")
    assert found["data"]["parties"] == [{"kind": "organisation", "identifiers": {}}]
    assert found["data"]["outcomes"] == [{"kind": "other", "amount_fen": 200000}]
    assert "decided_on" not in found["data"]
    assert validate(found["type"], found["data"]) is None


def test_the_kind_of_document_follows_from_the_row() -> None:
    found = event(种类="处理", 等级="重")
    assert (found["type"], found["data"]["kind"]) == ("credit.document.recorded.v1", "tax-treatment")
    assert "publicity" not in found["data"]


def test_without_an_id_of_its_own_the_id_is_the_hash_of_the_row() -> None:
    alias = read(RAW | {"id": "content-hash"})
    first, again = apply(alias, "tax", ROW), apply(alias, "tax", dict(reversed(ROW.items())))
    assert first["id"] == again["id"] == content_hash("credit.decision.penalty.v1", ROW).hex()
    assert apply(alias, "tax", ROW | {"备用": 1})["id"] != first["id"]


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-7-1", "2026-07-01"), ("2026/07/01", "2026-07-01"), ("20260701", "2026-07-01"),
        ("2026年7月1日", "2026-07-01"), ("2026-02-30", "2026-02-30"),
    ],
)  # fmt: skip
def test_dates_as_departments_write_them(text: str, date: str) -> None:
    assert event(日期=text)["data"]["decided_on"] == date


@pytest.mark.parametrize(
    ("yuan", "fen"), [(100063094.75, 10006309475), ("3,778.22", 377822), (0, 0), (0.1, 10), (2**40, 2**40 * 100)]
)
def test_amounts_are_exact(yuan: Any, fen: int) -> None:
    assert event(罚款=yuan)["data"]["outcomes"][0]["amount_fen"] == fen


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"种类": "其他文书"}, "种类"),
        ({"种类": None}, "种类"),
        ({"编号": ""}, "编号"),
        ({"等级": "很重"}, "等级"),
        ({"日期": "去年夏天"}, "日期"),
        ({"罚款": "两万元"}, "罚款"),
        ({"罚款": 0.001}, "罚款"),
        ({"罚款": "NaN"}, "罚款"),
        ({"罚款": ["1"]}, "罚款"),
        ({"机关": {"name": "x"}}, "机关"),
        ({"文号": True}, "文号"),
    ],
)
def test_a_row_that_does_not_fit_is_told_by_field_and_never_by_value(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(AliasError) as caught:
        event(**fields)
    assert caught.value.field == field
    assert str(fields[field]) not in caught.value.why or fields[field] in ("", None)


@pytest.mark.parametrize("raw", [{}, RAW | {"id": "number"}, RAW | {"more": 1}, RAW | {"fields": {"a": {"form": "b"}}}])
def test_a_wrong_map_is_told(raw: dict[str, Any]) -> None:
    with pytest.raises(AliasError):
        read(raw)


@pytest.mark.parametrize("source", [s for s in SOURCES.values() if s.aliases], ids=lambda s: s.id)
def test_every_map_that_ships_can_be_read(source: Any) -> None:
    for raw in source.aliases.values():
        read(raw)


def test_a_collectors_tax_decisions_are_23_events(tmp_path: Path) -> None:
    """15 or more 处理 as documents and 7 处罚 as penalties; one has no code; 19 of the 22 others have no date."""
    alias = SOURCES["collector"].alias
    assert alias is not None
    reader = Reader(SOURCES, source="collector", alias=read(alias))
    path = real_or_made(tmp_path)
    with path.open("rb") as lines:
        assert check(reader, lines).bad == 0
        lines.seek(0)
        found = [message for _, message in reader.read(lines)]
    messages = [message for message in found if isinstance(message, Message)]
    events = [decode(message.value, message.headers) for message in messages]
    assert len(events) == 23
    assert Counter(e.type for e in events) == {"credit.document.recorded.v1": 16, "credit.decision.penalty.v1": 7}
    assert {e.data["kind"] for e in events if "kind" in e.data} == {"tax-treatment"}
    coded = [e for e in events if e.data["parties"][0]["identifiers"]]
    assert (len(coded), sum("decided_on" not in e.data for e in coded)) == (22, 19)
    amounts = [o["amount_fen"] for e in events for o in e.data.get("outcomes", ())]
    assert max(amounts) == 10006309475
    assert all(type(amount) is int for amount in amounts)
    assert not any({"conduct", "basis"} & set(e.data) for e in events)
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [e.id for e in events] == [row["id"] for row in rows]
    assert {m.key for m in messages} == {e.id.encode() for e in events}
