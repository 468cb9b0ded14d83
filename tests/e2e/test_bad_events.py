"""Bad events of every kind end where they should, with a reason for their own department alone, and the partition moves on."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import orjson
import pytest

from streamer.demo import codes, messages
from streamer.demo.messages import CUSTOMS, MARKET, TAX, Body
from tests.e2e.chain import Chain, Sent

PARTITION = 1  # of the inbound topics: all of a source's messages lie in one
ENTITIES = itertools.count(900_000)
OVERSIZED_BYTES = 600_000  # above the contract's limit of an event, below that of a message


class Case(NamedTuple):
    """One bad event. ``good_first``: a good event that has to come before it."""

    source: str
    value: bytes | None
    reason: str
    stage: str = "intake"
    pointer: str = ""
    good_first: bytes | None = None


def penalty(body: Body, number: str, **changes: Any) -> dict[str, Any]:
    entity = codes.organisation(next(ENTITIES))
    data = {
        "authority": messages.authority(body),
        "document_number": f"{body.mark}罚〔2026〕{number}号",
        "decided_on": "2026-03-03",
        "domain": body.domain,
        "parties": [messages.party(entity)],
        **changes,
    }
    return {name: value for name, value in data.items() if value is not None}


def listing(body: Body, number: str, **changes: Any) -> dict[str, Any]:
    more = {"list": "tax.major-dishonest", "ground": "tax.evasion", "effective_on": "2026-04-04"}
    return penalty(body, number, **{**more, **changes})


def event(body: Body, data: Any, event_id: str, type_: str = "decision.penalty") -> bytes:
    return orjson.dumps(messages.event(body.source, type_, event_id, data))


def contradicting() -> list[dict[str, Any]]:
    first, second = codes.organisation(next(ENTITIES)), codes.organisation(next(ENTITIES))
    party = messages.party(first)
    party["identifiers"]["organization_code"] = second.org_code
    return [party]


def cases() -> dict[str, Case]:
    reused = penalty(MARKET, "8001")
    return {
        "not JSON": Case("market", b"CF_WSH;CF_JDRQ\n\xb2\xe2", "not_json"),
        "half of a JSON": Case("tax", b'{"specversion": "1.0", ', "not_json"),
        "an empty value": Case("tax", b"", "not_json"),
        "no value at all": Case("market", None, "not_json"),
        "not CloudEvents": Case("market", orjson.dumps({"CF_WSH": "8000"}), "not_cloudevents", pointer="/specversion"),
        "unknown type": Case(
            "customs", event(CUSTOMS, penalty(CUSTOMS, "8002"), "b-2", "decision.rumour"), "unknown_type", pointer="/type"
        ),
        "type not open to this source": Case(
            "customs", event(CUSTOMS, listing(CUSTOMS, "8003"), "b-3", "decision.listing"), "type_not_open", pointer="/type"
        ),
        "another source's event": Case(
            "customs", event(TAX, penalty(TAX, "8004"), "b-4"), "source_mismatch", pointer="/source"
        ),
        "a listing by an unknown authority": Case(
            "tax",
            event(TAX, listing(TAX, "8005", authority={"name": "测试省测试县税务局"}), "b-5", "decision.listing"),
            "authority_unregistered",
            "dossier",
        ),
        "schema: a field is missing": Case(
            "market", event(MARKET, penalty(MARKET, "8006", document_number=None), "b-6"), "schema", pointer="/data"
        ),
        "schema: a field too many": Case(
            "market", event(MARKET, penalty(MARKET, "8007", severity="high"), "b-7"), "schema", pointer="/data"
        ),
        "impossible date": Case(
            "tax",
            event(TAX, penalty(TAX, "8008", decided_on="2026-02-30"), "b-8"),
            "impossible_date",
            pointer="/data/decided_on",
        ),
        "contradicting identifiers": Case(
            "market", event(MARKET, penalty(MARKET, "8009", parties=contradicting()), "b-9"), "identifiers_contradict"
        ),
        "the same id with other bytes": Case(
            "market",
            event(MARKET, {**reused, "document_number": "测市监罚〔2026〕8010号"}, "b-10"),
            "id_reused",
            "dossier",
            good_first=event(MARKET, reused, "b-10"),
        ),
        "oversized": Case(
            "tax", event(TAX, penalty(TAX, "8011", remarks="虚" * (OVERSIZED_BYTES // 3)), "b-11"), "oversized"
        ),
        "a citizen number as an id": Case(
            "tax",
            event(TAX, penalty(TAX, "8012"), codes.citizen_number(77)),
            "citizen_number_in_field",
            pointer="/id",
        ),
    }  # fmt: skip


CASES = cases()


@pytest.fixture(scope="module")
def sent(running: Chain) -> dict[str, Sent]:
    """All bad events in one go, each source's in one partition, good ones before, between and after."""
    names: list[str] = []
    out: list[tuple[str, bytes | None, bytes | None, tuple[()]]] = []
    for name, case in CASES.items():
        if case.good_first is not None:
            names.append("")
            out.append((case.source, None, case.good_first, ()))
        names.append(name)
        out.append((case.source, b"a key" if case.value is None else None, case.value, ()))
    for body in (TAX, MARKET, CUSTOMS):
        names.append(f"after, {body.source}")
        out.append((body.source, None, event(body, penalty(body, "8999"), f"after-{body.source}"), ()))
    found = dict(zip(names, running.publish(out, partition=PARTITION), strict=True))
    running.through()
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_bad_event_ends_with_its_reason_at_its_own_department(name: str, chain: Chain, sent: dict[str, Sent]) -> None:
    case, where = CASES[name], sent[name]
    told = [(s, o, raw) for s, o, raw in chain.outcomes() if (o.topic, o.partition, o.offset) == tuple(where)]
    assert [s for s, _, _ in told] == [case.source], "one message, in the source's own topic, in no other"
    (_, outcome, raw) = told[0]
    assert (outcome.outcome, outcome.reason_code) == ("dead-lettered", case.reason)
    assert outcome.json_pointer.startswith(case.pointer)
    assert outcome.fix_zh
    assert outcome.fix_en
    for value in values_of(case.value):
        assert value.encode() not in raw, "an outcome says where, never what"
    letters = [letter for letter in chain.dead_letters() if where.of(letter.origin)]
    assert [(letter.stage, letter.fate, letter.reason) for letter in letters] == [
        (case.stage, "dead-lettered", case.reason)
    ]


