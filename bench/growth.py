"""What an event costs beside the number of entities held: our kernel job on 10 thousand to 10 million, and what a million of
them take of memory. Not for: facts (``facts``).

The state (one fact an entity) is laid into the local store directly; then events about all entities alike, in no order, are
measured. Each round adds events and restarts the process on what is there. The memory is that of one more life, in which every
entity of a state has an event.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.chain import tool
from bench.context import Bench, new_name
from bench.facts import facts
from bench.kernel import ours, seed
from bench.kernel.measure import measured
from bench.kernel.worker import Worker, WorkerFailedError
from bench.kernel.workload import PARTITIONS, event
from bench.peers import BY_NAME
from bench.store import Run

SEED: Final = 10
MIB: Final = 1 << 20


async def growth(bench: Bench) -> None:
    """Entities, then facts."""
    await entities(bench)
    await facts(bench)


async def entities(bench: Bench) -> None:
    """All sizes once a round, then the memory."""
    plan = bench.plan
    rounds = range(1, plan.growth_rounds + 1)
    wanted = [("growth", size, number) for size in plan.growth_entities for number in rounds]
    if all(bench.store.has(part, "ours", size, n) for part, size, n in [*wanted, ("held", plan.held_entities, 1)]):
        return
    states: dict[int, State] = {}
    try:
        for size in plan.growth_entities:
            states[size] = await laid_out(bench, size)
        for number in rounds:
            for size, state in states.items():
                rnd = random.Random(SEED * number)
                await state.life("growth", number, [rnd.randrange(size) for _ in range(plan.growth_events)])
        everybody = list(range(plan.held_entities))
        random.Random(SEED).shuffle(everybody)
        await states[plan.held_entities].life("held", 1, everybody)
    finally:
        for state in states.values():
            await state.worker.clean()


async def laid_out(bench: Bench, size: int) -> State:
    """A local store of ``size`` entities, and a topic for events about them."""
    app = new_name(f"growth-{size}")
    await bench.cluster.create(f"events-{app}")
    worker = Worker(bench.cluster, bench.environments, BY_NAME["ours"], f"events-{app}", app, bench.home, bench.core)
    state = State(bench, worker, size)
    await worker.prepare()
    bench.say(f"laying out {size:,} entities")
    laid = await tool(bench, "bench.kernel.seed", str(worker.folder), str(size))
    bench.say(
        f"  {laid['rows']:,} rows in {laid['seconds']:.0f} s, {state.store_mb():,} MB, {laid['peak_mb']:,.0f} MB of memory"
    )
    return state


class State:
    """One size, and its process from life to life."""

    def __init__(self, bench: Bench, worker: Worker, size: int) -> None:
        self._bench, self.worker, self._size = bench, worker, size
        self._sent = 0

    async def life(self, part: str, number: int, about: Sequence[int]) -> None:
        """A start, one event about each of these entities, in order, and the end."""
        bench, worker = self._bench, self.worker
        events = await self._publish(about, f"{part} {number}")
        run = Run(part, "ours", self._size, number, self._sent, 0, 0, 0)
        written = sum((await self._changelog()).values())
        worker.start()
        try:
            found = await measured(bench, worker, run, stop=True)
        except WorkerFailedError as error:
            bench.keep(run.without(str(error)))
            return
        found.extra.update(await self._told(written), touched=len(set(about)))
        bench.keep(found._replace(events=events))

    async def _publish(self, about: Sequence[int], seeded: str) -> int:
        rnd, before = random.Random(seeded), self._sent
        async with self._bench.cluster.filling(self.worker.topic) as fill:
            for number, which in enumerate(about):
                key, value = event(rnd, seed.name(which), which, number)
                await fill.add(which % PARTITIONS, key, value)
        self._sent += sum(fill.following)
        return self._sent - before

    async def _changelog(self) -> dict[int, int]:
        changelog = f"{self.worker.app}-{ours.TABLE}-changelog"
        if changelog not in await self._bench.cluster.topics():
            return {}
        return await self._bench.cluster.ends(changelog)

    async def _told(self, written: int) -> dict[str, Any]:
        """``rows_written``: changelog records of this life; each event adds at least its fact."""
        rows = sum((await self._changelog()).values()) - written
        return {"store_mb": self.store_mb(), "budget_mb": ours.MEMORY_BYTES // MIB, "rows_written": rows}

    def store_mb(self) -> int:
        return megabytes(self.worker.folder)


def megabytes(folder: Path) -> int:
    """Of all its files."""
    return round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / MIB)
