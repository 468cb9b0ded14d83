"""The quick check of a type and its schema say the same of every event, good or spoilt; and the quick one is really there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topics.catalog import EXAMPLES
from topics.validation import _COMPILED, _flat

QUICK = (
    *("credit.decision.penalty.v1", "credit.decision.listing.v1", "credit.decision.delisting.v1"),
    *("credit.document.recorded.v1", "credit.withdrawal.v1"),
)
GOOD = {
    name: [orjson.loads(path.read_bytes())["data"] for path in sorted((EXAMPLES / name).glob("good-*.json"))]
    for name in QUICK
}
# What breaks a pattern, a length, a format, a bound, an enum or a type; and what breaks none.
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1, 5.0, 1.5, 10**15, 10**15 + 1, 10**30, [], {}, [None], {"x": 1}, "", " ", "a", "A1", "fine", "tax",
    "penalty", "2025-02-29", "2024-02-29", "2025-1-1", "20250101", "0000-01-01", "第1条", "文〔2025〕1号", "a\x00b", "a\nb", "\x7f",
    "x" * 41, "x" * 64, "x" * 65, "1" * 100, "1" * 101, "x" * 200, "x" * 201, "x" * 20_001, "https://a.b/c", "ftp://a.b", "１２３",
)  # fmt: skip
NAMES = (
    "x",
    "kind",
    "code",
    "name",
    "id",
    "from",
    "to",
    "version",
    "url",
    "remarks",
    "basis",
    "facts",
    "article",
    "citizen_number",
)


def places(node: Any) -> Iterator[tuple[Any, str | int]]:
    """Every place below ``node``: its container, and its name or index there."""
    for name, below in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, name
        if isinstance(below, dict | list):
            yield from places(below)


def spoil(draw: st.DrawFn, data: dict[str, Any]) -> None:
    holder, name = draw(st.sampled_from(list(places(data)) or [(data, "x")]))
    match draw(st.sampled_from(("replace", "remove", "add", "edit", "repeat"))):
        case "replace":
            holder[name] = copy.deepcopy(draw(st.sampled_from(ODD)))
        case "remove":
            del holder[name]
        case "add":
            below = holder[name]
            (below if isinstance(below, dict) else data)[draw(st.sampled_from(NAMES))] = copy.deepcopy(
                draw(st.sampled_from(ODD))
            )
        case "edit" if isinstance(holder[name], str):
            at = draw(st.integers(0, len(holder[name])))
            holder[name] = holder[name][:at] + draw(st.characters(codec="utf-8")) + holder[name][at:]
        case "repeat" if isinstance(holder[name], list):
            holder[name] = holder[name] * draw(st.sampled_from((0, 2, 21, 51)))


@st.composite
def events(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(QUICK))
    data = copy.deepcopy(draw(st.sampled_from(GOOD[name])))
    for _ in range(draw(st.integers(0, 3))):
        spoil(draw, data) if data else None
    return name, data


@settings(max_examples=600)
@given(events())
def test_both_say_the_same(event: tuple[str, dict[str, Any]]) -> None:
    name, data = event
    compiled = _COMPILED[name]
    assert compiled.quick is not None
    assert compiled.quick.is_valid(data) == compiled.validator.is_valid(data)


@pytest.mark.parametrize("name", QUICK)
def test_every_good_event_is_accepted_at_once(name: str) -> None:
    quick = _COMPILED[name].quick
    assert quick is not None
    assert all(quick.is_valid(data) for data in GOOD[name])


PART = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "allOf": [PART]},  # open to other names
        {"type": "object", "allOf": [{**PART, "minProperties": 1}], "unevaluatedProperties": False},
        {"type": "object", "allOf": [{"if": PART, "then": PART}], "unevaluatedProperties": False},
        {"type": "object", "allOf": [PART, PART], "unevaluatedProperties": False},  # one name, two rules
    ],
)
def test_what_is_more_than_plain_objects_has_no_quick_check(schema: dict[str, Any]) -> None:
    assert _flat(schema) is None
