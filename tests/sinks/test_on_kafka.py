"""The sink's role on real servers: killed, and Postgres gone in the middle, every row is there once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from streamer import admin, kafka_io, local
from streamer.agents.sink import sink_topics
from tests.sinks import samples
from tests.sinks.conftest import Server, with_schema
from tests.sinks.role import DOMAINS, GROUP, SOURCES
from topics.catalog import topics

ITEMS = 6_000
ALERTS = 500
PARTITIONS = 2
LIMIT_S = 120
LATE = 10_000
HELD_UP_LOOKS = 10


class Role:
    """The process, started and killed."""

    def __init__(self, servers: local.Servers, folder: Path) -> None:
        self._servers, self._folder = servers, folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        arguments = (self._servers.bootstrap_servers, self._servers.database_url, str(self._folder))
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.sinks.role", *arguments)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def asked(self, path: str) -> dict[str, Any]:
        port = (self._folder / "http.port").read_text().strip()
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
            return dict(await answer.json()) | {"status": answer.status}

    async def in_flight(self) -> tuple[float, float]:
        """What the role holds of records that are not durable yet, and the bound."""
        port = (self._folder / "http.port").read_text().strip()
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
        names = ('streamer_memory_bytes{part="in_flight"} ', 'streamer_memory_bound_bytes{part="in_flight"} ')
        held, bound = (next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(n)) for n in names)
        return held, bound


@pytest.fixture
async def servers(own_servers: Callable[..., Awaitable[local.Servers]]) -> local.Servers:
    found = await own_servers(1, postgres=True)
    await with_schema(found.database_url)
    await admin.apply(found.bootstrap_servers, topics(SOURCES, DOMAINS), partitions=PARTITIONS, replication=1)
    return found


@pytest.fixture
async def role(servers: local.Servers, tmp_path: Path) -> AsyncIterator[Role]:
    role = Role(servers, tmp_path / "state")
    yield role
    await role.kill()


async def send(bootstrap: str, messages: Iterable[samples.Message]) -> None:
    async with kafka_io.producer(bootstrap, linger_ms=20) as producer:
        sent = [
            await producer.send(topic, value, key, headers=list(headers)) for topic, key, value, headers in messages
        ]
        await asyncio.gather(*sent)


def everything() -> Iterable[samples.Message]:
    """Items of many entities, each twice; alerts with three revisions in both topics; one of each of the rest."""
    for n in range(ITEMS):
        item = samples.record(org=f"{n % 100:08}X", id_=f"e{n}", offset=n, name="测试公司")
        yield item
        yield item
    for n in range(ALERTS):
        for revision, action in ((1, "raised"), (2, "amended"), (3, "lifted")):
            if revision < 3 or n % 2:
                yield samples.alert(f"a{n}", revision, action, standing=True)
                yield samples.alert(f"a{n}", revision, action)
    yield from (samples.notice(), samples.status(2), samples.status(1), samples.dead_letter())


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await holds():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.05)


async def counted(dsn: str, sql: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval(sql))
    finally:
        await connection.close()


async def test_killed_and_without_postgres_in_the_middle_every_row_is_there_once(
    servers: local.Servers, role: Role
) -> None:
    dsn, postgres = servers.database_url, Server(servers)
    records = "SELECT count(*) FROM enterprise.record"
    await role.start()
    await send(servers.bootstrap_servers, everything())

    async def some() -> bool:
        return await counted(dsn, records) > 0

    async def waits() -> bool:
        try:
            return (await role.asked("/healthz"))["waiting_on"] == ["postgres"]
        except (aiohttp.ClientError, FileNotFoundError):
            return False

    async def through() -> bool:
        done = await kafka_io.committed(servers.bootstrap_servers, GROUP)
        _, end = await kafka_io.bounds(servers.bootstrap_servers, sink_topics(SOURCES, DOMAINS))
        return all(done.get(at, 0) >= offset for at, offset in end.items())

    await until(some)
    await role.kill()
    await role.start()
    await postgres.crash()
    await send(servers.bootstrap_servers, (samples.record(id_=f"late{n}") for n in range(LATE)))
    await until(waits)
    assert (await role.asked("/readyz"))["status"] == 200

    async def held_up() -> bool:
        looks.append(await role.in_flight())
        return len(looks) > HELD_UP_LOOKS and len(set(looks[-HELD_UP_LOOKS:])) == 1

    looks: list[tuple[float, float]] = []
    await until(held_up)
    held, bound = looks[-1]
    assert 0 < held <= bound, "what waits for Postgres stays within its share; the rest waits in Kafka"
    await postgres.start()
    await until(through)

    assert await counted(dsn, records) == ITEMS + LATE
    assert await counted(dsn, "SELECT count(*) FROM enterprise.alert_history") == 2 * ALERTS + ALERTS // 2
    assert await counted(dsn, "SELECT count(*) FROM enterprise.alert") == ALERTS
    assert await counted(dsn, "SELECT count(*) FROM enterprise.open_alerts WHERE revision = 2") == ALERTS // 2
    assert await counted(dsn, "SELECT count(*) FROM enterprise.alert WHERE raised_at IS NULL") == 0
    assert await counted(dsn, "SELECT version FROM enterprise.status") == 2
    assert await counted(dsn, "SELECT count(*) FROM enterprise.notice") == 1
    assert await counted(dsn, "SELECT count(*) FROM ops.dead_letter") == 1
    assert (await role.asked("/healthz"))["waiting_on"] == []
