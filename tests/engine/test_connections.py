"""A connection that the broker has closed is no end of aiokafka's own tasks, on uvloop either."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from streamer.engine import connections, worker


async def closed_connection() -> AIOKafkaConnection:
    """As aiokafka has it when the broker has gone and nobody has looked yet."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = AIOKafkaConnection("127.0.0.1", port)
    made._reader, made._writer = await asyncio.open_connection("127.0.0.1", port)
    made._writer.transport.abort()
    with contextlib.suppress(OSError):
        await made._writer.wait_closed()
    server.close()
    made._read_task = made._create_reader_task()  # that would find out next
    return made


@pytest.fixture
def unmended(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka as it comes, whatever was done before."""
    for name in connections._WRITES:
        method = getattr(AIOKafkaConnection, name)
        monkeypatch.setattr(AIOKafkaConnection, name, getattr(method, "__wrapped__", method))


WRITES: list[Any] = [lambda c: c.send(ApiVersionRequest()), lambda c: c._send_sasl_token(b"token")]


@pytest.mark.usefixtures("unmended")
@pytest.mark.parametrize("write", WRITES)
def test_what_is_mended_is_still_so(write: Any) -> None:
    async def tried() -> None:
        connection = await closed_connection()
        with pytest.raises(RuntimeError, match="handler is closed"):
            write(connection)
        connection.close()

    uvloop.run(tried())


@pytest.mark.usefixtures("unmended")
@pytest.mark.parametrize("write", WRITES)
def test_a_write_to_a_closed_connection_is_what_aiokafka_expects(write: Any) -> None:
    async def tried() -> None:
        connection = await closed_connection()
        with pytest.raises(KafkaConnectionError):
            write(connection)
        assert not connection.connected()

    connections.mend()
    connections.mend()
    assert not hasattr(AIOKafkaConnection.send.__wrapped__, "__wrapped__"), "once is enough"
    uvloop.run(tried())


@pytest.mark.usefixtures("unmended")
def test_a_worker_mends_before_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def made(*_: Any, **__: Any) -> Any:
        seen.append(hasattr(AIOKafkaConnection.send, connections._MENDED))
        return SimpleNamespace(execute_from_commandline=lambda: None)

    policy = asyncio.get_event_loop_policy()
    monkeypatch.setattr(worker, "EngineWorker", made)
    monkeypatch.setattr(worker, "FolderLock", lambda _: SimpleNamespace(take=lambda _: None))
    settings = SimpleNamespace(log_level="WARNING", state_dir="s", lock_wait_s=0.0)
    try:
        worker.run(SimpleNamespace(settings=settings))  # type: ignore[arg-type]
    finally:
        asyncio.set_event_loop_policy(policy)
    assert seen == [True]


async def test_a_client_without_the_task_that_keeps_its_metadata_is_noticed() -> None:
    async def ends() -> None:
        raise KeyError("node")

    async def lives() -> None:
        await asyncio.Event().wait()

    ended, living = asyncio.ensure_future(ends()), asyncio.ensure_future(lives())
    await asyncio.wait([ended])
    assert isinstance(connections.forsaken(SimpleNamespace(_sync_task=ended)), KeyError)
    assert connections.forsaken(SimpleNamespace(_sync_task=living)) is None
    living.cancel()
    assert connections.forsaken(SimpleNamespace(_sync_task=None)) is None
