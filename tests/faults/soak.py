"""``make faults HOURS=2``: round after round of the same cases, each with a seed of its own, to the end, whatever fails on the way.

The report is written after every run, so that an interruption loses nothing; what a run leaves on the disk goes with it, but for
the first few that failed. Not for: one round (``__main__``).
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any, Final

from tests.faults import pool
from tests.faults.catalog import Case
from tests.faults.report import passed, progress, totals, write

SEED_LIMIT: Final = 2**31
KEPT_MAX: Final = 3  # folders of failed runs: with 100,000 events each has some gigabytes


async def run(cases: list[Case], seed: int, jobs: int, ends_at: float, report: Path) -> list[dict[str, Any]]:
    """All runs, in the order in which they ended. The first round's seed is ``seed``; nothing is begun that would pass the end, as
    far as earlier runs of it tell."""
    rng = random.Random(f"rounds {seed}")
    rows: list[dict[str, Any]] = []
    longest: dict[str, int] = {}

    def told(row: dict[str, Any]) -> None:
        rows.append(row)
        write(report, rows, [])
        longest[row["scenario"]] = max(row["seconds"], longest.get(row["scenario"], 0))
        left = max(0.0, ends_at - time.monotonic())
        progress(f"{row['scenario']} {row['verdict']}; {totals(rows)}; {left / 60:.0f} minutes left")

    def keep() -> str:
        return "failed" if sum(bool(row.get("kept")) for row in rows) < KEPT_MAX else ""

    while True:
        tasks = [t._replace(seconds=longest.get(t.scenario, t.seconds)) for t in pool.tasks(cases, seed)]
        first = not rows
        if not await pool.run(tasks, jobs, told, ends_at=ends_at, first=first, keep=keep):
            break
        seed = rng.randrange(1, SEED_LIMIT)
    failed = [row for row in rows if not passed(row)]
    for row in failed:
        progress(f"failed: {row['scenario']}, seed {row['seed']}; kept: {row.get('kept') or 'nothing'}")
    return rows
