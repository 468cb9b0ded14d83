"""What scenarios do to PostgreSQL, and what they ask it and the sink. Not for: Kafka (``servers``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from sinks.writer import APPLICATION
from streamer import kafka_io
from streamer.engine.exits import Exit
from streamer.local import postgres
from tests.faults.proxy import Proxy
from tests.faults.scene import GivenUpError, Scene
from tests.faults.tables import TABLES, Expected, readers
from tests.faults.waiting import until

#: Tables in the order in which a transaction of the sink comes to them (``sinks.rows``), with rows in nearly every batch.
FIRST: Final = "enterprise.record"
LAST: Final = "enterprise.status"
SEEN_TIMEOUT_S: Final = 90.0
GOING_ON_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.01
TRIES: Final = 20
CALL_TIMEOUT_S: Final = 30.0

BACKENDS: Final = "SELECT pid FROM pg_stat_activity WHERE application_name = $1"
#: Sinks that wait for a lock, and whether their transaction has written into this table.
BLOCKED: Final = """
    SELECT pid, EXISTS (
               SELECT FROM pg_locks l
                WHERE l.pid = a.pid AND l.granted AND l.relation = $2::text::regclass AND l.mode = 'RowExclusiveLock'
           ) AS wrote
      FROM pg_stat_activity a
     WHERE application_name = $1 AND wait_event_type = 'Lock'
"""
DEADLOCKS: Final = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@asynccontextmanager
async def session(scene: Scene) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(scene.stage.database, timeout=CALL_TIMEOUT_S)
    try:
        yield connection
    finally:
        connection.terminate() if connection.is_closed() else await connection.close()


async def waits(scene: Scene) -> dict[str, float]:
    """The sink's metrics, once it says that it waits for PostgreSQL."""

    async def shown() -> dict[str, float]:
        scene.feed()  # without a row to write it does not wait
        found = await scene.roles["sink-0"].metrics()
        return found if found.get("streamer_waiting") == 1 else {}

    found: dict[str, float] = await until("the sink to show that it waits", shown, SEEN_TIMEOUT_S)
    scene.counters["waits shown"] += 1
    return found


async def going_on(scene: Scene) -> None:
    """The sink commits offsets again."""
    await scene.newly("sink", 1)

    async def no_longer() -> bool:
        return (await scene.roles["sink-0"].metrics()).get("streamer_waiting", 0) == 0

    await until("the sink to wait no longer", no_longer, GOING_ON_TIMEOUT_S)


async def _blocked(scene: Scene, connection: Any) -> dict[int, bool]:
    """The sink's sessions that wait for a lock of ours, and whether they wrote into the first table; fed until then."""

    async def asked() -> dict[int, bool]:
        scene.feed()
        return {row["pid"]: row["wrote"] for row in await connection.fetch(BLOCKED, APPLICATION, FIRST)}

    found: dict[int, bool] = await until("the sink to wait for a lock", asked, SEEN_TIMEOUT_S, POLL_S)
    return found


@asynccontextmanager
async def in_the_middle(scene: Scene, holder: Any) -> AsyncIterator[list[int]]:
    """``holder`` holds the last table, and the sink waits for it in a transaction that has written into the first: its sessions.
    A transaction that comes to the last table first is let through, and the next is tried."""
    async with session(scene) as watcher:
        for _ in range(TRIES):
            async with holder.transaction():
                await holder.execute(f"LOCK TABLE {LAST} IN EXCLUSIVE MODE")
                found = await _blocked(scene, watcher)
                if any(found.values()):
                    yield [pid for pid, wrote in found.items() if wrote]
                    return
            await going_on(scene)
    raise GivenUpError(f"the sink was never in the middle of a transaction, in {TRIES} tries")


async def back(scene: Scene) -> None:
    await postgres.start(scene.stage.home)
    await going_on(scene)


def never_ended(scene: Scene) -> None:
    """The sink waited each time: it never ended by itself (but for a machine that let it sleep)."""
    ended = [code for role, code in scene.unexpected if role.startswith("sink") and code != Exit.PAUSE]
    if ended:
        scene.broken.append(f"the sink ended with {ended} by itself instead of waiting")


async def against_offsets(scene: Scene, connection: Any) -> tuple[int, int]:
    """Rows that the sink's committed offsets claim and PostgreSQL lacks; rows that wait in Kafka."""
    stage = scene.stage
    done = await kafka_io.committed(stage.bootstrap, stage.group("sink"))
    claimed, all_there_is = Expected(), Expected()
    takers = [readers(it, stage.domains, stage.sources) for it in (claimed, all_there_is)]
    async for message in kafka_io.read_all(stage.bootstrap, [*takers[0]], committed_only=False):
        for take in takers[message.offset >= done.get((message.topic, message.partition), 0) :]:
            take[message.topic](message)
    lacking = waiting = 0
    for table, rows in claimed.rows.items():
        fetched = await connection.fetch(f"SELECT {', '.join(table.key)} FROM {table.name}")
        there = {tuple(row) for row in fetched}
        lacking += len(rows.keys() - there)
        waiting += len(all_there_is.rows[table].keys() - there)
    return lacking, waiting


async def rows(connection: Any) -> dict[str, int]:
    """How many each table has."""
    return {table.name: await connection.fetchval(f"SELECT count(*) FROM {table.name}") for table in TABLES}


@asynccontextmanager
async def through_proxy(scene: Scene) -> AsyncIterator[Proxy]:
    """A proxy before PostgreSQL. The sink's next process goes through it."""
    server = scene.stage.database.rpartition("@")[2].partition("/")[0]
    proxy = Proxy(int(server.rpartition(":")[2]))
    await proxy.start()
    scene.roles["sink-0"].own["DATABASE_URL"] = scene.stage.database.replace(server, f"127.0.0.1:{proxy.port}")
    try:
        yield proxy
    finally:
        await proxy.stop()