def values_of(value: bytes | None) -> list[str]:
    """What of an event must not be repeated: everything in ``data`` that is long enough to be recognised."""
    try:
        content = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return []

    def leaves(node: Any) -> list[str]:
        if isinstance(node, dict):
            return [text for below in node.values() for text in leaves(below)]
        if isinstance(node, list):
            return [text for below in node for text in leaves(below)]
        return [str(node)]

    codes_of_the_contract = {"organisation", "tax", "market", "customs"}
    found = [text[:100] for text in leaves(content.get("data")) if len(text) > 4 and text not in codes_of_the_contract]
    number = content.get("id", "")
    return found + ([number] if len(number) == 18 else [])


def test_the_partition_moves_on(chain: Chain, sent: dict[str, Sent]) -> None:
    rows = chain.rows("SELECT event_id FROM enterprise.record WHERE event_id LIKE 'after-%' ORDER BY event_id")
    assert [row["event_id"] for row in rows] == ["after-customs", "after-market", "after-tax"]
    first = chain.rows("SELECT document_number FROM enterprise.record WHERE source = 'market' AND event_id = 'b-10'")
    assert "测市监罚〔2026〕8001号" in [row["document_number"] for row in first], "the first use of an id stands"


def test_every_item_is_accounted_for(chain: Chain, sent: dict[str, Sent]) -> None:
    report = chain.audit()
    assert report.residual == 0, report


def test_what_a_transaction_takes_back_was_never_there(chain: Chain) -> None:
    """An aborted event is invisible, leaves no gap that anybody stops at, and what follows is read."""
    source, body = "drug", messages.DRUG

    def made(name: str) -> bytes:
        return event(body, penalty(body, name), f"tx-{name}")

    aborted = chain.transaction(source, [made("7001"), made("7002")], commit=False, partition=PARTITION)
    chain.transaction(source, [made("7003"), made("7004")], commit=True, partition=PARTITION)
    chain.transaction(source, [made("7005")], commit=False, partition=PARTITION)
    plain = chain.publish([(source, None, made("7006"), ())], partition=PARTITION)
    chain.through()
    rows = chain.rows("SELECT event_id FROM enterprise.record WHERE event_id LIKE 'tx-%' ORDER BY event_id")
    assert [row["event_id"] for row in rows] == ["tx-7003", "tx-7004", "tx-7006"]
    assert not [letter for letter in chain.dead_letters() if any(where.of(letter.origin) for where in aborted)]
    assert plain[0].offset > aborted[-1].offset + 1, "markers lie between"
    assert chain.audit().residual == 0
