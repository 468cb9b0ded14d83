"""What scenarios do to Kafka's brokers, and what they ask them. Not for: PostgreSQL, or the roles (``scene``)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamer import admin as topic_admin
from streamer.local import kafka
from tests.faults.scene import Scene
from tests.faults.waiting import until

GOING_ON_TIMEOUT_S: Final = 120.0  # from a broker's return until the dossier has applied something new
ASK_TIMEOUT_S: Final = 60.0


def kill(scene: Scene, node: int = 1) -> None:
    """Kill -9 one broker."""
    kafka.kill(node, scene.stage.home)
    scene.misfortune("brokers killed")
    scene.say(f"    broker {node} killed")


async def back(scene: Scene, node: int = 1) -> None:
    """On its own ports and data; the chain goes on."""
    await kafka.start(node, scene.stage.home)
    scene.say(f"    broker {node} is back")
    await going_on(scene)


async def going_on(scene: Scene) -> None:
    """The dossier applies something new, seen in offsets of now."""
    turns = scene.watch.turns
    await until("a look at the offsets", lambda: scene.watch.turns > turns + 1, GOING_ON_TIMEOUT_S)
    await scene.newly("dossier", 1)


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def describe(scene: Scene, topics: Iterable[str]) -> list[Mapping[str, Any]]:
    """Each partition's ``leader``, ``isr`` and so on; asked again while brokers come and go."""
    wanted = list(topics)

    async def asked() -> list[Mapping[str, Any]]:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S), admin(scene.stage.bootstrap) as client:
                return [part for topic in await client.describe_topics(wanted) for part in topic["partitions"]]
        except (KafkaError, OSError, TimeoutError):
            return []

    found: list[Mapping[str, Any]] = await until(f"an answer about {wanted}", asked, ASK_TIMEOUT_S)
    return found


async def leaders(scene: Scene, topics: Iterable[str]) -> Counter[int]:
    """How many partitions of these topics each node leads."""
    return Counter(int(part["leader"]) for part in await describe(scene, topics))


async def in_sync(scene: Scene, topics: Iterable[str]) -> bool:
    """Every replica of every partition follows its leader."""
    return all(len(part["isr"]) == len(part["replicas"]) for part in await describe(scene, topics))


async def coordinator(scene: Scene, role: str) -> int:
    """The node that coordinates a role's group."""
    async with admin(scene.stage.bootstrap) as client:
        return int(await client.find_coordinator(scene.stage.group(role)))


async def alter(scene: Scene, topics: Iterable[str], settings: Mapping[str, str]) -> None:
    """Set some settings of topics; the others stay."""
    async with topic_admin.connect(scene.stage.bootstrap) as client:
        await topic_admin._alter(client, [topic_admin.Change(topic, "alter", want=dict(settings)) for topic in topics])
