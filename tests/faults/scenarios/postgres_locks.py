"""Deadlocks in which PostgreSQL ends the sink's transaction, and a lock held longer than the sink lets a statement take. Not for:
a server that is away (``postgres_lost``)."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import asyncpg

from sinks.writer import WriterLimits
from tests.faults import database
from tests.faults.needs import Needs
from tests.faults.scene import Scene
from tests.faults.waiting import until

NEEDS: Final = Needs(events=10_000, per_second=300, backlog=3_000)
NEWLY: Final = 700
COUNTED_TIMEOUT_S: Final = 60.0
LOOKS_AFTER_S: Final = 3  # into a wait for a lock, a session looks for a cycle
DEADLOCKS: Final = 4
HELD_S: Final = WriterLimits().statement_timeout_s + 5.0  # the lock itself, not a wait


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    async with database.session(scene) as connection:
        # The cycle must be there when the sink's session looks for one, which it does once.
        await connection.execute(f"ALTER SYSTEM SET deadlock_timeout = '{LOOKS_AFTER_S}s'")
        await connection.execute("SELECT pg_reload_conf()")
        before = await connection.fetchval(database.DEADLOCKS)
    for turn in range(DEADLOCKS):
        await scene.newly("sink", NEWLY)
        await deadlock(scene)
        if turn == DEADLOCKS // 2:
            await scene.newly("sink", NEWLY)
            await long_lock(scene)
    await until("deadlocks in PostgreSQL's statistics", lambda: _counted(scene, before), COUNTED_TIMEOUT_S, 1.0)
    scene.promise("deadlocks", scene.counters["deadlocks"], DEADLOCKS - 1)
    scene.promise("seconds that a lock was held", scene.counters["seconds held"], HELD_S - 1)
    database.never_ended(scene)


async def _counted(scene: Scene, before: int) -> bool:
    """A session tells its statistics when it has time."""
    scene.feed()
    async with database.session(scene) as connection:
        scene.counters["deadlocks"] = await connection.fetchval(database.DEADLOCKS) - before
    return scene.counters["deadlocks"] >= DEADLOCKS - 1


async def deadlock(scene: Scene) -> None:
    """We hold the sink's last table and then ask for its first, while it holds the first and waits for the last. Our own
    patience is endless, so that the sink's transaction is the one that PostgreSQL gives up."""
    async with database.session(scene) as other:
        await other.execute("SET deadlock_timeout = '10min'")
        try:
            async with database.in_the_middle(scene, other):
                await other.execute(f"LOCK TABLE {database.FIRST} IN EXCLUSIVE MODE", timeout=database.CALL_TIMEOUT_S)
        except (asyncpg.DeadlockDetectedError, TimeoutError):
            scene.counters["cycles that the sink did not see"] += 1
        scene.misfortune("lock cycles")
        scene.say("    a lock cycle")
    await database.going_on(scene)


async def long_lock(scene: Scene) -> None:
    """The sink's statement runs out of time, its transaction is made again, and again."""
    async with database.session(scene) as other, database.in_the_middle(scene, other):
        began = time.monotonic()
        scene.misfortune("locks held")
        scene.say(f"    a lock held for {HELD_S:.0f} s")
        await asyncio.sleep(HELD_S)
        scene.counters["seconds held"] += int(time.monotonic() - began)
    await database.going_on(scene)
