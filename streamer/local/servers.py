"""Both servers together: start or reuse, stop, status. Not for: how each is made (``kafka``, ``postgres``).

With KAFKA_BOOTSTRAP_SERVERS or DATABASE_URL set, that server is somebody else's: asked, never started nor stopped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from streamer.errors import ConfigurationError, StreamerError
from streamer.local import kafka, postgres, processes
from streamer.local.paths import Paths
from streamer.local.state import State, load, locked, save

KAFKA_VARIABLE: Final = "KAFKA_BOOTSTRAP_SERVERS"
DATABASE_VARIABLE: Final = "DATABASE_URL"
BROKER_COUNTS: Final = (0, 1, 3)


class Servers(NamedTuple):
    """Where the servers are. ``database_url`` is empty when no PostgreSQL was asked for."""

    bootstrap_servers: str  # empty when no Kafka was asked for, nor ever started here
    database_url: str
    brokers: int  # how many brokers: the highest replication factor that makes sense
    home: Path


class ServerStatus(NamedTuple):
    """One server: ``answers`` is what an API call said, not what a pid file says."""

    name: str
    address: str  # without any password
    pid: int | None
    answers: bool
    external: bool


def _quiet(_: str) -> None:
    """Say nothing."""


async def start(
    brokers: int = 1,
    postgres: bool = True,
    *,
    home: Path | None = None,
    kafka_port: int | None = None,
    postgres_port: int | None = None,
    kafka_properties: Mapping[str, str] | None = None,
    say: Callable[[str], None] = _quiet,
) -> Servers:
    """Start what does not run, reuse what does; return when each server answered an API call.

    brokers: 1 or 3, or 0 for no Kafka (a home that has more keeps them); ports: the first broker's (the others follow) and
    PostgreSQL's, free ones by default, kept from then on; kafka_properties: settings of Kafka's own for nodes that do not run,
    kept too, in which {node_id}, {host}, {port}, {controller_port} stand for a node's; say: is told what is going on.
    Raises StreamerError with the next step.
    """
    if brokers not in BROKER_COUNTS:
        raise ConfigurationError(f"{brokers} brokers: there can be {', '.join(map(str, BROKER_COUNTS))}")
    paths = Paths(home)
    async with locked(paths):
        state = load(paths)
        external_kafka, external_database = os.environ.get(KAFKA_VARIABLE), os.environ.get(DATABASE_VARIABLE)
        if brokers == 0:
            count = 0
        elif external_kafka:
            count = await _require_kafka(external_kafka)
        else:
            state.kafka_properties |= kafka_properties or {}
            await _kafka_up(paths, state, brokers, kafka_port, say)
            count = len(state.brokers)
        if external_database and postgres:
            await _require_database(external_database)
        elif postgres:
            await _postgres_up(paths, state, postgres_port, say)
        return _servers(paths, state, count, postgres)


async def _kafka_up(paths: Paths, state: State, brokers: int, port: int | None, say: Callable[[str], None]) -> None:
    kafka.plan(state, brokers, port)
    save(paths, state)
    await kafka.up(paths, state, say)


async def _postgres_up(paths: Paths, state: State, port: int | None, say: Callable[[str], None]) -> None:
    postgres.plan(state, port)
    save(paths, state)
    await postgres.up(paths, state, say)


def _servers(paths: Paths, state: State, brokers: int, with_postgres: bool) -> Servers:
    database = os.environ.get(DATABASE_VARIABLE) or (postgres.url(state.postgres) if state.postgres else "")
    return Servers(
        os.environ.get(KAFKA_VARIABLE) or kafka.bootstrap_servers(state),
        database if with_postgres else "",
        brokers,
        paths.home,
    )


def find(home: Path | None = None) -> Servers | None:
    """Where the servers are by the environment or, failing that, by the last start; None when there never was one.

    Asks nobody: for commands that are about to connect anyway. ``brokers`` is 0 when they are somebody else's.
    """
    paths = Paths(home)
    state = load(paths)
    found = _servers(paths, state, len(state.brokers), with_postgres=True)
    return found if found.bootstrap_servers else None


async def stop(home: Path | None = None, *, purge: bool = False) -> None:
    """Stop the servers of this home, and with ``purge`` remove their data. Servers of others are left alone."""
    paths = Paths(home)
    if not paths.root.exists():
        return
    async with locked(paths):
        state = load(paths)
        postgres.down(state)
        kafka.down(state)
        if not purge:
            return
        for folder in [paths.postgres, paths.postgres.with_name("postgres.new"), *paths.root.glob("kafka-*")]:
            shutil.rmtree(folder, ignore_errors=True)
        paths.postgres_log.unlink(missing_ok=True)
        paths.state.unlink(missing_ok=True)


async def status(home: Path | None = None) -> list[ServerStatus]:
    """Every server of this home or of the environment, each asked now."""
    state = load(Paths(home))
    found: list[ServerStatus] = []
    if external := os.environ.get(KAFKA_VARIABLE):
        found.append(ServerStatus("kafka", external, None, bool(await kafka.ask(external)), external=True))
    else:
        alive = await kafka.alive(state)
        for broker in state.brokers:
            address = f"{processes.HOST}:{broker.port}"
            pid = broker.process.pid if broker.process and processes.is_running(broker.process) else None
            found.append(ServerStatus(f"kafka-{broker.node_id}", address, pid, broker.node_id in alive, external=False))
    if external := os.environ.get(DATABASE_VARIABLE):
        answers = await postgres.answers(external)
        found.append(ServerStatus("postgres", external.rpartition("@")[2], None, answers, external=True))
    elif server := state.postgres:
        address = f"{processes.HOST}:{server.port}/{postgres.DATABASE}"
        pid = server.process.pid if server.process and processes.is_running(server.process) else None
        answers = await postgres.answers(postgres.url(server))
        found.append(ServerStatus("postgres", address, pid, answers, external=False))
    return found


async def _require_kafka(servers: str) -> int:
    alive = await kafka.ask(servers)
    if not alive:
        raise StreamerError(
            "the given Kafka does not answer",
            where=f"{KAFKA_VARIABLE}={servers}",
            todo="start it, or unset the variable",
        )
    return len(alive)


async def _require_database(address: str) -> None:
    if not await postgres.answers(address):
        raise StreamerError(
            "the given PostgreSQL does not answer",
            where=f"{DATABASE_VARIABLE} ({address.rpartition('@')[2]})",
            todo="start it, check user and password, or unset the variable",
        )
