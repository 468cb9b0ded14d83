"""What a measured run works on: topics, a database, published events, and how far a group is. Not for: running anything.

A run must not meet the records of the one before, so topics are deleted and made anew: in a cluster that had none of them.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from sinks.migrate import migrate
from streamer import admin, kafka_io
from streamer.bench.workload import CLOCK, Sent
from streamer.errors import ConfigurationError, StreamerError
from streamer.local.postgres import create_database
from streamer.rulebook import load, open_domains, sources
from topics import catalog

PARTITIONS: Final = 4
PREFIX: Final = "bench"
STATE: Final = "state"
RULEBOOK: Final = "fictional"
POLL_S: Final = 0.03
STALL_TIMEOUT_S: Final = 120.0  # without any progress
DELETE_TIMEOUT_S: Final = 60.0
IN_FLIGHT_MAX: Final = 5_000

Ends = dict[TopicPartition, int]


class Environment(NamedTuple):
    """Where a run's processes find everything. ``home`` holds their state folders."""

    prefix: str
    home: Path
    database_url: str

    def state_dir(self, role: str) -> Path:
        return self.home / STATE / f"{self.prefix}-{role}"

    def group(self, role: str) -> str:
        return f"{self.prefix}-{role}"


class Stage:
    """One cluster and one database server for all runs of a bench."""

    def __init__(self, bootstrap: str, database_url: str, home: Path) -> None:
        self.bootstrap, self._database_url, self.home = bootstrap, database_url, home
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._runs = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, bootstrap: str, database_url: str, home: Path) -> AsyncIterator[Stage]:
        """Raises ConfigurationError when the cluster has topics of the contract: they would be deleted.

        State folders of a stage before it, which counted other topics' offsets, are removed.
        """
        stage = cls(bootstrap, database_url, home)
        await stage._admin.start()
        try:
            found = await stage._own_topics()
            if found:
                raise ConfigurationError(
                    f"this Kafka has topics of the contract ({len(found)}), and a bench deletes them between two runs",
                    where=bootstrap,
                    todo="unset KAFKA_BOOTSTRAP_SERVERS (the bench starts a Kafka of its own), or give an empty cluster",
                )
            shutil.rmtree(home / STATE, ignore_errors=True)
            yield stage
            await stage._delete(await stage._own_topics())
        finally:
            await stage._admin.close()

    async def fresh(self, *, keep_events: bool = True) -> Environment:
        """A new prefix, empty topics (``keep_events``: what was published stays) and an empty database."""
        self._runs += 1
        prefix = f"{PREFIX}-{self._runs}"
        own = await self._own_topics()
        if keep_events:
            own = {name for name in own if not name.startswith(catalog.EVENTS_PREFIX)}
        await self._delete(own)
        await admin.ensure(
            self.bootstrap,
            sources=[source.id for source in sources()],
            domains=open_domains(),
            partitions=PARTITIONS,
            replication=1,
            rulebook=load(RULEBOOK),
            clock=CLOCK,
            ticks="simulated",
            app_id=f"{prefix}-dossier",
        )
        database = prefix.replace("-", "_") + f"_{int(time.time())}"
        await create_database(self._database_url, database)
        url = f"{self._database_url.rpartition('/')[0]}/{database}"
        connection = await asyncpg.connect(url)
        try:
            await migrate(connection)
        finally:
            await connection.close()
        return Environment(prefix, self.home, url)

    async def publish(self, events: Iterable[Sent]) -> int:
        """Send each event to its source's topic; how many there were."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, linger_ms=20, max_batch_size=1 << 18
        )
        await producer.start()
        count, waiting = 0, list[Any]()
        try:
            for event in events:
                waiting.append(await producer.send(catalog.EVENTS.topic(event.source), event.value, key=event.key))
                count += 1
                if len(waiting) >= IN_FLIGHT_MAX:
                    await asyncio.gather(*waiting)
                    waiting.clear()
            await asyncio.gather(*waiting)
        finally:
            await producer.stop()
        return count

    async def ends(self, topics: Iterable[str]) -> Ends:
        """End offsets of partitions that have anything."""
        _, found = await kafka_io.bounds(self.bootstrap, sorted(topics))
        return {TopicPartition(*where): end for where, end in found.items() if end}

    async def committed(self, group: str) -> Ends:
        offsets = await self._admin.list_consumer_group_offsets(group)
        return {tp: meta.offset for tp, meta in offsets.items()}

    async def until_committed(self, group: str, ends: Ends, alive: Callable[[], None]) -> float:
        """Wait until the group has committed these offsets; the time of the poll that saw it. ``alive`` raises if its
        process has ended; StreamerError when nothing moves."""
        best, moved_at = -1, time.monotonic()
        while True:
            offsets = await self.committed(group)
            now = time.time()
            if all(offsets.get(tp, 0) >= end for tp, end in ends.items()):
                return now
            alive()
            done = sum(max(0, offset) for offset in offsets.values())
            if done > best:
                best, moved_at = done, time.monotonic()
            elif time.monotonic() - moved_at > STALL_TIMEOUT_S:
                raise StreamerError(f"group {group} has committed nothing new for {STALL_TIMEOUT_S:g} s")
            await asyncio.sleep(POLL_S)

    async def _own_topics(self) -> set[str]:
        names = set(await self._admin.list_topics())
        families = {topic.name for topic in catalog.topics([s.id for s in sources()], open_domains())}
        return {name for name in names if name in families or name.startswith(f"{PREFIX}-")}

    async def _delete(self, names: set[str]) -> None:
        if names:
            await self._admin.delete_topics(sorted(names))
            await self._settled(names.isdisjoint)

    async def _settled(self, settled: Callable[[set[str]], bool]) -> None:
        async with asyncio.timeout(DELETE_TIMEOUT_S):
            while not settled(set(await self._admin.list_topics())):  # noqa: ASYNC110 - Kafka tells nobody
                await asyncio.sleep(POLL_S)
