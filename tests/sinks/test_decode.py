"""Messages become rows; what breaks its contract says where it lies and repeats nothing of what it says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import msgspec
import pytest

from sinks.decode import decode
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
    StatusRow,
)
from streamer.domain import records as r
from tests.sinks import samples

APPENDED = datetime.fromtimestamp(samples.APPENDED_MS / 1000, UTC)


def test_a_penalty_is_one_row_with_its_keys_its_places_and_its_clear_record() -> None:
    message = samples.record(sealed="AAEC", conduct="tax.evasion", basis=(r.Basis("税收征收管理法"),), name="测试公司")
    (row,) = samples.rows(message)
    assert isinstance(row, RecordRow)
    assert row[:6] == ("tax", "e1", samples.ORG, b"h" * 16, "decision.penalty", "tax")
    assert (row.decided_on, row.conduct, row.basis_stated, row.sealed) == (
        date(2026, 1, 2),
        "tax.evasion",
        True,
        b"\0\1\2",
    )
    assert row[-8:] == ("credit.events.tax", 1, 7, 0, 1, 2, 40, APPENDED)
    assert "sealed" not in json.loads(row.data)
    assert msgspec.json.decode(row.data, type=r.Record).party.name == "测试公司"


@pytest.mark.parametrize(
    ("type_", "conduct", "basis_stated"),
    [
        ("decision.penalty", "unstated", False),
        ("document.recorded", "unstated", False),
        ("decision.listing", None, None),
        ("decision.delisting", None, None),
        ("withdrawal", None, None),
    ],
)
def test_what_a_decision_does_not_state_is_unstated_and_what_it_cannot_state_is_absent(
    type_: str, conduct: str | None, basis_stated: bool | None
) -> None:
    (row,) = samples.rows(samples.record(type=type_, decided_on=None))
    assert isinstance(row, RecordRow)
    assert (row.conduct, row.basis_stated, row.decided_on) == (conduct, basis_stated, None)


def test_an_individual_business_leaves_only_keys_and_what_is_sealed() -> None:
    name, number = "张三小吃店", "测税罚〔2026〕99号"
    (row,) = samples.rows(samples.record(individual=True, sealed="AAEC", name=name, document_number=number))
    assert isinstance(row, PersonRecordRow)
    assert row.sealed == b"\0\1\2"
    assert name not in repr(row)
    assert number not in repr(row)


def test_control_records_and_tombstones_of_compacted_topics_are_no_rows() -> None:
    for control in (r.Tick("2026-01-02"), r.Activation("hash", "2026-01-01")):
        assert decode(Position("credit.records", 0, 0), b"any", r.encode_record(control), (), 0) == ()
    for topic in ("credit.standing.procurement", "credit.status"):
        assert decode(Position(topic, 0, 0), b"k", None, (), 0) == ()


def test_an_alert_is_current_and_history_and_its_first_revision_dates_the_raising() -> None:
    history, current, raised = samples.rows(samples.alert(revision=1))
    assert isinstance(history, AlertHistoryRow)
    assert isinstance(current, AlertRow)
    assert raised == AlertRaised("a1", datetime(2026, 1, 1, 8, tzinfo=UTC))
    assert (current.list, current.rule_id, current.class_, current.in_force) == ("fic-list", "fic-m1", "restrict", True)
    assert [type(row) for row in samples.rows(samples.alert(revision=2, action="lifted"))] == [
        AlertHistoryRow,
        AlertRow,
    ]


def test_standing_is_the_current_row_alone_and_the_same_one() -> None:
    assert samples.rows(samples.alert(revision=3, standing=True)) == samples.rows(samples.alert(revision=3))[1:]


def test_notice_status_and_dead_letter_are_rows() -> None:
    assert [type(row) for row in samples.rows(samples.notice())] == [NoticeHistoryRow, NoticeRow, NoticeRaised]
    (status,) = samples.rows(samples.status(4))
    assert isinstance(status, StatusRow)
    assert status.version == 4
    (letter,) = samples.rows(samples.dead_letter(9))
    assert isinstance(letter, DeadLetterRow)
    assert (letter.origin, letter.stage, letter.sealed) == ("credit.events.tax|0|9|0|1", "intake", b"\0\1\2")


def test_a_null_character_that_postgres_cannot_store_is_replaced_and_nothing_else_is() -> None:
    (row,) = samples.rows(samples.record(id_="e\0", document_number="a\0b\\u0000", url="c\\\0"))
    assert isinstance(row, RecordRow)
    assert (row.event_id, row.document_number) == ("e\ufffd", "a\ufffdb\\u0000")
    data = json.loads(row.data)
    assert (data["document_number"], data["url"]) == ("a\ufffdb\\u0000", "c\\\ufffd")


SECRET = "110101199003070417"
BROKEN = {
    "unknown topic": ("credit.nothing", b"k", b"{}", ()),
    "inbound topic": ("credit.events.tax", b"k", b"{}", ()),
    "not JSON": ("credit.status", SECRET.encode(), f'{{"org_code": "{SECRET}'.encode(), ()),
    "wrong type": ("credit.status", b"k", f'{{"org_code": "k", "version": "{SECRET}"}}'.encode(), ()),
    "unknown tag": ("credit.records", b"k", f'{{"record": "{SECRET}"}}'.encode(), ()),
    "no header": (*samples.record(id_=SECRET)[:3], ()),
    "bad origin": (*samples.record()[:3], ((r.HEADER_ORIGIN, SECRET.encode()), (r.HEADER_HASH, b"h"))),
    "key not the entity": ("credit.records", SECRET.encode(), *samples.record()[2:]),
    "key not text": ("credit.records", b"\xff", *samples.record()[2:]),
    "key not the alert": ("credit.alerts.procurement", SECRET.encode(), samples.alert()[2], ()),
    "impossible date": samples.record(decided_on=f"{SECRET}-02-30"),
    "sealed not base64": samples.record(sealed=f"{SECRET}!"),
    "time without offset": (
        *samples.dead_letter()[:2],
        samples.dead_letter()[2].replace(b"08:00:00.000Z", b"08:00:00"),
        (),
    ),
    "no value": ("credit.records", b"k", None, ()),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_message_that_breaks_its_contract_is_named_by_place_and_never_quoted(case: str) -> None:
    topic, key, value, headers = BROKEN[case]
    with pytest.raises(UndecodableMessage) as caught:
        decode(Position(topic, 3, 77), key, value, headers, 0)
    text = str(caught.value)
    assert text.startswith(f"{topic} partition 3 offset 77: ")
    assert SECRET not in text
    assert caught.value.__context__ is None
