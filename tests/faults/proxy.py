"""A TCP proxy that can stop forwarding, in either direction or both, while connections stay open. Not for: what flows.

What was sent into a cut is held back, up to a limit, and goes on when it heals, as TCP sends again what was lost: so a
worker cut off from its broker is heard late, and not never. New connections are taken during a cut, and get no answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

HOST: Final = "127.0.0.1"
HELD_MAX_BYTES: Final = 8 << 20  # a direction of a connection; beyond it the sender's own buffers fill
CHUNK_BYTES: Final = 64 << 10
CONNECT_TIMEOUT_S: Final = 10.0


class Forwarded(NamedTuple):
    """Bytes so far."""

    to_server: int
    to_client: int


def behind(port: int, proxy_port: int) -> dict[str, str]:
    """Kafka's settings of a second listener on ``port`` that tells its clients the proxy's address."""
    return {
        "listeners": f"PLAINTEXT://{{host}}:{{port}},CONTROLLER://{{host}}:{{controller_port}},PROXY://{{host}}:{port}",
        "advertised.listeners": f"PLAINTEXT://{{host}}:{{port}},PROXY://{{host}}:{proxy_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXY:PLAINTEXT",
    }


class Proxy:
    """``port`` forwards to the server's; counts what passed."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.port = 0
        self._open = {"to_server": asyncio.Event(), "to_client": asyncio.Event()}
        self._passed = {"to_server": 0, "to_client": 0}
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._trigger: tuple[Callable[[bytes], bool], bool, bool] | None = None
        self.triggered = asyncio.Event()
        self.heal()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, port, limit=HELD_MAX_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes everything; what is held back is thrown away."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def forwarded(self) -> Forwarded:
        return Forwarded(**self._passed)

    def cut(self, *, to_server: bool = True, to_client: bool = True) -> None:
        """Nothing more is forwarded in these directions."""
        if to_server:
            self._open["to_server"].clear()
        if to_client:
            self._open["to_client"].clear()

    def heal(self) -> None:
        for gate in self._open.values():
            gate.set()

    def cut_at(self, what: Callable[[bytes], bool], *, to_server: bool, to_client: bool) -> asyncio.Event:
        """Cut when a client sends what ``what`` says yes to, before that is forwarded; the event tells that it came."""
        self._trigger = (what, to_server, to_client)
        self.triggered.clear()
        return self.triggered

    def drop(self) -> None:
        """Close every connection, as a firewall that forgets them; what is held back is thrown away."""
        for task in self._connections:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        async with _closing(writer):
            try:
                there = await asyncio.wait_for(
                    asyncio.open_connection(HOST, self.server_port, limit=HELD_MAX_BYTES), CONNECT_TIMEOUT_S
                )
            except (OSError, TimeoutError):
                return  # the server is away: the client sees its connection closed
            async with _closing(there[1]):
                with contextlib.suppress(asyncio.CancelledError):  # dropped; asyncio's streams make noise of it
                    await asyncio.gather(
                        self._pump("to_server", reader, there[1]), self._pump("to_client", there[0], writer)
                    )

    def _pull_trigger(self, data: bytes) -> None:
        if self._trigger is not None and self._trigger[0](data):
            _, to_server, to_client = self._trigger
            self._trigger = None
            self.cut(to_server=to_server, to_client=to_client)
            self.triggered.set()

    async def _pump(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side closes; its end is passed on behind what it sent."""
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if way == "to_server":
                    self._pull_trigger(data)
                await self._open[way].wait()
                writer.write(data)
                self._passed[way] += len(data)
                await writer.drain()
            await self._open[way].wait()
        with contextlib.suppress(OSError):
            writer.write_eof()


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
