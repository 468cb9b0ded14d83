"""``make faults``: every fault of the catalogue with one seed, then the negative controls; a table, and an exit code.

SEED=n: this seed (default: drawn, printed). FAULT=5,poison: some, by number or name. HOURS=2: new seeds of all (or the
chosen) until the time is over, or one fails. TODAY=1: what fits into ten minutes, chosen by SEED (default: the day's date).
CONTROLS=1: the negative controls alone; CONTROLS=0: without them. KEEP=1 keeps the folders. FAULTS_JSON=file: the report
for programs (default: .streamer/faults.json).
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.faults import controls
from tests.faults.catalog import Case, chosen, of_the_day
from tests.faults.report import details, progress, table, write
from tests.faults.runs import Result, Run

SEED_LIMIT: Final = 2**31
TODAY_S: Final = 600.0  # nothing is begun that would take longer
TODAY_CASES_S: Final = 480  # of cases, as measured
HOUR_S: Final = 3_600.0
JSON_FILE: Final = ".streamer/faults.json"


def _seeds(first: int, hours: float) -> Iterator[int]:
    """One; for a soak, new ones as long as there is time."""
    until = time.monotonic() + hours * HOUR_S
    yield first
    while time.monotonic() < until:
        yield random.randrange(1, SEED_LIMIT)


def _plan() -> tuple[int, list[Case], float | None]:
    """The first seed, the cases, and the time for them. Raises ValueError for a case that does not exist."""
    if os.environ.get("TODAY") == "1":
        seed = int(os.environ.get("SEED") or f"{datetime.now(UTC):%Y%m%d}")
        return seed, of_the_day(seed, TODAY_CASES_S), TODAY_S
    seed = int(os.environ.get("SEED") or random.randrange(1, SEED_LIMIT))
    return seed, chosen(os.environ.get("FAULT", "")), None


async def _runs(cases: list[Case], seeds: Iterator[int], ends_at: float | None, results: list[Result]) -> bool:
    """True when all went well. With an end: nothing is begun that would pass it, and the first failure is the last run."""
    for seed in seeds:
        begun = len(results)
        with tempfile.TemporaryDirectory(prefix="faults-worlds-") as cache:
            for case in cases:
                if ends_at is not None and results and time.monotonic() + case.seconds > ends_at:
                    progress(f"left out for time: {case.name}, seed {seed}")
                    continue
                results.append(await _run(case, seed, Path(cache)))
                if ends_at is not None and not results[-1].ok:
                    return False
        if len(results) == begun:
            break
    return all(result.ok for result in results)


async def _run(case: Case, seed: int, cache: Path) -> Result:
    progress(f"fault {case.fault}, {case.name}, seed {seed}: {case.says}")
    result = await Run(case, seed, progress, cache).run(keep=os.environ.get("KEEP") == "1")
    progress(f"{'passed' if result.ok else 'FAILED'} in {result.seconds:.0f} s\n{details(result)}")
    return result


async def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers die here on purpose
    choice, hours = os.environ.get("CONTROLS", ""), float(os.environ.get("HOURS") or 0)
    begun, good = time.monotonic(), True
    results: list[Result] = []
    shown: list[dict[str, Any]] = []
    seed, cases, limit_s = _plan()
    if hours:
        limit_s = hours * HOUR_S
    progress(f"seed {seed}: {', '.join(case.name for case in cases)}")
    if choice != "1":
        ends_at = None if limit_s is None else begun + limit_s
        good = await _runs(cases, _seeds(seed, hours), ends_at, results)
        sys.stdout.write(table(results) + "\n")
    if choice == "1" or (choice != "0" and limit_s is None and not os.environ.get("FAULT")):
        with tempfile.TemporaryDirectory(prefix="faults-worlds-") as cache:
            shown, caught = await controls.run(seed, Path(cache))
        good = good and caught
    write(Path(os.environ.get("FAULTS_JSON", JSON_FILE)), results, shown)
    for result in results:
        if not result.ok:
            sys.stdout.write(f"FAILED: repeat with `make faults FAULT={result.case.name} SEED={result.seed}`\n")
    sys.stdout.write(f"{'passed' if good else 'failed'} in {time.monotonic() - begun:.0f} s\n")
    return 0 if good else 1


async def _told() -> int:
    """SIGTERM ends a run as Ctrl-C does: with everything of it cleaned up."""
    work = asyncio.ensure_future(main())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    return await work


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(_told()))
    except ValueError as error:
        sys.exit(f"error: {error}")
