"""Criteria: what an expression sees of a decision, and that it answers the same every time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.domain.criteria import COUNTER, DECISION, Expression, RuleError, decision_variables
from streamer.domain.records import Assessed, AuthorityRef, Basis, Party, Record, Sanction
from streamer.rulebook import load

ENTRY = next(row.entry_when for row in load("fictional").lists if row.entry_when) or ""


def decision(**fields: Any) -> Record:
    common: dict[str, Any] = {
        "type": "decision.penalty",
        "source": "finance",
        "id": "p-1",
        "domain": "procurement",
        "authority": AuthorityRef(code="11449900TTTT000309"),
        "document_number": "测财采罚〔2026〕1号",
        "party": Party(org_code="123456784"),
        "decided_on": "2026-01-01",
    }
    return Record(**{**common, **fields})


def ban(first: str | None, last: str | None, kind: str = "procurement-ban") -> tuple[Sanction, ...]:
    return (Sanction(kind=kind, from_=first, to=last),)


ENTRIES: dict[str, tuple[Record, tuple[str, ...], bool]] = {
    "a fine of 30,000 yuan": (decision(sanctions=(Sanction("fine", 3_000_000),)), ("finance",), True),
    "two fines of 15,000 yuan": (decision(sanctions=(Sanction("fine", 1_500_000),) * 2), ("finance",), True),
    "a fen less": (decision(sanctions=(Sanction("fine", 2_999_999),)), ("finance",), False),
    "confiscation is no fine": (decision(sanctions=(Sanction("confiscation", 9_000_000),)), ("finance",), False),
    "another body's fine": (decision(sanctions=(Sanction("fine", 10**12),)), ("market",), False),
    "no known body": (decision(sanctions=(Sanction("fine", 10**12),)), (), False),
    "a ban of a year": (decision(sanctions=ban("2026-01-01", "2026-12-31")), ("finance",), True),
    "a ban of a day less": (decision(sanctions=ban("2026-01-01", "2026-12-30")), ("finance",), False),
    "a ban from the decision": (decision(sanctions=ban(None, "2026-12-31")), ("finance",), True),
    "an open ban": (decision(sanctions=ban("2026-01-01", None)), ("finance",), False),
    "an agency ban": (decision(sanctions=ban("2026-01-01", "2027-12-31", "agency-ban")), ("finance",), True),
    "another restriction": (decision(sanctions=ban("2026-01-01", "2027-12-31", "restriction")), ("finance",), False),
    "a document": (decision(type="document.recorded", sanctions=(Sanction("fine", 3_000_000),)), ("finance",), False),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_which_penalty_is_itself_the_entry(name: str) -> None:
    record, roles, entered = ENTRIES[name]
    assert Expression(ENTRY).evaluate(decision_variables(record, roles)) is entered


def test_what_is_unstated_is_empty() -> None:
    assert decision_variables(decision(), ()) == {
        "type": "decision.penalty",
        "kind": "",
        "domain": "procurement",
        "conduct": "",
        "authority_roles": [],
        "fine_fen": 0,
        "ban_days": 0,
        "sanctions": [],
        "basis": [],
        "assessed_fen": 0,
        "share_permille": 0,
        "publicity": "",
    }


def test_every_documented_variable_is_given() -> None:
    assert set(decision_variables(decision(), ())) == set(DECISION)


def test_amounts_and_shares_and_instruments() -> None:
    record = decision(
        assessed=(Assessed(2023, 60_000_000, 90), Assessed(2024, 50_000_000, 120), Assessed(2025, 1)),
        basis=(Basis("《食品安全法》", "第一百三十四条"), Basis("中华人民共和国 食品安全法")),
    )
    variables = decision_variables(record, ("tax",))
    assert variables["assessed_fen"] == 110_000_001
    assert variables["share_permille"] == 120
    assert variables["basis"] == ["食品安全法", "中华人民共和国食品安全法"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fine_fen >=", "is not CEL"),
        ("score > 1", "names score"),
        ("fine_fen", "yields int"),
        ('fine_fen > "1"', "cannot be evaluated"),
        ("timestamp('2026-01-01T00:00:00Z') < now()", "calls"),
        ('domain.matches("(a+)+")', "calls matches"),
        ("true || " * 200 + "true", "at most"),
    ],
)
def test_an_expression_that_cannot_be_used_says_why(text: str, problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        Expression(text)


def test_what_cannot_be_evaluated_does_not_hold() -> None:
    expression = Expression("fine_fen >= 10")
    assert expression.evaluate({}) is False
    assert expression.evaluate({"fine_fen": "much"}) is False
    assert expression.evaluate({"fine_fen": 10}) is True


@given(count=st.integers(0, 10**9), amount_fen=st.integers(0, 10**18))
def test_a_counter_expression_is_the_comparison_it_says(count: int, amount_fen: int) -> None:
    expression = Expression("count >= 3 && amount_fen >= 100000000", COUNTER)
    first = expression.evaluate({"count": count, "amount_fen": amount_fen})
    assert first is (count >= 3 and amount_fen >= 100_000_000)
    assert first is expression.evaluate({"amount_fen": amount_fen, "count": count})
