"""Negative controls: a scenario that the real build passes, with a build that breaks one promise. Each must be caught.

Not for: breaking it (``sabotage``).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tests.faults.pool import Task
from tests.faults.report import KINDS, passed


class Control(NamedTuple):
    """``name``: what ``sabotage`` calls it; "" is the real build, which must pass. ``by``: what it must do wrong to be caught, or
    what its process must say when it finds its own state impossible."""

    name: str
    says: str
    scenario: str
    by: tuple[str, ...] = ()


SECONDS: Final = 60
#: Of a start on a state that has lost what its group had committed.
IMPOSSIBLE: Final = "but state includes only what is below"
CONTROLS: Final = (
    Control("", "the real build, kills inside the commit", "inside_commit"),
    Control("outputs-last", "outputs after the changelog", "inside_commit", ("alerts missing",)),
    Control("torn-batch", "batch torn between head and fact", "inside_commit", ("state rows wrong",)),
    Control("told-again", "what is durable told once more", "inside_commit", ("copies of what was not in flight",)),
    Control("row-left-out", "a row missing in the local store", "inside_commit", ("local stores: rows wrong",)),
    Control("", "the real build, sleepers that wake in a commit", "late_writes"),
    Control("no-origin", "a record counts wherever it lies", "late_writes", ("state rows wrong", IMPOSSIBLE)),
    Control("no-pause-check", "a woken sleeper goes on", "late_writes", ("woken workers that went on",)),
)


def tasks(seed: int) -> list[Task]:
    return [Task(c.scenario, 0, c.says, seed, SECONDS, c.name) for c in CONTROLS]


def judged(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """A line a build; good when the real one passes and all others are caught by what they broke."""
    shown, good = [], True
    for control, row in zip(CONTROLS, rows, strict=True):
        by = [what for what in control.by if row.get("compared", {}).get(what, 0) or what in row["problem"]]
        fine = bool(by) if control.name else passed(row)
        good = good and fine
        words = ("caught", "NOT CAUGHT") if control.name else ("passed", "FAILED")
        found = {name: row[name] for name in ("kills, cuts", *KINDS, "seconds")}
        shown.append({"build": control.says, **found, "by": ", ".join(by), "verdict": words[not fine]})
    return shown, good


def table(shown: list[dict[str, Any]]) -> str:
    names = list(shown[0])
    widths = {name: max(len(name), *(len(str(line[name])) for line in shown)) for name in names}
    lines = ["  ".join(f"{name:>{widths[name]}}" for name in names)]
    return "\n".join([*lines, *("  ".join(f"{line[name]!s:>{widths[name]}}" for name in names) for line in shown)])
