"""What the domain really says, it says within the contract."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from streamer.domain.dossier import Meta
from streamer.domain.records import Activation, AnyRecord, Origin, Record, Tick, encode_record
from streamer.domain.replay import Collected, Replay
from streamer.rulebook import rulebook_hash
from tests.domain.world import START, content, delisting, fine, listing, penalty, rulebook, withdrawal
from topics.validation import validate

SCHEMAS: dict[type, str] = {
    Record: "credit.record.item.v1",
    Tick: "credit.record.tick.v1",
    Activation: "credit.record.activation.v1",
}
APPEND_MS = 1_767_600_000_000
STORIES: dict[str, list[Record]] = {
    "delisted": [listing(), delisting()],
    "withdrawn": [listing(), withdrawal("税列〔2026〕1号", "listing")],
    "expired": [listing(until="2026-02-01", until_basis="测试省失信名单办法第十二条")],
    "superseded": [listing(), listing(version=2, until="2026-06-30")],
    "incomplete": [listing(notice_served_on=None, published_on=None, remedies_closed=False)],
    "the penalty is the entry": [penalty(sanctions=fine(3_000_000))],
    "criterion with notice": [penalty(f"食罚〔2026〕{i}号", domain="food-drug") for i in range(3)],
    "criterion with alert": [penalty(f"质罚〔2026〕{i}号", domain="quality") for i in range(2)],
    "reports": [listing(), listing(id="again"), penalty(version=2), penalty(id="late")],
}


def said(story: list[Record]) -> Collected:
    book = rulebook()
    identifier = rulebook_hash(book)
    replay = Replay({identifier: book})
    stories = [replace(record, id=f"e-{i}") for i, record in enumerate(story)]
    lines: list[AnyRecord] = [Activation(identifier, START, "simulated"), *stories]
    for offset, line in enumerate([*lines, Tick("2026-03-01"), Tick("2028-03-01")]):
        body = encode_record(line)
        assert validate(SCHEMAS[type(line)], orjson.loads(body)) is None
        meta = Meta(offset, APPEND_MS)
        if isinstance(line, Record):
            meta = Meta(offset, APPEND_MS, Origin(f"credit.events.{line.source}", 0, offset), content(line))
        replay.record(0, body, meta)
    replay.finish()
    return replay.effects


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_every_message_of_the_dossier_fits_its_schema(story: list[Record]) -> None:
    effects = said(story)
    for type_name, bodies in (
        ("credit.alert.v1", [body for _, _, body in effects.alerts]),
        ("credit.notice.v1", [body for _, _, body in effects.notices]),
    ):
        for event in map(orjson.loads, bodies):
            assert validate("cloudevent", event) is None
            assert validate(type_name, event["data"]) is None
    for _, body in effects.statuses:
        assert validate("credit.status.v1", orjson.loads(body)) is None
    for _, body in effects.reports:
        assert validate("credit.outcome-counts.v1", orjson.loads(body)) is None


def test_the_stories_say_everything_that_can_be_said() -> None:
    """Else the test above would hold for want of messages."""
    alerts: list[Any] = []
    notices: list[Any] = []
    reports = 0
    for story in STORIES.values():
        effects = said(story)
        alerts += [orjson.loads(body)["data"] for _, _, body in effects.alerts]
        notices += [orjson.loads(body)["data"] for _, _, body in effects.notices]
        reports += len(effects.reports)
    assert {a["action"] for a in alerts} == {"raised", "amended", "lifted"}
    assert {a["lift"]["cause"] for a in alerts if "lift" in a} >= {"delisted", "withdrawn", "expired"}
    assert {a["measure"]["class"] for a in alerts} == {"restrict", "manage"}
    assert {n["kind"] for n in notices} >= {"consider", "notice-not-served"}
    assert reports
