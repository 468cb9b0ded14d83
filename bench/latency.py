"""From publish acknowledged to alert readable, at shares of the sustained rate of the whole chain. Not for: the rate itself, or
one share (``trial``).

Intake, dossier and sink on one core; servers, publisher and a subscriber that reads the alerts topics on the others. Every alert
counts once, when it is first read; the first seconds do not. Which alerts are due is what replay makes of the same records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from bench.chain import ROLES, Runner, kept, staged
from bench.context import Bench
from bench.store import Run, of
from bench.trial import WARM_UP_S, Told, Trial, due, judged
from streamer.agents.sink import sink_topics
from streamer.bench.processes import Measured
from streamer.bench.stage import Environment, Stage
from streamer.bench.workload import SOURCES
from streamer.domain import replay
from streamer.export import export
from streamer.rulebook import open_domains, sources
from topics import catalog

SEED: Final = 77


async def latency(bench: Bench) -> None:
    """Each share after the other, on a chain that keeps running; then all of them are judged by one replay."""
    plan = bench.plan
    shares = [share for share in plan.latency_shares if not bench.store.has("latency", "chain", percent(share), 1)]
    if not shares:
        return
    async with staged(bench) as (stage, runner):
        rate = await sustained(bench, stage, runner)
        at = await stage.fresh(keep_events=False)
        processes = [runner._start(role, at) for role in reversed(ROLES)]
        try:
            for process in processes:
                await process.ready(at.state_dir(process.name))
            trials = [await _trial(bench, stage, at, processes, share, rate) for share in shares]
        finally:
            for process in processes:
                await process.stop()
        lines = [line async for line in export(stage.bootstrap)]
    alerts = due(await asyncio.to_thread(replay.run, lines))
    for run, told in trials:
        bench.keep(run._replace(extra=judged(told, alerts)))


async def _trial(
    bench: Bench, stage: Stage, at: Environment, processes: Sequence[Measured], share: float, rate: float
) -> tuple[Run, Told]:
    before = sum(process.usage().cpu_s for process in processes)
    trial, seconds = Trial(stage, share * rate, seed=SEED + percent(share)), bench.plan.latency_s
    bench.say(f"{share * rate:,.0f} events/s, {share:.0%} of {rate:,.0f}, for {seconds + WARM_UP_S:.0f} s")
    told = await trial.run(seconds)
    await _drained(stage, at, [process.require_alive for process in processes])
    usages = [process.usage() for process in processes]
    cpu_s, peak_mb = sum(usage.cpu_s for usage in usages) - before, sum(usage.peak_mb for usage in usages)
    return Run("latency", "chain", percent(share), 1, trial.sent, seconds + WARM_UP_S, cpu_s, peak_mb), told


def percent(share: float) -> int:
    return round(share * 100)


async def sustained(bench: Bench, stage: Stage, runner: Runner) -> float:
    """Events a second of the whole chain: measured in this run, or now."""
    events = bench.plan.chain_events
    runs = of(bench.store.runs, "chain", "chain", events)
    if not runs:
        await runner.publish(events)
        run = kept("latency", events, 1, await runner.chain())._replace(name="sustained")
        bench.keep(run)
        runs = [run]
        await stage.fresh(keep_events=False)
    return median(run.rate for run in runs)


async def _drained(stage: Stage, at: Environment, alive: Sequence[Any]) -> None:
    """Everything that was sent has gone through all roles."""

    def all_alive() -> None:
        for check in alive:
            check()

    inbound = [catalog.EVENTS.topic(source) for source in SOURCES]
    own = sink_topics([source.id for source in sources()], open_domains())
    for role, topics in zip(ROLES, (inbound, [catalog.RECORDS], own), strict=True):
        ends = await stage.ends(topics)
        await stage.until_committed(at.group(role), ends, all_alive)
