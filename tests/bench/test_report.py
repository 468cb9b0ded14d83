"""What runs add up to: medians, ratios, goals, and tables that hold them."""

from __future__ import annotations

import pytest

from streamer.bench import report
from streamer.bench.profiler import Profile
from streamer.bench.report import Machine, Result
from streamer.bench.runs import Run

MACHINE = Machine(cores=2, memory_gb=24, python="3.11.7", pinned=True)
PROFILE = Profile(10.0, 1.0, {}, {"a.py f": 6.0, "b.py g": 3.0}, {})


def run(name: str, rate: float, cpu_us: float = 10.0) -> Run:
    return Run(name, 1_000, 1_000 / rate, cpu_us * 1e-3, 100.0)


def result(**changes: object) -> Result:
    runs = [
        run("dossier", 20_000),
        run("dossier", 30_000),
        run("dossier", 10_000),
        run("chain", 4_000),
    ]
    whole = Result(
        events=1_000,
        rounds=3,
        machine=MACHINE,
        runs=runs,
        many=[run("dossier", 1, 30.0)],
        few=[run("dossier", 1, 20.0)],
        profiles={"dossier": PROFILE},
    )
    return whole._replace(**changes)


def test_ratios_are_of_medians() -> None:
    ratios = result().ratios
    assert ratios["fact_growth"] == pytest.approx(1.5)


def test_goals_say_what_was_missed() -> None:
    lines = "\n".join(report.goals(result()))
    assert "| ≤ 1.5 | 1.50 | met |" in lines
    dearer = result(many=[run("dossier", 1, 31.0)])
    assert "| ≤ 1.5 | 1.55 | missed |" in "\n".join(report.goals(dearer))


def test_a_role_is_shown_by_its_medians() -> None:
    assert "| dossier | 20,000 | 10,000 to 30,000 | 10.0 | 100 |" in report.table(result())


def test_what_was_not_measured_is_not_in_the_tables() -> None:
    bare = result(runs=[run("intake", 1)], many=[], few=[], profiles={})
    assert report.growth(bare) == []
    assert "whole chain" not in "\n".join(report.table(bare))
    assert bare.ratios == {}


def test_profiles_name_the_places_that_cost_most() -> None:
    assert "| 60.0% | `a.py f` |" in report.profiles(result())


def test_json_has_the_ratios_by_name_and_every_run() -> None:
    found = report.as_json(result())
    assert set(found["ratios"]) == {"fact_growth"}
    assert len(found["runs"]) == 4
    assert found["profile"]["dossier"][0] == {"share": 0.6, "where": "a.py f"}
