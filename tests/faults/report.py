"""What a person reads of the runs: progress while they last, one line a run, all details of one that failed; the same as JSON.

Not for: deciding (``runs``).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.faults.runs import Result

_BEGUN: Final = time.monotonic()
KINDS: Final = ("lost", "doubled", "wrong", "residual")
COLUMNS: Final = (
    ("fault", 6), ("scenario", 16), ("events", 9), ("kills, cuts", 12), ("lost", 6), ("doubled", 8), ("wrong", 7),
    ("residual", 9), ("copies", 8), ("at most", 9), ("seconds", 8), ("seed", 12), ("verdict", 8),
)  # fmt: skip


def progress(text: str) -> None:
    sys.stdout.write(f"{time.monotonic() - _BEGUN:7.1f}  {text}\n")
    sys.stdout.flush()


def row(result: Result) -> dict[str, Any]:
    """A run as the report's line has it."""
    verdict = result.verdict
    return {
        "fault": result.case.fault,
        "scenario": result.case.name,
        "events": result.events,
        "kills, cuts": result.counters["misfortunes"],
        **{kind: verdict.sum_of(kind) if verdict else "-" for kind in KINDS},
        "copies": verdict.figures.get("copies", 0) if verdict else "-",
        "at most": verdict.figures.get("copies at most", 0) if verdict else "-",
        "seconds": round(result.seconds),
        "seed": result.seed,
        "verdict": "passed" if result.ok else "FAILED",
    }


def table(results: Sequence[Result]) -> str:
    """One line a run, then what went wrong, then sums."""
    lines = ["  ".join(f"{name:>{width}}" for name, width in COLUMNS)]
    rows = [row(result) for result in results]
    lines += ["  ".join(f"{found[name]!s:>{width}}" for name, width in COLUMNS) for found in rows]
    events, cuts = (sum(found[name] for found in rows) for name in ("events", "kills, cuts"))
    lines.append(f"{len(results)} runs, {events:,} events, {cuts:,} kills and cuts")
    return "\n".join([*lines, *(line for result in results if not result.ok for line in _wrong(result))])


def _wrong(result: Result) -> list[str]:
    name = f"{result.case.fault} {result.case.name}, seed {result.seed}"
    lines = [f"{name}: {result.problem}"] if result.problem else []
    lines += [f"{name}: the plan was not kept: {text}" for text in result.broken]
    if result.verdict:
        wrong = {what: count for what, count in result.verdict.wrong.items() if count}
        lines += [f"{name}: {count} {what}: {result.verdict.examples.get(what, '')}" for what, count in wrong.items()]
    return lines


def details(result: Result) -> str:
    """What a run did and found, in a few lines."""
    did = ", ".join(f"{count} {what}" for what, count in result.counters.items() if what != "misfortunes")
    ends = ", ".join(f"{what} × {count}" for what, count in sorted(result.unexpected.items()))
    lines = [f"    did: {did}", f"    ended by themselves: {ends or 'none'}"]
    if result.verdict:
        lines.append("    found: " + ", ".join(f"{count} {what}" for what, count in result.verdict.figures.items()))
        compared = [what for what, count in result.verdict.wrong.items() if not count]
        lines.append(f"    = 0: {', '.join(compared)}")
    return "\n".join([*lines, *(f"    {line}" for line in _wrong(result))])


def write(path: Path, results: Sequence[Result], controls: Sequence[dict[str, Any]]) -> None:
    """Everything of every run, for programs."""
    runs = [
        {
            **row(result),
            "did": dict(result.counters),
            "ended by themselves": dict(result.unexpected),
            "figures": result.verdict.figures if result.verdict else {},
            "compared": result.verdict.wrong if result.verdict else {},
            "plan not kept": result.broken,
            "problem": result.problem,
        }
        for result in results
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"runs": runs, "controls": list(controls)}, indent=1, ensure_ascii=False) + "\n")
