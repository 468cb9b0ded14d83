"""The catalogue, its worlds and its report: what can be known without a server."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from streamer.demo.truth import DEAD, DUPLICATE, PARKED
from tests.faults import controls, report, worlds
from tests.faults.__main__ import JOBS
from tests.faults.catalog import CASES, Case, chosen, of_the_day
from tests.faults.controls import CONTROLS
from tests.faults.needs import Needs
from tests.faults.report import details, failed, line, table, write
from tests.faults.runs import Result
from tests.faults.sabotage import CONTROLS as BROKEN
from tests.faults.verdict import Verdict

TODAY_S = 600
ALL_S = 45 * 60
DAYS = range(20260101, 20260131)


def test_every_case_has_a_scenario_with_its_needs() -> None:
    for case in CASES:
        assert isinstance(case.module.NEEDS, Needs), case
        assert callable(case.module.run), case
        assert case.module.NEEDS.world in worlds.RECIPES, case
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_control_breaks_something_beside_a_real_build_of_the_same_scenario() -> None:
    assert {control.name for control in CONTROLS} == {"", *BROKEN}
    for control in CONTROLS:
        assert callable(Case(0, control.scenario, "", 0).module.run)
    assert {c.scenario for c in CONTROLS if not c.name} == {c.scenario for c in CONTROLS if c.name}


def test_cases_are_chosen_by_number_and_name() -> None:
    assert chosen("") == list(CASES)
    assert [case.name for case in chosen("8, storm,8")] == ["poison", "storm"]
    with pytest.raises(ValueError, match="'hail' is none of 1 commit_points"):
        chosen("hail")


def test_a_day_has_some_cases_and_days_have_all() -> None:
    assert of_the_day(DAYS[0], TODAY_S) == of_the_day(DAYS[0], TODAY_S)
    for day in DAYS:
        found = of_the_day(day, TODAY_S)
        assert found
        assert sum(case.seconds for case in found) <= TODAY_S
    assert {case for day in DAYS for case in of_the_day(day, TODAY_S)} == set(CASES)


def test_all_cases_fit_their_time() -> None:
    seconds = sum(case.seconds for case in CASES) + sum(task.seconds for task in controls.tasks(1))
    assert seconds / JOBS < ALL_S * 0.9


@pytest.mark.parametrize("recipe", worlds.RECIPES)
def test_a_seed_is_a_world(recipe: str, tmp_path: Path) -> None:
    truth, folder = worlds.world(tmp_path / "a", recipe, 2_000, 7)
    again, _ = worlds.world(tmp_path / "a", recipe, 2_000, 7)
    other, elsewhere = worlds.world(tmp_path / "b", recipe, 2_000, 7)
    assert truth == again == other
    assert [path.read_bytes() for path in sorted(folder.iterdir())] == [
        path.read_bytes() for path in sorted(elsewhere.iterdir())
    ]
    assert truth.items == sum(truth.fates.values())
    assert truth.messages == sum(phase.messages for phase in truth.phases) >= 2_000


def test_the_worlds_are_mostly_what_they_are_named_after(tmp_path: Path) -> None:
    poison, _ = worlds.world(tmp_path, "poison", 6_000, 3)
    assert poison.fates[DEAD] + poison.fates[PARKED] > poison.items / 2
    repeats, _ = worlds.world(tmp_path, "repeats", 6_000, 3)
    assert repeats.fates[DUPLICATE] > 0.4 * repeats.items
    taken, _ = worlds.world(tmp_path, "taken_back", 6_000, 3)
    assert taken.scenarios["listing_withdrawn_before_it_came"] > 150


def result(**changes: object) -> Result:
    verdict = Verdict({"copies": 3, "copies at most": 8}, {"alerts missing": 0, "residual": 0}, {})
    good = Result(CASES[0], 5, 1_000, 61.0, Counter(misfortunes=4), Counter(), verdict, [], "")
    return good._replace(**changes)


def test_a_run_fails_by_its_verdict_its_plan_or_its_end() -> None:
    assert result().ok
    assert not result(verdict=Verdict({}, {"alerts missing": 1}, {})).ok
    assert not result(broken=["kills: 0 of 1"]).ok
    assert not result(problem="late").ok
    assert not result(verdict=None).ok


def test_the_report_says_what_was_lost_doubled_wrong(tmp_path: Path) -> None:
    wrong = {"alerts missing": 2, "Postgres enterprise.record: not once": 1, "state rows wrong": 4, "residual": 7}
    bad = result(verdict=Verdict({}, wrong, {"alerts missing": "[a.1]"}), broken=["kills: 0 of 1"])
    assert {kind: line(bad)[kind] for kind in report.KINDS} == {
        "lost": 2,
        "doubled": 1,
        "wrong": 4,
        "residual": 7,
    }
    text = table([line(result()), line(bad)])
    assert "2 runs, 2,000 events, 8 kills and cuts" in text
    assert "1 commit_points, seed 5: 2 alerts missing: [a.1]" in text
    assert "the plan was not kept: kills: 0 of 1" in text
    assert "= 0: alerts missing, residual" in details(line(result()))
    sums = report.summary([line(result()), line(result())]).splitlines()[1].split()
    assert sums == ["commit_points", "2", "2000", "8", "0", "0", "0", "0", "6", "16", "122"]
    write(tmp_path / "a" / "faults.json", [line(bad)], [])
    assert "9 storm, seed 3: it ended" in table([failed(9, "storm", 3, "it ended")])
    found = json.loads((tmp_path / "a" / "faults.json").read_text())
    assert found["runs"][0]["lost"] == 2
