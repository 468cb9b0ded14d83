"""The real chain beside the kernel's floor, and the sink beside a raw INSERT of the same rows. Not for: how a role is measured
(``streamer.bench.runs``, which does it)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from bench.context import Bench
from bench.kernel.measure import attempt
from bench.peers import BY_NAME, REPOSITORY
from bench.store import Run
from streamer.bench import runs
from streamer.bench.processes import Measured
from streamer.bench.stage import Environment, Stage

ROLES: Final = ("intake", "dossier", "sink")
TOOL_TIMEOUT_S: Final = 600.0


class Runner(runs.Runner):
    """Remembers where the last run was, so that its rows can be read."""

    at: Environment | None = None

    def _start(self, role: str, at: Environment) -> Measured:
        self.at = at
        return super()._start(role, at)


@asynccontextmanager
async def staged(bench: Bench) -> AsyncIterator[tuple[Stage, Runner]]:
    """The contract's topics and a database for the time of a part."""
    home = bench.home / "stage"
    home.mkdir(parents=True, exist_ok=True)
    async with Stage.open(bench.cluster.bootstrap, bench.database_url, home) as stage:
        yield stage, Runner(stage, core=bench.core)


def kept(part: str, size: int, number: int, run: runs.Run, **extra: Any) -> Run:
    return Run(part, run.name, size, number, run.events, run.seconds, run.cpu_s, run.peak_mb, extra)


async def chain(bench: Bench) -> None:
    """The kernel's floor, each role alone, the whole: once a round. The sink's rows go in again by raw INSERTs right after it."""
    plan = bench.plan
    rounds = range(1, plan.chain_rounds + 1)
    if all(bench.store.has("chain", name, plan.chain_events, n) for name in ("floor", "chain") for n in rounds):
        return
    async with staged(bench) as (_, runner):
        await runner.publish(plan.chain_events)
        for number in rounds:
            if not bench.store.has("chain", "floor", plan.chain_events, number):
                run = Run("chain", "floor", plan.chain_events, number, plan.chain_floor_events, 0, 0, 0)
                bench.keep(await attempt(bench, BY_NAME["floor"], run))
            if not bench.store.has("chain", "chain", plan.chain_events, number):
                await _stages(bench, runner, number)
                bench.keep(kept("chain", plan.chain_events, number, await runner.chain()))


async def sink(bench: Bench) -> None:
    """The sink alone next to raw INSERTs, where ``chain`` has not measured it."""
    plan = bench.plan
    if bench.store.has("sink", "raw", plan.chain_events, plan.sink_rounds):
        return
    async with staged(bench) as (_, runner):
        await runner.publish(plan.chain_events)
        for number in range(1, plan.sink_rounds + 1):
            if not bench.store.has("sink", "raw", plan.chain_events, number):
                await _stages(bench, runner, number)


async def _stages(bench: Bench, runner: Runner, number: int) -> None:
    """The roles one after the other; then the rows that the sink wrote, by a loop of INSERT … SELECT unnest."""
    size = bench.plan.chain_events
    for run in await runner.stages():
        bench.keep(kept("chain", size, number, run))
    assert runner.at is not None
    raw = await tool(bench, "bench.raw_sink", runner.at.database_url)
    bench.keep(Run("sink", "raw", size, number, raw["rows"], raw["seconds"], raw["cpu_s"], raw["peak_mb"]))
    bench.keep(Run("sink", "sink", size, number, raw["rows"], run.seconds, run.cpu_s, run.peak_mb))


async def tool(bench: Bench, module: str, *arguments: str) -> dict[str, Any]:
    """A measuring loop of this package in a process of its own, on the workers' core; what it prints. Raises RuntimeError."""
    command = [sys.executable, "-m", module, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    if bench.core is not None:
        environment["BENCH_CORE"] = str(bench.core)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=Path(REPOSITORY), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), TOOL_TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{module} ended with {process.returncode}: {errors.decode(errors='replace')[-600:]}")
    return dict(orjson.loads(out))
