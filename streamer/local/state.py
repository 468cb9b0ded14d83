"""What the local servers are: ports, secrets, processes, in one JSON file. Not for: whether they answer."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator

import msgspec

from streamer.errors import StreamerError
from streamer.local.paths import Paths
from streamer.local.processes import Process


class Broker(msgspec.Struct):
    """One Kafka node (broker and controller in one). Its ports are kept for life: clients and voters know them."""

    node_id: int
    port: int
    controller_port: int
    process: Process | None = None


class Postgres(msgspec.Struct):
    """The PostgreSQL server; the password is made here, for this folder alone."""

    port: int
    password: str
    process: Process | None = None


class State(msgspec.Struct):
    """Everything remembered between commands."""

    cluster_id: str = ""
    brokers: list[Broker] = []
    postgres: Postgres | None = None
    #: Kafka's own settings beyond ``kafka.properties``, of every node; they stay for the life of this home.
    kafka_properties: dict[str, str] = {}


def load(paths: Paths) -> State:
    """The remembered state, or an empty one. Raises StreamerError when the file is damaged."""
    try:
        return msgspec.json.decode(paths.state.read_bytes(), type=State)
    except FileNotFoundError:
        return State()
    except msgspec.DecodeError:
        raise StreamerError(
            "the local servers' state file is damaged",
            where=str(paths.state),
            todo=f"end the servers by hand (`ps aux | grep {paths.root}`), then remove {paths.root}",
        ) from None


def save(paths: Paths, state: State) -> None:
    """Replace the file in one step; readable by its owner only, because of the password."""
    paths.root.mkdir(parents=True, exist_ok=True)
    new = paths.state.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
    new.replace(paths.state)


@contextlib.asynccontextmanager
async def locked(paths: Paths) -> AsyncIterator[None]:
    """One command at a time may start or stop the servers of a home; the others wait."""
    paths.root.mkdir(parents=True, exist_ok=True)
    with paths.lock.open("w") as handle:
        await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_EX)
        yield
