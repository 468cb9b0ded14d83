"""What an event costs beside the number of facts its entity has: the dossier, in one state. Not for: many entities (``growth``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.chain import Runner, kept, staged
from bench.context import Bench
from streamer.bench.processes import Measured
from streamer.bench.runs import RECORDS, growth_entities
from streamer.bench.stage import Environment
from streamer.bench.workload import Workload

EVENTS: Final = 20_000  # measured a level and round
LOADED_FACTS: Final = 50_000  # a level: so many entities as make this many facts
SEED: Final = 50_000


async def facts(bench: Bench) -> None:
    """Each round a restart a level, with records about that level's entities waiting."""
    levels = bench.plan.facts
    most = max(levels)
    if bench.store.has("facts", "dossier", most, bench.plan.growth_rounds):
        return
    entities = by_level(levels)
    async with staged(bench) as (stage, runner):
        at = await stage.fresh(keep_events=False)
        workload = Workload(len(entities[min(levels)]), SEED)
        intake = Measured("intake", at.home / "logs" / at.prefix, runner._role_environment(at), core=None)
        try:
            load = [number for level, numbers in entities.items() for number in numbers * level]
            bench.say(f"loading {len(load):,} facts")
            await runner._admit(intake, at, workload, load)
            await runner._alone("dossier", at, [RECORDS], len(load))
            for number in range(1, bench.plan.growth_rounds + 1):
                for level, numbers in entities.items():
                    await _level(bench, runner, at, intake, workload, level, numbers, number)
        finally:
            await intake.stop()


async def _level(
    bench: Bench, runner: Runner, at: Environment, intake: Measured, workload: Workload, level: int,
    numbers: Sequence[int], number: int,
) -> None:  # fmt: skip
    events = min(EVENTS, max(bench.plan.facts) * 2)
    told = [numbers[i % len(numbers)] for i in range(events)]
    await runner._admit(intake, at, workload, told)
    bench.keep(kept("facts", level, number, await runner._alone("dossier", at, [RECORDS], events)))


def by_level(levels: Sequence[int]) -> dict[int, list[int]]:
    """Level → entities with that many facts; about LOADED_FACTS facts a level at the most."""
    _, others = growth_entities(sum(LOADED_FACTS // level for level in levels))
    found, at = {}, 0
    for level in levels:
        count = max(1, min(LOADED_FACTS, max(levels)) // level)
        found[level] = others[at : at + count]
        at += count
    return found
