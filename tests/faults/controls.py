"""Negative controls: a scenario that the real build passes, with a build that breaks one promise. Each must be caught.

Not for: breaking it (``sabotage``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.faults.catalog import Case
from tests.faults.report import KINDS, details, progress
from tests.faults.runs import Result, Run


class Control(NamedTuple):
    """``name``: what ``sabotage`` calls it; "" is the real build, which must pass."""

    name: str
    says: str
    scenario: str


CONTROLS: Final = (
    Control("", "the real build, kills inside the commit", "inside_commit"),
    Control("outputs-last", "outputs after the changelog", "inside_commit"),
    Control("torn-batch", "batch torn between head and fact", "inside_commit"),
    Control("", "the real build, late writes of sleepers", "late_writes"),
    Control("no-origin", "a record that lies elsewhere counts", "late_writes"),
    Control("no-pause-check", "a woken sleeper goes on", "late_writes"),
)


async def run(seed: int, cache: Path) -> tuple[list[dict[str, Any]], bool]:
    """Each control once; good when the real build passes and all others are caught by what they did."""
    shown, good = [], True
    for control in CONTROLS:
        progress(f"control, seed {seed}: {control.says}")
        case = Case(0, control.scenario, control.says, 0)
        sabotage = ("-m", "tests.faults.sabotage", control.name) if control.name else ()
        result = await Run(case, seed, progress, cache, sabotage).run()
        fine = result.ok if not control.name else _caught(result)
        good = good and fine
        shown.append(_line(control, result, fine=fine))
        progress(f"{shown[-1]['verdict']}\n{details(result)}")
    sys.stdout.write(_table(shown) + "\n")
    return shown, good


def _caught(result: Result) -> bool:
    return result.verdict is not None and any(result.verdict.sum_of(kind) for kind in KINDS)


def _line(control: Control, result: Result, *, fine: bool) -> dict[str, Any]:
    verdict = result.verdict
    words = ("caught", "NOT CAUGHT") if control.name else ("passed", "FAILED")
    return {
        "build": control.says,
        "kills, cuts": result.counters["misfortunes"],
        **{kind: verdict.sum_of(kind) if verdict else "-" for kind in KINDS},
        "seconds": round(result.seconds),
        "verdict": words[not fine],
    }


def _table(shown: list[dict[str, Any]]) -> str:
    names = list(shown[0])
    widths = {name: max(len(name), *(len(str(line[name])) for line in shown)) for name in names}
    lines = ["  ".join(f"{name:>{widths[name]}}" for name in names)]
    return "\n".join([*lines, *("  ".join(f"{line[name]!s:>{widths[name]}}" for name in names) for line in shown)])
