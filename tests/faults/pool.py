"""Runs as child processes, some at once: most of a run is waiting. Not for: what a run is (``runs``)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.faults.catalog import Case
from tests.faults.needs import least_events, limit_s
from tests.faults.report import failed, progress

BEYOND_S: Final = 300.0  # a run's own limit: until its servers have ended, too
EVENTS_PER_S: Final = 400  # of those that EVENTS adds, two runs at once on two cores; for estimates
END_TIMEOUT_S: Final = 60.0  # for a child that is told to end to clean up


class Task(NamedTuple):
    """One run. ``control``: the name of a build that breaks something, or nothing."""

    scenario: str
    fault: int
    says: str
    seed: int
    seconds: int
    control: str = ""


def tasks(cases: Iterable[Case], seed: int) -> list[Task]:
    """The longest first, so that the last to end are short."""
    more = least_events() // EVENTS_PER_S
    cases = sorted(cases, key=lambda case: -case.seconds)
    return [Task(case.name, case.fault, case.says, seed, case.seconds + more) for case in cases]


async def run(
    tasks: Iterable[Task],
    jobs: int,
    told: Callable[[dict[str, Any]], None],
    *,
    ends_at: float | None = None,
    first: bool = True,
    keep: str | Callable[[], str] = "",
) -> list[dict[str, Any]]:
    """The reports' lines, in the order of the tasks; ``told`` gets each when its run has ended. ``ends_at``: nothing is begun that
    would pass this moment, but for the ``first``; ``keep``: which folders stay, asked before each run (``runs.Run``)."""
    waiting = list(enumerate(tasks))
    found: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="faults-worlds-") as folder:

        async def work() -> None:
            while waiting:
                number, task = waiting.pop(0)
                if ends_at is not None and (found or not first) and time.monotonic() + task.seconds > ends_at:
                    progress(f"left out for time: {task.scenario}, seed {task.seed}")
                    continue
                row = await _child(task, Path(folder), number, keep if isinstance(keep, str) else keep())
                found[number] = row
                told(row)

        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(work())
    return [found[number] for number in sorted(found)]


async def _child(task: Task, folder: Path, number: int, keep: str) -> dict[str, Any]:
    """One run to its end, its lines with its name before them."""
    report = folder / f"report-{number}.json"
    arguments = [task.scenario, str(task.seed), str(folder), str(report), *([task.control] if task.control else [])]
    name = task.control or task.scenario
    progress(f"{name}: fault {task.fault}, seed {task.seed}: {task.says}")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.one", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, process_group=0,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "KEEP": keep},
    )  # fmt: skip
    problem, timeout_s = "", limit_s(least_events()) + BEYOND_S
    try:
        async with asyncio.timeout(timeout_s):
            assert child.stdout is not None
            async for text in child.stdout:
                sys.stdout.write(f"{name:>14} {text.decode()}")
                sys.stdout.flush()
            await child.wait()
    except TimeoutError:
        problem = f"the run did not end in {timeout_s:.0f} s"
    finally:
        await _end(child)
    if report.exists():
        return dict(json.loads(report.read_text()))
    return failed(
        task.fault, task.scenario, task.seed, problem or f"the run ended with {child.returncode}, without a report"
    )


async def _end(child: asyncio.subprocess.Process) -> None:
    """Told to end and waited for, so that nothing of its is left; killed when that takes too long."""
    if child.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(asyncio.shield(child.wait()), END_TIMEOUT_S)
    except TimeoutError:
        child.kill()
        await child.wait()
