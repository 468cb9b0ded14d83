"""The measured runs: each role alone, the whole chain, and an entity with many facts. Not for: what they add up to.

Every run begins with events (or records) that are already there, and lasts from the first one handled to the last offset
committed. CPU is user and system time of the worker processes in that span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from aiokafka.partitioner import DefaultPartitioner

from streamer.agents.sink import sink_topics
from streamer.bench.processes import Measured
from streamer.bench.stage import PARTITIONS, RULEBOOK, Ends, Environment, Stage
from streamer.bench.workload import SOURCES, Workload
from streamer.demo import codes
from streamer.rulebook import open_domains, sources
from topics import catalog

RECORDS: Final = catalog.RECORDS
SEAL_KEY: Final = "5e" * 32  # of invented events, on a server that is removed
MANY_FACTS: Final = 50_000
FEW_FACTS: Final = 5
GROWTH_ENTITIES: Final = 10_000
GROWTH_SEED: Final = 50_000
SECOND_PENALTIES: Final = 2  # measured events about an entity with few facts


class Run(NamedTuple):
    """``events`` handled in ``seconds`` at ``cpu_s``; ``peak_mb``: of all its processes together."""

    name: str
    events: int
    seconds: float
    cpu_s: float
    peak_mb: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an event."""
        return self.cpu_s / self.events * 1e6


class Runner:
    """Starts one measured process after the other on ``core``; ``profiles``: where their profiles go, if they are wanted."""

    def __init__(self, stage: Stage, *, core: int | None, profiles: Path | None = None) -> None:
        self._stage, self._core, self._profiles = stage, core, profiles
        self.events = 0
        self._inbound = [catalog.EVENTS.topic(source) for source in SOURCES]

    async def publish(self, events: int) -> None:
        """The workload, once, for all runs."""
        await self._stage.fresh()
        workload = Workload(max(1, events // 10))
        self.events = await self._stage.publish(workload.events(events))

    async def round(self, say: Callable[[Run], None]) -> list[Run]:
        """Everything once; ``say`` is told each run."""
        runs = await self.stages()
        for run in runs:
            say(run)
        runs.append(await self.chain())
        say(runs[-1])
        return runs

    async def stages(self) -> list[Run]:
        """Intake on the events, the dossier on its records, the sink on what both wrote: one at a time."""
        at = await self._stage.fresh()
        topics = {
            "intake": self._inbound,
            "dossier": [RECORDS],
            "sink": sink_topics([source.id for source in sources()], open_domains()),
        }
        return [await self._alone(role, at, names) for role, names in topics.items()]

    async def _alone(self, role: str, at: Environment, topics: Sequence[str], events: int = 0) -> Run:
        process = self._start(role, at)
        ends = await self._stage.ends(topics)
        return await self._measure(role, events or self.events, process, at.group(role), ends)

    async def chain(self) -> Run:
        """All roles on one core: dossier and sink wait, ready, when intake starts."""
        at = await self._stage.fresh()
        waiting = [self._start(role, at) for role in ("sink", "dossier")]
        try:
            for process in waiting:
                await process.ready(at.state_dir(process.name))
            intake = self._start("intake", at)
            waiting.append(intake)
            start = await intake.started()
            before = [process.usage().cpu_s for process in waiting[:-1]] + [start.cpu_s]
            end = 0.0
            for role, topics in (
                ("intake", self._inbound),
                ("dossier", [RECORDS]),
                ("sink", sink_topics([source.id for source in sources()], open_domains())),
            ):
                process = next(p for p in waiting if p.name == role)
                ends = await self._stage.ends(topics)
                end = await self._stage.until_committed(at.group(role), ends, process.require_alive)
            usages = [process.usage() for process in waiting]
            for process in waiting:
                await process.write_profile()
        finally:
            for process in waiting:
                await process.stop()
        cpu_s = sum(usage.cpu_s for usage in usages) - sum(before)
        return Run("chain", self.events, end - start.at, cpu_s, sum(usage.peak_mb for usage in usages))

    def _start(self, role: str, at: Environment) -> Measured:
        profile = self._profiles / f"{role}.json" if self._profiles else None
        return Measured(
            role,
            at.home / "logs" / at.prefix,
            self._role_environment(at),
            core=self._core,
            profile=profile,
        )

    def _role_environment(self, at: Environment) -> dict[str, str]:
        return {
            "STREAMER_HOME": str(at.home),
            "KAFKA_BOOTSTRAP_SERVERS": self._stage.bootstrap,
            "DATABASE_URL": at.database_url,
            "STREAMER_SEAL_KEY": SEAL_KEY,
            "STREAMER_RULEBOOK": RULEBOOK,
            "STREAMER_PREFIX": at.prefix,
            "STREAMER_PARTITIONS": str(PARTITIONS),
            "STREAMER_SOURCES": "",
            "STREAMER_INSTANCE": "",
            "STREAMER_METRICS_PORT": "0",
        }

    async def _measure(self, name: str, events: int, process: Measured, group: str, ends: Ends) -> Run:
        try:
            start = await process.started()
            end = await self._stage.until_committed(group, ends, process.require_alive)
            usage = process.usage()
            await process.write_profile()
        finally:
            await process.stop()
        return Run(name, events, end - start.at, usage.cpu_s - start.cpu_s, usage.peak_mb)

    async def growth(self, rounds: int) -> tuple[list[Run], list[Run]]:
        """The dossier on events about one entity with 50,000 facts, and about 10,000 entities with 5: in turn, in one state.

        Each turn is a restart with records waiting in the partitions of one kind only.
        """
        at = await self._stage.fresh(keep_events=False)
        many, few = growth_entities(GROWTH_ENTITIES)
        workload = Workload(GROWTH_ENTITIES, GROWTH_SEED)
        many_runs, few_runs = list[Run](), list[Run]()
        intake = Measured("intake", at.home / "logs" / at.prefix, self._role_environment(at), core=None)
        try:
            await self._admit(intake, at, workload, [many] * MANY_FACTS + few * FEW_FACTS)
            await self._alone("dossier", at, [RECORDS], 1)
            for _ in range(rounds):
                for runs, numbers in (
                    (many_runs, [many] * len(few) * SECOND_PENALTIES),
                    (few_runs, few * SECOND_PENALTIES),
                ):
                    await self._admit(intake, at, workload, numbers)
                    runs.append(await self._alone("dossier", at, [RECORDS], len(numbers)))
        finally:
            await intake.stop()
        return many_runs, few_runs

    async def _admit(self, intake: Measured, at: Environment, workload: Workload, numbers: Sequence[int]) -> None:
        """Penalties about these organisations into the records."""
        await self._stage.publish(workload.penalties(numbers))
        ends = await self._stage.ends(self._inbound)
        await self._stage.until_committed(at.group("intake"), ends, intake.require_alive)


def growth_entities(count: int) -> tuple[int, list[int]]:
    """One organisation, and ``count`` others whose records are in other partitions than its."""
    partitions = list(range(PARTITIONS))
    partition = DefaultPartitioner()

    def of(number: int) -> int:
        return int(partition(codes.organisation(number).org_code.encode(), partitions, partitions))

    home, found, number = of(0), list[int](), 0
    while len(found) < count:
        number += 1
        if of(number) != home:
            found.append(number)
    return 0, found
