"""A latency counts only if its events went out on time and its alerts are those that were due."""

from __future__ import annotations

from typing import Any

import pytest

from bench.trial import Seen, Told, judged, percentile

DUE = {"alert-1": "e1", "alert-2": "e2", "alert-3": "e3", "alert-of-another-trial": "x"}
TOLD = Told(
    intended=100.0,
    achieved=99.0,
    acknowledged={"e1": 10.0, "e2": 14.0, "e3": 15.0, "e4": 16.0},
    read={"alert-1": Seen("e1", 10.5), "alert-2": Seen("e2", 14.02), "alert-3": Seen("e3", 15.03)},
    copies=0,
    start=13.0,
)


def test_alerts_of_events_after_the_start_are_timed_once_each() -> None:
    found = judged(TOLD, DUE)
    assert "failed" not in found
    assert (found["alerts"], found["missing"], found["extra"]) == (2, 0, 0)
    assert (found["p50_ms"], found["p99_ms"], found["p999_ms"]) == (20.0, 30.0, 30.0)
    assert (found["intended"], found["rate"]) == (100.0, 99.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"achieved": 94.9}, "only 95 events/s went out, of 100"),
        ({"read": dict(list(TOLD.read.items())[:2])}, "1 alerts are missing, 0 are not due"),
        ({"read": {**TOLD.read, "alert-9": Seen("e4", 16.1)}}, "0 alerts are missing, 1 are not due"),
        ({"copies": 2}, "0 alerts are missing, 2 are not due or came twice"),
        ({"start": 99.0}, "no alert was due"),
    ],
)
def test_a_trial_that_was_not_as_meant_has_no_figure(changes: dict[str, Any], said: str) -> None:
    assert said in judged(TOLD._replace(**changes), DUE)["failed"]


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([], 0.5) is None
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([float(i) for i in range(1, 101)], 0.99) == 99.0
    assert percentile([float(i) for i in range(1, 101)], 0.999) == 100.0
