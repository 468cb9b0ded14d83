"""PostgreSQL killed, gone for two minutes, read-only, cut in the middle of a batch, and its answer to a commit lost. Not for:
locks (``postgres_locks``). The sink waits, stays ready, shows it; alerts go out meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from sinks.writer import APPLICATION
from streamer.local import postgres
from tests.faults import database
from tests.faults.needs import Needs
from tests.faults.proxy import Proxy
from tests.faults.scene import Scene
from tests.faults.waiting import until

NEEDS: Final = Needs(events=16_000, per_second=300, backlog=3_000)
AWAY_S: Final = 120.0  # the length of the outage itself, not a wait
READ_ONLY_S: Final = 5.0  # likewise; some intervals of offset commits
NEWLY: Final = 700
EVENTS_WHILE_AWAY: Final = 3_000
LOST_TIMEOUT_S: Final = 60.0


async def run(scene: Scene) -> None:
    async with database.through_proxy(scene) as proxy:
        sink = scene.roles["sink-0"]
        sink.held = True
        sink.kill()  # it was begun without the proxy, if at all
        sink.held = False
        await scene.ready(*scene.roles.values())
        steps: list[Any] = [killed, killed, away, read_only, terminated, terminated]
        scene.rng.shuffle(steps)
        for step in steps:
            await scene.newly("sink", NEWLY)
            scene.say(f"    PostgreSQL: {step.__name__.replace('_', ' ')}")
            await step(scene)
        for _ in range(2):
            await scene.newly("sink", NEWLY)
            await answer_lost(scene, proxy)
        sink.own.pop("DATABASE_URL")
        sink.held = True
        await scene.kill(sink)
    scene.promise("seconds without PostgreSQL", scene.counters["seconds away"], AWAY_S)
    scene.promise("alerts written while PostgreSQL was away", scene.counters["alerts meanwhile"])
    scene.promise("sink ready and waiting while PostgreSQL was away", scene.counters["ready while away"])
    scene.promise("rows that waited while PostgreSQL was read-only", scene.counters["rows that waited while read-only"])
    scene.promise("the same sink went on after read-only", scene.counters["went on after read-only"])
    scene.promise("sessions ended in the middle of a transaction", scene.counters["sessions ended"], 2)
    scene.promise("commits made whose answer was lost", scene.counters["answers lost"], 2)
    database.never_ended(scene)


async def killed(scene: Scene) -> None:
    postgres.kill(scene.stage.home)
    scene.misfortune("PostgreSQL killed")
    await database.back(scene)


async def away(scene: Scene) -> None:
    """Two minutes; events go on, alerts go out."""
    alerts = [f"credit.alerts.{domain}" for domain in scene.stage.domains]
    before = sum((await scene.watch.ends(alerts)).values())
    postgres.kill(scene.stage.home)
    began = time.monotonic()
    scene.misfortune("PostgreSQL away")
    await scene.newly("dossier", EVENTS_WHILE_AWAY)
    shown = await database.waits(scene)
    scene.counters["ready while away"] += int(shown.get("streamer_ready", 0))
    await asyncio.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    shown = await database.waits(scene)
    scene.counters["ready while away"] *= int(shown.get("streamer_ready", 0))
    scene.counters["alerts meanwhile"] += sum((await scene.watch.ends(alerts)).values()) - before
    scene.counters["seconds away"] += round(time.monotonic() - began)
    await database.back(scene)


async def read_only(scene: Scene) -> None:
    """As a standby that has not been promoted yet: no row comes, no offset says that one did, and it goes on by itself."""
    lives = scene.roles["sink-0"].process
    async with database.session(scene) as connection:
        await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await connection.execute("SELECT pg_reload_conf()")
        scene.misfortune("PostgreSQL read-only")
        await scene.newly("dossier", NEWLY // 4)
        await database.waits(scene)
        before = await database.rows(connection)
        await scene.newly("dossier", NEWLY // 4)
        await asyncio.sleep(READ_ONLY_S)
        await database.waits(scene)
        lacking, waiting = await database.against_offsets(scene, connection)
        scene.counters["rows that waited while read-only"] += waiting
        if lacking:
            scene.broken.append(f"the sink's offsets claim {lacking} rows that a read-only PostgreSQL does not have")
        if await database.rows(connection) != before:
            scene.broken.append("rows were written into a read-only PostgreSQL")
        await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await connection.execute("SELECT pg_reload_conf()")
    await database.going_on(scene)
    scene.counters["went on after read-only"] += int(scene.roles["sink-0"].process is lives)


async def terminated(scene: Scene) -> None:
    """Its session ended when its transaction has written into some tables and waits for another."""
    async with (
        database.session(scene) as holder,
        database.session(scene) as killer,
        database.in_the_middle(scene, holder) as sessions,
    ):
        for pid in sessions:
            assert await killer.fetchval("SELECT pg_terminate_backend($1)", pid)
            scene.counters["sessions ended"] += 1
            scene.misfortune("cut in a batch")
    await database.going_on(scene)


async def answer_lost(scene: Scene, proxy: Proxy) -> None:
    """A commit goes through, nothing comes back, then the connection is closed: made again, it changes nothing."""
    async with database.session(scene) as connection:
        cut = proxy.cut_at(lambda data: b"COMMIT" in data, to_server=False, to_client=True)
        scene.traffic.grant(NEWLY)
        await asyncio.wait_for(cut.wait(), LOST_TIMEOUT_S)

        async def committed() -> bool:
            """The sink's session is idle, outside of a transaction, and the last it was told is COMMIT."""
            rows = await connection.fetch(
                "SELECT state, query FROM pg_stat_activity WHERE application_name = $1", APPLICATION
            )
            return any(row["state"] == "idle" and row["query"].startswith("COMMIT") for row in rows)

        await until("the commit to be made", committed, LOST_TIMEOUT_S, database.POLL_S)
        scene.misfortune("answers lost")
        proxy.drop()
        proxy.heal()
    await database.going_on(scene)
