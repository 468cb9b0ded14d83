"""What every part of a run shares: the plan, the servers, the runs so far. Not for: any one measurement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.cluster import Cluster
from bench.kernel.workload import Truth, events, truth
from bench.peers import BY_NAME, Environments, Peer
from bench.store import Run, Store


@dataclass(frozen=True)
class Plan:
    """How much is measured. ``kernel``: (events, rounds); sizes and counts have no other unit."""

    kernel: tuple[tuple[int, int], ...] = ((200_000, 2), (1_000_000, 2))
    peers: tuple[str, ...] = tuple(BY_NAME)
    faust_events: int = 20_000
    chain_events: int = 100_000
    chain_rounds: int = 2
    chain_floor_events: int = 1_000_000  # of the kernel workload
    growth_entities: tuple[int, ...] = (10_000, 1_000_000, 10_000_000)
    growth_events: int = 200_000
    growth_rounds: int = 2
    held_entities: int = 1_000_000  # each of them touched
    facts: tuple[int, ...] = (5, 500, 50_000)
    recovery_entities: int = 1_000_000
    recovery_rounds: int = 2
    latency_shares: tuple[float, ...] = (0.1, 0.5, 0.8)
    latency_s: float = 20.0
    sink_rounds: int = 2
    guarantee_events: int = 300_000
    guarantee_rounds: int = 3
    kills: int = 10
    card_scale: float = 1.0


QUICK = Plan(
    kernel=((20_000, 1),), faust_events=5_000, chain_events=4_000, chain_rounds=1, chain_floor_events=20_000,
    growth_entities=(2_000, 20_000), held_entities=20_000,
    growth_events=20_000, growth_rounds=1, facts=(5, 500), recovery_entities=20_000, recovery_rounds=1, latency_s=4.0,
    sink_rounds=1, guarantee_events=20_000, guarantee_rounds=1, kills=2, card_scale=0.1,
)  # fmt: skip


@dataclass
class Bench:
    """One run. ``core``: where workers are pinned, None where nothing can be; ``home``: the folder of all its files."""

    plan: Plan
    home: Path
    core: int | None
    cluster: Cluster
    database_url: str
    environments: Environments
    store: Store
    say: Callable[[str], None]
    _published: set[str] = field(default_factory=set)
    _truths: dict[int, Truth] = field(default_factory=dict)

    @property
    def peers(self) -> list[Peer]:
        return [BY_NAME[name] for name in self.plan.peers]

    async def topic_of(self, count: int) -> str:
        """The topic that holds the kernel workload of this many events and nothing else."""
        topic = f"kernel-{count}"
        if topic not in self._published:
            self.say(f"publishing the kernel workload, {count:,} events")
            await self.cluster.create(topic)
            await self.cluster.publish(topic, events(count))
            self._published.add(topic)
        return topic

    async def forget(self) -> None:
        """On somebody else's cluster nothing stays."""
        await self.cluster.delete(self._published)

    def truth_of(self, count: int) -> Truth:
        if count not in self._truths:
            self._truths[count] = truth(events(count))
        return self._truths[count]

    def keep(self, run: Run) -> None:
        """The run is written down and told."""
        self.store.add(run)
        if not run.events and not run.failed:
            self.say(f"  {run.part:<10} {run.name:<14} {run.size:>10,} {run.extra}")
            return
        figures = run.failed or f"{run.rate:>9,.0f}/s {run.cpu_us:>7.1f} µs CPU {run.peak_mb:>6,.0f} MB"
        extra = {name: value for name, value in run.extra.items() if name != "failed"}
        self.say(f"  {run.part:<10} {run.name:<14} {run.size:>10,} {figures} {extra or ''}")


def new_name(what: str) -> str:
    """A name that no run had before."""
    return f"{what}-{time.time_ns() // 10**6 % 10**10}"
