"""``make faults``: every fault of the catalogue with one seed, then the negative controls; a table, and an exit code.

SEED=n: this seed (default: drawn, printed). FAULT=5,poison: some, by number or name. HOURS=2: all (or the chosen) again and
again, with new seeds that follow from SEED, until the time is over, whatever fails (``soak``). TODAY=1: what fits into ten minutes,
chosen by SEED (default: the day's date). CONTROLS=1: the negative controls alone; CONTROLS=0: without them. EVENTS=n: at least
so many a run (the misfortunes come early then). JOBS=n: so many runs at once (default: 2; one for TODAY). Folders of runs
that failed are kept (HOURS: of the first three), KEEP=1: all, KEEP=0: none. FAULTS_JSON=file: the report for programs (default:
.streamer/faults.json), written after every run.
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

from tests.faults import controls, pool, soak
from tests.faults.catalog import chosen, of_the_day
from tests.faults.needs import least_events
from tests.faults.report import passed, progress, summary, table, totals, write

SEED_LIMIT: Final = 2**31
TODAY_S: Final = 600.0  # nothing is begun that would take longer
TODAY_CASES_S: Final = 480  # of cases, as measured
HOUR_S: Final = 3_600.0
JOBS: Final = 2
JSON_FILE: Final = ".streamer/faults.json"


def _asked(name: str) -> bool:
    return os.environ.get(name) == "1"


async def _faults(jobs: int, report: Path) -> list[dict[str, Any]]:
    """All runs that were asked for."""
    begun, hours, given = time.monotonic(), float(os.environ.get("HOURS") or 0), os.environ.get("SEED")
    ends_at: float | None = None
    if _asked("TODAY"):
        seed = int(given or f"{datetime.now(UTC):%Y%m%d}")
        cases, ends_at = of_the_day(seed, TODAY_CASES_S), begun + TODAY_S
    else:
        seed = int(given or random.randrange(1, SEED_LIMIT))
        cases = chosen(os.environ.get("FAULT", ""))
    progress(f"seed {seed}: {', '.join(case.name for case in cases)}")
    if hours:
        return await soak.run(cases, seed, jobs, begun + hours * HOUR_S, report)
    done: list[dict[str, Any]] = []

    def told(row: dict[str, Any]) -> None:
        done.append(row)
        write(report, done, [])

    rows = await pool.run(pool.tasks(cases, seed), jobs, told, ends_at=ends_at, keep=os.environ.get("KEEP", "failed"))
    return sorted(rows, key=lambda row: (row["fault"], row["scenario"]))


async def main() -> int:
    choice, begun = os.environ.get("CONTROLS", ""), time.monotonic()
    jobs = int(os.environ.get("JOBS") or (1 if _asked("TODAY") else JOBS))
    report = Path(os.environ.get("FAULTS_JSON", JSON_FILE))
    rows = [] if choice == "1" else await _faults(jobs, report)
    shown: list[dict[str, Any]] = []
    good = all(map(passed, rows)) and bool(rows or choice == "1")
    whole = not (os.environ.get("HOURS") or os.environ.get("FAULT") or _asked("TODAY"))
    if choice == "1" or (choice != "0" and whole):
        seed = rows[0]["seed"] if rows else int(os.environ.get("SEED") or random.randrange(1, SEED_LIMIT))
        shown, caught = controls.judged(await pool.run(controls.tasks(seed), jobs, lambda _: None))
        good = good and caught
    if rows:
        sys.stdout.write(table(rows) + "\n")
        if os.environ.get("HOURS"):
            sys.stdout.write(f"{summary(rows)}\n{totals(rows)}\n")
    if shown:
        sys.stdout.write(controls.table(shown) + "\n")
    write(report, rows, shown)
    for row in rows:
        if not passed(row):
            size = f" EVENTS={least_events()}" if least_events() else ""
            sys.stdout.write(f"FAILED: repeat with `make faults FAULT={row['scenario']} SEED={row['seed']}{size}`\n")
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
