"""``make faults``: every fault of the catalogue with one seed, then the negative controls; a table, and an exit code.

SEED=n: this seed (default: drawn, printed). FAULT=5,poison: some, by number or name. HOURS=2: new seeds of all (or the chosen)
until the time is over, or one fails. CONTROLS=1: the negative controls alone; CONTROLS=0: without them. KEEP=1 keeps the
folders. FAULTS_JSON=file: the report for programs (default: .streamer/faults.json).
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
from pathlib import Path
from typing import Any, Final

from tests.faults import controls
from tests.faults.catalog import Case, chosen
from tests.faults.report import details, progress, table, write
from tests.faults.runs import Result, Run

SEED_LIMIT: Final = 2**31
HOUR_S: Final = 3_600.0
JSON_FILE: Final = ".streamer/faults.json"


def _seeds(hours: float) -> Iterator[int]:
    """One; for a soak, new ones as long as there is time."""
    until = time.monotonic() + hours * HOUR_S
    yield int(os.environ.get("SEED") or random.randrange(1, SEED_LIMIT))
    while time.monotonic() < until:
        yield random.randrange(1, SEED_LIMIT)


async def _runs(cases: list[Case], cache: Path, hours: float, results: list[Result]) -> bool:
    """True when all went well; a soak stops at its first failure, and when its time is over."""
    until = time.monotonic() + hours * HOUR_S
    for turn, seed in enumerate(_seeds(hours)):
        for case in cases:
            if turn and time.monotonic() > until:
                return True
            progress(f"fault {case.fault}, {case.name}, seed {seed}: {case.says}")
            result = await Run(case, seed, progress, cache).run(keep=os.environ.get("KEEP") == "1")
            results.append(result)
            progress(f"{'passed' if result.ok else 'FAILED'} in {result.seconds:.0f} s\n{details(result)}")
            if hours and not result.ok:
                return False
    return all(result.ok for result in results)


async def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers die here on purpose
    choice, hours = os.environ.get("CONTROLS", ""), float(os.environ.get("HOURS") or 0)
    begun, good = time.monotonic(), True
    results: list[Result] = []
    shown: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="faults-worlds-") as folder:
        if choice != "1":
            good = await _runs(chosen(os.environ.get("FAULT", "")), Path(folder), hours, results)
            sys.stdout.write(table(results) + "\n")
        if choice == "1" or (choice != "0" and not hours and not os.environ.get("FAULT")):
            shown, caught = await controls.run(int(os.environ.get("SEED") or 1), Path(folder))
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
