"""What a person reads of the runs: progress while they last, a table of each afterwards. Not for: deciding (``runs``)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

from tests.faults.runs import SABOTAGE, Result

_BEGUN: Final = time.monotonic()
_FOUND: Final = ("alerts missing", "alerts conflicting", "alerts unknown", "state rows wrong")


def progress(text: str) -> None:
    sys.stdout.write(f"{time.monotonic() - _BEGUN:7.1f}  {text}\n")
    sys.stdout.flush()


def table(results: Sequence[Result]) -> str:
    """One column a seed."""
    rows: list[tuple[str, list[str]]] = [
        ("seed", [str(r.seed) for r in results]),
        ("seconds", [f"{r.seconds:.0f}" for r in results]),
    ]
    rows += [
        (f"kills of {role} (counted)", [_kills(r, role) for r in results]) for role in ("dossier", "intake", "sink")
    ]
    rows.append(
        ("least newly applied", [str(min((d.newly for d in r.deaths if d.counted), default=0)) for r in results])
    )
    rows.append(
        ("least remaining", [str(min((d.remaining for d in r.deaths if d.counted), default=0)) for r in results])
    )
    rows.append(("kills with redelivery", [_redelivered(r) for r in results]))
    names = list(dict.fromkeys(name for r in results for name in r.notes))
    rows += [(name, [str(r.notes.get(name, "")) for r in results]) for name in names]
    figures = list(dict.fromkeys(n for r in results if r.verdict for n in r.verdict.figures))
    rows += [(n, [str(r.verdict.figures.get(n, "")) if r.verdict else "-" for r in results]) for n in figures]
    wrong = list(dict.fromkeys(n for r in results if r.verdict for n in r.verdict.wrong))
    rows += [(f"= 0: {n}", [str(r.verdict.wrong.get(n, "")) if r.verdict else "-" for r in results]) for n in wrong]
    rows.append(("verdict", ["passed" if r.ok else "FAILED" for r in results]))
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  " + "  ".join(f"{cell:>14}" for cell in cells) for name, cells in rows]
    for r in results:
        lines += [f"seed {r.seed}: the plan was not kept: {text}" for text in r.plan_broken]
        lines += [f"seed {r.seed}: {r.problem}"] if r.problem else []
        lines += [f"seed {r.seed}: {n}, e.g. {e}" for n, e in (r.verdict.examples.items() if r.verdict else ())]
    return "\n".join(lines)


def _kills(result: Result, role: str) -> str:
    of_role = [death for death in result.deaths if death.role == role]
    return f"{len(of_role)} ({sum(death.counted for death in of_role)})"


def _redelivered(result: Result) -> str:
    counted = [death for death in result.deaths if death.counted]
    return f"{sum(death.redelivered > 0 for death in counted)} of {len(counted)}"


def controls_table(results: Sequence[Result]) -> tuple[str, bool]:
    """The real build beside the broken ones on the same plan; good when it passes and each of them is caught."""
    lines = [f"negative controls, seed {results[0].seed}, the same plan for each"]
    lines.append(f"{'build':<36}{'kills':>6}" + "".join(f"{name:>20}" for name in _FOUND) + f"{'verdict':>10}")
    good = True
    for r in results:
        wrong = r.verdict.wrong if r.verdict else {}
        real = r.build == "real"
        caught = wrong.get("alerts missing", 0) + wrong.get("alerts conflicting", 0) > 0
        good = good and (r.ok if real else caught)
        name = "the real build" if real else SABOTAGE[r.build]
        cells = "".join(f"{wrong.get(n, '-'):>20}" for n in _FOUND)
        verdict = ("passed" if r.ok else "FAILED") if real else ("caught" if caught else "NOT CAUGHT")
        lines.append(f"{name:<36}{len(r.deaths):>6}{cells}{verdict:>12}")
        lines += [f"  {r.problem}"] if r.problem else []
        lines += [f"  {n}, e.g. {e}" for n, e in (r.verdict.examples.items() if r.verdict else ())]
    return "\n".join(lines), good
