"""``make faults``: kill runs of several seeds, then the negative controls; a table, and an exit code.

SEED=n runs one seed again; FAULTS_SEEDS=a,b names several (default: 1, 2 and one drawn now); FAULTS_EVENTS=n events a run;
CONTROLS=0 leaves the negative controls out, CONTROLS=1 runs them alone (FAULTS_CONTROL=name: one of them;
FAULTS_CONTROL_EVENTS=n); KEEP=1 keeps the folders.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import time
from typing import Final

from tests.faults.report import controls_table, progress, table
from tests.faults.runs import SABOTAGE, Result, Run

EVENTS: Final = 110_000  # a named place of a commit may take several attempts, of some 4,000 events each
CONTROL_EVENTS: Final = 30_000
SEED_LIMIT: Final = 2**31


def _seeds() -> list[int]:
    if os.environ.get("SEED"):
        return [int(os.environ["SEED"])]
    if os.environ.get("FAULTS_SEEDS"):
        return [int(seed) for seed in os.environ["FAULTS_SEEDS"].split(",")]
    return [1, 2, random.randrange(3, SEED_LIMIT)]


async def _real(seeds: list[int], events: int, *, keep: bool) -> list[Result]:
    results = []
    for seed in seeds:
        progress(f"seed {seed}")
        results.append(await Run(seed, events, progress).run(keep=keep))
        sys.stdout.write(table(results[-1:]) + "\n")
    return results


async def _controls(seed: int, events: int, *, keep: bool) -> list[Result]:
    results = []
    only = os.environ.get("FAULTS_CONTROL")
    for sabotage in [only] if only else ("", *SABOTAGE):
        progress(f"control, seed {seed}: {SABOTAGE.get(sabotage, 'the real build')}")
        run = Run(seed, events, progress, control=True, sabotage=sabotage)
        results.append(await run.run(keep=keep))
    return results


async def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers die here on purpose
    seeds, choice, keep = _seeds(), os.environ.get("CONTROLS", ""), os.environ.get("KEEP") == "1"
    begun = time.monotonic()
    progress(f"seeds {', '.join(map(str, seeds))} (repeat one with SEED=…)")
    results: list[Result] = []
    controls: list[Result] = []
    if choice != "1":
        results = await _real(seeds, int(os.environ.get("FAULTS_EVENTS", EVENTS)), keep=keep)
    if choice != "0":
        controls = await _controls(seeds[0], int(os.environ.get("FAULTS_CONTROL_EVENTS", CONTROL_EVENTS)), keep=keep)
    failed = [result.seed for result in results if not result.ok]
    if len(results) > 1:
        sys.stdout.write(table(results) + "\n")
    if controls:
        text, good = controls_table(controls)
        sys.stdout.write(text + "\n")
        failed += [] if good else [controls[0].seed]
    for seed in dict.fromkeys(failed):
        sys.stdout.write(f"FAILED: repeat with `make faults SEED={seed}`\n")
    sys.stdout.write(f"{'failed' if failed else 'passed'} in {time.monotonic() - begun:.0f} s\n")
    return 1 if failed else 0


async def _told() -> int:
    """SIGTERM ends a run as Ctrl-C does: with everything of it cleaned up."""
    work = asyncio.ensure_future(main())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    return await work


if __name__ == "__main__":
    sys.exit(asyncio.run(_told()))
