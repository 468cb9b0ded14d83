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

#: What a run did that is a kill -9, by the begin of its name.
KILLS: Final = ("kills of dossier", "kills of intake", "kills of sink", "brokers killed", "PostgreSQL killed")
_BEGUN: Final = time.monotonic()
KINDS: Final = ("lost", "doubled", "wrong", "residual")
COLUMNS: Final = (
    ("fault", 5), ("scenario", 15), ("events", 8), ("kills, cuts", 11), ("lost", 5), ("doubled", 7), ("wrong", 6),
    ("residual", 8), ("copies", 7), ("at most", 8), ("seconds", 7), ("seed", 11), ("verdict", 8),
)  # fmt: skip


def progress(text: str) -> None:
    sys.stdout.write(f"{time.monotonic() - _BEGUN:7.1f}  {text}\n")
    sys.stdout.flush()


def line(result: Result) -> dict[str, Any]:
    """Everything of a run: the columns of the table, then what it did and found."""
    verdict = result.verdict
    return {
        "fault": result.case.fault,
        "scenario": result.case.name,
        "events": result.events,
        "kills, cuts": result.counters["misfortunes"],
        **{kind: verdict.sum_of(kind) if verdict else None for kind in KINDS},
        "copies": verdict.figures.get("copies", 0) if verdict else None,
        "at most": verdict.figures.get("copies at most", 0) if verdict else None,
        "seconds": round(result.seconds),
        "seed": result.seed,
        "verdict": "passed" if result.ok else "FAILED",
        "did": {what: count for what, count in result.counters.items() if what != "misfortunes"},
        "ended by themselves": dict(result.unexpected),
        "figures": verdict.figures if verdict else {},
        "compared": verdict.wrong if verdict else {},
        "examples": verdict.examples if verdict else {},
        "plan not kept": result.broken,
        "problem": result.problem,
        "kept": result.kept,
    }


def failed(fault: int, scenario: str, seed: int, problem: str) -> dict[str, Any]:
    """The line of a run that left none."""
    nothing = dict.fromkeys(("events", "kills, cuts", "seconds"), 0)
    columns = {"fault": fault, "scenario": scenario, **nothing, "seed": seed, "verdict": "FAILED"}
    return {**dict.fromkeys((*KINDS, "copies", "at most")), **columns, "problem": problem}


def passed(row: dict[str, Any]) -> bool:
    return bool(row["verdict"] == "passed")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a run, sums, then what went wrong."""
    lines = [" ".join(f"{name:>{width}}" for name, width in COLUMNS)]
    for row in rows:
        cells = ["-" if row[name] is None else str(row[name]) for name, _ in COLUMNS]
        lines.append(" ".join(f"{cell:>{width}}" for cell, (_, width) in zip(cells, COLUMNS, strict=True)))
    events, cuts = (sum(row[name] for row in rows) for name in ("events", "kills, cuts"))
    lines.append(f"{len(rows)} runs, {events:,} events, {cuts:,} kills and cuts")
    return "\n".join([*lines, *(text for row in rows if not passed(row) for text in _wrong(row))])


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """One line a scenario: the sums of its runs."""
    summed = ("events", "kills, cuts", *KINDS, "copies", "at most", "seconds")
    lines = [f"{'scenario':>15} {'runs':>5} " + " ".join(f"{name:>11}" for name in summed)]
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        own = [row for row in rows if row["scenario"] == scenario]
        sums = [sum(row[name] or 0 for row in own) for name in summed]
        lines.append(f"{scenario:>15} {len(own):>5} " + " ".join(f"{count:>11}" for count in sums))
    return "\n".join(lines)


def totals(rows: Sequence[dict[str, Any]]) -> str:
    """All runs in a line."""
    events, cuts = (sum(row[name] for row in rows) for name in ("events", "kills, cuts"))
    kills = sum(count for row in rows for what, count in row.get("did", {}).items() if what.startswith(KILLS))
    least = min((row["events"] for row in rows), default=0)
    bad = sum(not passed(row) for row in rows)
    return (
        f"{len(rows)} runs, {bad} failed, {events:,} events (at least {least:,} each), {cuts:,} kills and cuts, {kills:,} of "
        "them kill -9"
    )


def _wrong(row: dict[str, Any]) -> list[str]:
    name = f"{row['fault']} {row['scenario']}, seed {row['seed']}"
    lines = [f"{name}: {row['problem']}"] if row["problem"] else []
    lines += [f"{name}: the plan was not kept: {text}" for text in row.get("plan not kept", ())]
    wrong = {what: count for what, count in row.get("compared", {}).items() if count}
    return lines + [f"{name}: {count} {what}: {row['examples'].get(what, '')}" for what, count in wrong.items()]


def details(row: dict[str, Any]) -> str:
    """What a run did and found, in a few lines."""
    did = ", ".join(f"{count} {what}" for what, count in row["did"].items())
    ends = ", ".join(f"{what} × {count}" for what, count in sorted(row["ended by themselves"].items()))
    found = ", ".join(f"{count} {what}" for what, count in row["figures"].items())
    zero = ", ".join(what for what, count in row["compared"].items() if not count)
    lines = [
        f"{row['verdict']} in {row['seconds']} s",
        f"    did: {did}",
        f"    ended by themselves: {ends or 'none'}",
        f"    found: {found}",
        f"    = 0: {zero}",
    ]
    return "\n".join([*lines, *(f"    {text}" for text in _wrong(row))])


def write(path: Path, rows: Sequence[dict[str, Any]], controls: Sequence[dict[str, Any]]) -> None:
    """Everything of every run, for programs; again after each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"runs": list(rows), "controls": list(controls)}, indent=1, ensure_ascii=False)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text + "\n")
    draft.replace(path)  # whole, or the one before
