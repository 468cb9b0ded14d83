"""A cluster of three, replication 3, two in sync before anything is acknowledged: it loses the leader of the busiest
partitions, the coordinator of the dossier's group, and then two at once. Not for: a single broker (``broker_away``)."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from streamer.local import kafka
from tests.faults import servers
from tests.faults.needs import BROKERS_DIE, Needs
from tests.faults.scene import Scene
from tests.faults.waiting import until

NEEDS: Final = Needs(events=14_000, per_second=300, brokers=3, ends=BROKERS_DIE)
NODES: Final = (1, 2, 3)
NEWLY: Final = 700
FAIL_OVER_TIMEOUT_S: Final = 60.0
IN_SYNC_TIMEOUT_S: Final = 90.0
MAJORITY_AWAY_S: Final = 12.0  # the outage itself: longer than sessions of brokers and workers


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    for step in (leader, coordinator, majority):
        await scene.newly("dossier", NEWLY)
        await asyncio.sleep(scene.rng.uniform(0.0, 1.0))
        await step(scene)
    for what in ("leaders lost", "coordinators lost", "majorities lost"):
        scene.promise(what, scene.counters[what])
    scene.promise("partitions with another leader", scene.counters["partitions with another leader"], 2)


def _busiest(scene: Scene) -> list[str]:
    return ["credit.records", scene.stage.changelog]


async def leader(scene: Scene) -> None:
    """The node that leads most partitions of records and changelog dies; the others go on without it."""
    led = await servers.leaders(scene, _busiest(scene))
    (node, count), *_ = led.most_common(1)
    servers.kill(scene, node)
    scene.misfortune("leaders lost")
    await _others_lead(scene, node)
    scene.counters["partitions with another leader"] += count
    await servers.going_on(scene)
    await scene.newly("dossier", NEWLY)
    await _back(scene, node)


async def coordinator(scene: Scene) -> None:
    """Members find the new one; offsets are where they were."""
    node = await servers.coordinator(scene, "dossier")
    servers.kill(scene, node)
    scene.misfortune("coordinators lost")
    await _others_lead(scene, node)
    await servers.going_on(scene)
    await _back(scene, node)


async def majority(scene: Scene) -> None:
    """Two at once: nobody acknowledges anything, until one of them is back."""
    lost = scene.rng.sample(NODES, 2)
    for node in lost:
        servers.kill(scene, node)
    scene.misfortune("majorities lost")
    began = time.monotonic()
    await asyncio.sleep(MAJORITY_AWAY_S)
    scene.counters["seconds without a majority"] += int(time.monotonic() - began)
    await asyncio.gather(*[kafka.start(node, scene.stage.home) for node in lost])
    await servers.going_on(scene)


async def _others_lead(scene: Scene, node: int) -> None:
    async def moved() -> bool:
        led = await servers.leaders(scene, _busiest(scene))
        return not led[node] and all(other in NODES for other in led)

    await until(f"others to lead what broker {node} led", moved, FAIL_OVER_TIMEOUT_S, 0.5)


async def _back(scene: Scene, node: int) -> None:
    await kafka.start(node, scene.stage.home)
    await until("all replicas to be in sync", lambda: servers.in_sync(scene, _busiest(scene)), IN_SYNC_TIMEOUT_S, 0.5)
    scene.say(f"    broker {node} is back and in sync")
