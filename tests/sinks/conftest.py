"""Databases with the schema, and a server that a test may stop in the middle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from sinks.migrate import migrate
from streamer import local
from streamer.local import postgres as local_postgres


async def with_schema(dsn: str) -> str:
    """``dsn``, its database brought to the shipped schema."""
    connection = await asyncpg.connect(dsn)
    await migrate(connection)
    await connection.close()
    return dsn


@pytest.fixture
async def dsn(postgres: str) -> str:
    """A new database with the shipped schema."""
    return await with_schema(postgres)


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Any]:
    """A connection to the database of ``dsn``."""
    connection = await asyncpg.connect(dsn)
    yield connection
    connection.terminate()


class Server:
    """PostgreSQL of a test's own: ``crash`` is a power cut, ``stop`` an administrator."""

    def __init__(self, servers: local.Servers) -> None:
        self.dsn, self._home = servers.database_url, servers.home

    async def crash(self) -> None:
        local_postgres.kill(self._home)

    async def stop(self) -> None:
        await local.stop(self._home)

    async def start(self) -> None:
        await local_postgres.start(self._home)


@pytest.fixture
async def server(own_servers: Callable[..., Awaitable[local.Servers]]) -> Server:
    """A server with the schema in its database."""
    server = Server(await own_servers(0, postgres=True))
    await with_schema(server.dsn)
    return server
