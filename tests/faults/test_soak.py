"""``HOURS``: what goes on when runs fail, what is written, kept and left out. Runs themselves are invented."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import pool, soak
from tests.faults.catalog import CASES
from tests.faults.pool import Task
from tests.faults.report import totals

SECONDS = 100


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """Every run: its scenario, seed, and which folders it was to keep. The first scenario always fails; each takes its time of a
    clock of ours."""
    found: list[tuple[str, int, str]] = []
    now = [0.0]

    async def child(task: Task, _folder: Path, _number: int, keep: str) -> dict[str, Any]:
        found.append((task.scenario, task.seed, keep))
        now[0] += SECONDS
        bad = task.scenario == CASES[0].name
        return {
            "fault": 1, "scenario": task.scenario, "seed": task.seed, "verdict": "FAILED" if bad else "passed",
            "events": 100_000, "kills, cuts": 9, "seconds": SECONDS, "did": {"kills of dossier": 4, "cuts": 5},
            "kept": "folder" if bad and keep == "failed" else "",
        }  # fmt: skip

    monkeypatch.setattr(pool, "_child", child)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return found


async def test_it_goes_on_to_the_end_whatever_fails_and_writes_every_run(
    ran: list[tuple[str, int, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "faults.json"
    rows = await soak.run([CASES[0], CASES[1]], 7, 1, 10.5 * SECONDS, report)
    assert len(ran) == len(rows) == 10
    assert {row["verdict"] for row in rows} == {"FAILED", "passed"}
    assert json.loads(report.read_text())["runs"] == rows
    seeds = list(dict.fromkeys(seed for _, seed, _ in ran))
    assert seeds[0] == 7
    assert len(seeds) == 5
    kept = [keep for scenario, _, keep in ran if scenario == CASES[0].name]
    assert kept == ["failed"] * soak.KEPT_MAX + [""] * 2
    text = capsys.readouterr().out
    assert text.count("minutes left") == 10
    assert text.count("failed: commit_points") == 5
    assert totals(rows) == (
        "10 runs, 5 failed, 1,000,000 events (at least 100,000 each), 90 kills and cuts, 40 of them kill -9"
    )


async def test_the_report_is_there_after_each_run(
    ran: list[tuple[str, int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "faults.json"
    written: list[int] = []
    write = soak.write

    def spied(path: Path, rows: list[dict[str, Any]], shown: list[dict[str, Any]]) -> None:
        write(path, rows, shown)
        written.append(len(json.loads(path.read_text())["runs"]))

    monkeypatch.setattr(soak, "write", spied)
    await soak.run([CASES[1]], 7, 1, 3.5 * SECONDS, report)
    assert written == [1, 2, 3]
    assert len(ran) == 3


async def test_the_same_seed_draws_the_same_rounds(ran: list[tuple[str, int, str]], tmp_path: Path) -> None:
    one: Callable[[], Any] = lambda: soak.run([CASES[1]], 7, 1, time.monotonic() + 4.5 * SECONDS, tmp_path / "a.json")  # noqa: E731
    await one()
    first = [*ran]
    await one()
    assert ran == first * 2
