"""The means of the scenarios, each by itself: a means that does nothing would let every run pass."""

from __future__ import annotations

import asyncio
import errno
import os
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streamer import local
from streamer.local import artifacts, kafka, processes
from tests.engine import cluster
from tests.faults.broker_clock import CLASS, CLIENTS, off_by, shifted
from tests.faults.disk import LIMIT_BYTES, SmallDisk, small
from tests.faults.proxy import HOST, Proxy, behind
from tests.faults.waiting import until

TIMEOUT_S = 10.0
DAY_MS = 86_400_000
VALUE = bytes(10_000)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Proxy, Streams, bytearray]]:
    """A proxy before a server that says back what it hears, a connection through it, and what the server heard."""
    heard = bytearray()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            heard.extend(data)
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    streams = await asyncio.open_connection(HOST, proxy.port)
    try:
        yield proxy, streams, heard
    finally:
        streams[1].close()
        await proxy.stop()
        server.close()


async def says(streams: Streams, text: bytes) -> None:
    streams[1].write(text)
    await streams[1].drain()


async def hears(streams: Streams, count: int) -> bytes:
    return await asyncio.wait_for(streams[0].readexactly(count), TIMEOUT_S)


@pytest.mark.parametrize(
    ("to_server", "to_client", "heard_while_cut"), [(True, True, b""), (True, False, b""), (False, True, b"late")]
)
async def test_a_cut_holds_back_what_its_direction_says_and_heals(
    to_server: bool, to_client: bool, heard_while_cut: bytes
) -> None:
    async with echoing() as (proxy, streams, heard):
        await says(streams, b"one")
        assert await hears(streams, 3) == b"one"
        proxy.cut(to_server=to_server, to_client=to_client)
        await says(streams, b"late")
        if heard_while_cut:
            await until("the server to hear", lambda: bytes(heard) == b"one" + heard_while_cut, TIMEOUT_S)
        answer = asyncio.create_task(hears(streams, 4))
        other = await asyncio.open_connection(HOST, proxy.port)  # a new connection gets no answer either
        await says(other, b"new")
        await asyncio.wait([answer], timeout=0.2)
        assert not answer.done()
        assert bytes(heard).startswith(b"one" + heard_while_cut)
        assert to_client or b"new" not in heard
        proxy.heal()
        assert await answer == b"late"
        assert await hears(other, 3) == b"new"
        other[1].close()


async def test_what_was_sent_into_a_cut_arrives_although_its_sender_is_gone() -> None:
    async with echoing() as (proxy, streams, heard):
        proxy.cut()
        await says(streams, b"last words")
        streams[1].close()
        await streams[1].wait_closed()
        assert not heard
        proxy.heal()
        await until("the last words", lambda: bytes(heard) == b"last words", TIMEOUT_S)


async def test_a_cut_begins_with_what_it_waits_for() -> None:
    async with echoing() as (proxy, streams, heard):
        came = proxy.cut_at(lambda data: b"now" in data, to_server=True, to_client=True)
        await says(streams, b"before")
        assert await hears(streams, 6) == b"before"
        await says(streams, b"now!")
        await asyncio.wait_for(came.wait(), TIMEOUT_S)
        assert bytes(heard) == b"before"
        proxy.drop()
        assert await asyncio.wait_for(streams[0].read(), TIMEOUT_S) == b""
        assert proxy.forwarded.to_server == len(b"before")


def test_the_patched_clock_differs_in_one_method_alone() -> None:
    jar = next(path for path in artifacts.class_path(lambda _: None) if path.name.startswith(CLIENTS))
    with zipfile.ZipFile(jar) as archive:
        code = archive.read(CLASS)
    found = shifted(code, -DAY_MS)
    assert struct.pack(">Bq", 5, -DAY_MS) in found
    assert struct.pack(">Bq", 5, -DAY_MS) not in code
    assert struct.unpack_from(">H", found, 8)[0] == struct.unpack_from(">H", code, 8)[0] + 2


async def test_a_broker_behind_a_proxy_whose_clock_is_set_back(
    own_servers: Callable[..., Awaitable[local.Servers]], tmp_path: Path
) -> None:
    """Who was told of the proxy goes through it; append times run backwards over a restart."""
    port = processes.free_port(set())
    proxy = Proxy(port)
    await proxy.start()
    try:
        with off_by(2 * DAY_MS // 1000, tmp_path):
            servers = await own_servers(1, postgres=False, kafka_properties=behind(port, proxy.port))
        await cluster.create(servers.bootstrap_servers, ["t"], 1, {"message.timestamp.type": "LogAppendTime"})
        times = [await _append_time(servers.bootstrap_servers)]
        assert proxy.forwarded == (0, 0)
        times.append(await _append_time(f"{HOST}:{proxy.port}"))
        assert proxy.forwarded.to_server > len(VALUE)
        kafka.kill(1, servers.home)
        with off_by(0, tmp_path):
            await kafka.start(1, servers.home)
        times.append(await _append_time(servers.bootstrap_servers))
    finally:
        await proxy.stop()
    now = int(time.time() * 1000)
    assert [round((found - now) / DAY_MS) for found in times] == [2, 2, 0]


async def _append_time(bootstrap: str) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        return int((await producer.send_and_wait("t", VALUE, partition=0)).timestamp)
    finally:
        await producer.stop()


WRITER = """
import sys
with open(sys.argv[1], "wb", buffering=0) as file:
    for line in sys.stdin:
        try:
            count = 0
            while count < (1 << 20):
                count += file.write(bytes(1 << 16))
            print(0, flush=True)
        except OSError as error:
            print(error.errno, flush=True)
"""


def _writes(process: subprocess.Popen[str]) -> int:
    """The error of one more megabyte, or 0."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return int(process.stdout.readline())


@pytest.mark.parametrize("privileged", [True, False])
def test_a_small_disk_is_full_when_told_and_has_room_again(tmp_path: Path, privileged: bool) -> None:
    with small(tmp_path / "disk", 16 << 20) as made:
        disk = made if privileged else SmallDisk(tmp_path / "disk", mounted=False)
        assert disk.mounted == (privileged and os.geteuid() == 0 and made.mounted)
        command = [sys.executable, "-c", WRITER, str(disk.folder / "file")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert _writes(process) == 0
            disk.fill()
            disk.limit(process.pid)
            assert _writes(process) == (errno.ENOSPC if disk.mounted else errno.EFBIG)
            disk.make_room()
            disk.limit(process.pid)
            assert _writes(process) == 0
            process.stdin.close() if process.stdin else None
        assert (disk.folder / "file").stat().st_size > LIMIT_BYTES
    assert not (tmp_path / "disk").exists()
