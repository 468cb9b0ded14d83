"""``make faults``: every fault of the catalogue with one seed, then the negative controls; a table, and an exit code.

SEED=n: this seed (default: drawn, printed). FAULT=5,poison: some, by number or name. HOURS=2: new seeds of all (or the
chosen) until the time is over, or one fails. TODAY=1: what fits into ten minutes, chosen by SEED (default: the day's date).
CONTROLS=1: the negative controls alone; CONTROLS=0: without them. EVENTS=n: at least so many a run (the misfortunes come
early then). JOBS=n: so many runs at once (default: 2; one for TODAY). KEEP=1 keeps the folders. FAULTS_JSON=file: the
report for programs (default: .streamer/faults.json).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.faults import controls, pool
from tests.faults.catalog import Case, chosen, of_the_day
from tests.faults.pool import Task
from tests.faults.report import passed, progress, summary, table, write

SEED_LIMIT: Final = 2**31
TODAY_S: Final = 600.0  # nothing is begun that would take longer
TODAY_CASES_S: Final = 480  # of cases, as measured
HOUR_S: Final = 3_600.0
JOBS: Final = 2
JSON_FILE: Final = ".streamer/faults.json"


def _asked(name: str) -> bool:
    return os.environ.get(name) == "1"


def _tasks(cases: list[Case], seed: int) -> list[Task]:
    """The longest first, so that the last to end are short."""
    cases = sorted(cases, key=lambda case: -case.seconds)
    return [Task(case.name, case.fault, case.says, seed, case.seconds) for case in cases]


async def _faults(jobs: int) -> list[dict[str, Any]]:
    """All runs that were asked for."""
    begun, hours, given = time.monotonic(), float(os.environ.get("HOURS") or 0), os.environ.get("SEED")
    if _asked("TODAY"):
        seed = int(given or f"{datetime.now(UTC):%Y%m%d}")
        cases, ends_at = of_the_day(seed, TODAY_CASES_S), begun + TODAY_S
    else:
        seed = int(given or random.randrange(1, SEED_LIMIT))
        cases, ends_at = chosen(os.environ.get("FAULT", "")), begun + hours * HOUR_S if hours else None
    progress(f"seed {seed}: {', '.join(case.name for case in cases)}")
    rows = await pool.run(_tasks(cases, seed), jobs, ends_at=ends_at, good=passed if hours else None)
    while hours and all(map(passed, rows)):
        sys.stdout.write(summary(rows) + "\n")
        more = await pool.run(
            _tasks(cases, random.randrange(1, SEED_LIMIT)), jobs, ends_at=ends_at, good=passed, first=False
        )
        rows += more
        if not more:
            break
    return sorted(rows, key=lambda row: (row["fault"], row["scenario"])) if not hours else rows


async def main() -> int:
    choice, begun = os.environ.get("CONTROLS", ""), time.monotonic()
    jobs = int(os.environ.get("JOBS") or (1 if _asked("TODAY") else JOBS))
    rows = [] if choice == "1" else await _faults(jobs)
    shown: list[dict[str, Any]] = []
    good = all(map(passed, rows))
    whole = not (os.environ.get("HOURS") or os.environ.get("FAULT") or _asked("TODAY"))
    if choice == "1" or (choice != "0" and whole):
        seed = rows[0]["seed"] if rows else int(os.environ.get("SEED") or random.randrange(1, SEED_LIMIT))
        shown, caught = controls.judged(await pool.run(controls.tasks(seed), jobs))
        good = good and caught
    if rows:
        sys.stdout.write(table(rows) + "\n")
        if os.environ.get("HOURS"):
            sys.stdout.write(summary(rows) + "\n")
    if shown:
        sys.stdout.write(controls.table(shown) + "\n")
    write(Path(os.environ.get("FAULTS_JSON", JSON_FILE)), rows, shown)
    for row in rows:
        if not passed(row):
            sys.stdout.write(f"FAILED: repeat with `make faults FAULT={row['scenario']} SEED={row['seed']}`\n")
    sys.stdout.write(f"{'passed' if good else 'failed'} in {time.monotonic() - begun:.0f} s\n")
    return 0 if good else 1


async def _told() -> int:
    """SIGTERM and Ctrl-C end the runs with everything of them cleaned up."""
    work = asyncio.ensure_future(main())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    return await work


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(_told()))
    except ValueError as error:
        sys.exit(f"error: {error}")
    except asyncio.CancelledError:
        sys.exit("told to end")
