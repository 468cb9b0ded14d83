"""The plain loop's step: once an event, an alert at the third fact from two sources."""

from __future__ import annotations

from typing import Any

from streamer.bench.floor import apply


def event(source: str, identifier: str, amount: int = 5) -> dict[str, Any]:
    outcomes = [{"kind": "fine", "amount_fen": amount}]
    return {"source": f"urn:credit:source:{source}", "id": identifier, "time": "t", "data": {"outcomes": outcomes}}


def test_an_event_counts_once() -> None:
    state: dict[str, Any] = {"f": {}, "a": 0}
    assert apply(state, event("tax", "1")) == (True, None)
    assert apply(state, event("tax", "1")) == (False, None)
    assert state["f"] == {"tax|1": 5}


def test_one_alert_at_the_third_fact_from_two_sources() -> None:
    state: dict[str, Any] = {"f": {}, "a": 0}
    alerts = [
        apply(state, event(s, i))[1]
        for s, i in (("tax", "1"), ("tax", "2"), ("tax", "3"), ("court", "4"), ("tax", "5"))
    ]
    assert [alert is not None for alert in alerts] == [False, False, False, True, False]
