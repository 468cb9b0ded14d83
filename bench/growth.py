"""What an event costs beside the number of entities held: our kernel job on 10 thousand to 10 million. Not for: facts (``facts``).

The state (one fact an entity) is laid into the local store directly; then events about all entities alike are measured. Each
round adds events and restarts the process on what is there.
"""

from __future__ import annotations

import random
from typing import Final

from bench.chain import tool
from bench.context import Bench, new_name
from bench.facts import facts
from bench.kernel import seed
from bench.kernel.measure import measured
from bench.kernel.worker import Worker, WorkerFailedError
from bench.kernel.workload import PARTITIONS, event
from bench.peers import BY_NAME
from bench.store import Run

SEED: Final = 10


async def growth(bench: Bench) -> None:
    """Entities, then facts."""
    await entities(bench)
    await facts(bench)


async def entities(bench: Bench) -> None:
    """All sizes once a round."""
    plan = bench.plan
    if bench.store.has("growth", "ours", plan.growth_entities[-1], plan.growth_rounds):
        return
    workers: dict[int, Worker] = {}
    try:
        for size in plan.growth_entities:
            app = new_name(f"growth-{size}")
            await bench.cluster.create(f"events-{app}")
            worker = Worker(
                bench.cluster, bench.environments, BY_NAME["ours"], f"events-{app}", app, bench.home, bench.core
            )
            await worker.prepare()
            bench.say(f"laying out {size:,} entities")
            laid = await tool(bench, "bench.kernel.seed", str(worker.folder), str(size))
            bench.say(f"  {laid['rows']:,} rows in {laid['seconds']:.0f} s")
            workers[size] = worker
        for number in range(1, plan.growth_rounds + 1):
            for size, worker in workers.items():
                await _round(bench, worker, size, number)
    finally:
        for worker in workers.values():
            await worker.clean()


async def _round(bench: Bench, worker: Worker, size: int, number: int) -> None:
    count = bench.plan.growth_events
    rnd = random.Random(SEED * number)
    async with bench.cluster.filling(worker.topic) as fill:
        for i in range(count):
            which = rnd.randrange(size)
            key, value = event(rnd, seed.name(which), which, i)
            await fill.add(which % PARTITIONS, key, value)
    run = Run("growth", "ours", size, number, count * number, 0, 0, 0)
    worker.start()
    try:
        found = await measured(bench, worker, run, stop=True)
    except WorkerFailedError as error:
        bench.keep(run._replace(events=0, extra={"failed": str(error)}))
        return
    store_mb = sum(file.stat().st_size for file in worker.folder.rglob("*") if file.is_file()) / 2**20
    bench.keep(found._replace(events=count, extra={"store_mb": round(store_mb)}))
