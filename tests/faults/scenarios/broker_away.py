"""The one broker killed and back at once, stopped in good order, gone for a minute. Not for: a cluster (``leader_lost``)."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from streamer.local import kafka, processes
from streamer.local.paths import Paths
from streamer.local.state import load
from tests.faults import servers
from tests.faults.needs import BROKERS_DIE, Needs
from tests.faults.scene import Scene

NEEDS: Final = Needs(events=16_000, per_second=400, ends=BROKERS_DIE)
AWAY_S: Final = 60.0  # the length of the outage itself, not a wait
NEWLY: Final = 1_200  # applied before each
STOP_TIMEOUT_S: Final = 20.0


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    steps = [killed, killed, stopped, away]
    scene.rng.shuffle(steps)
    for step in steps:
        await scene.newly("dossier", NEWLY)
        await asyncio.sleep(scene.rng.uniform(0.0, 1.0))  # somewhere between two offset commits
        await step(scene)
    scene.promise("seconds without a broker", scene.counters["seconds away"], AWAY_S)
    scene.promise("brokers killed", scene.counters["brokers killed"], 3)


async def killed(scene: Scene) -> None:
    servers.kill(scene)
    await servers.back(scene)


async def stopped(scene: Scene) -> None:
    """SIGTERM: the broker says good-bye."""
    broker = load(Paths(scene.stage.home)).brokers[0]
    assert broker.process is not None
    await asyncio.to_thread(processes.stop, broker.process, timeout_s=STOP_TIMEOUT_S)
    scene.misfortune("brokers stopped")
    await servers.back(scene)


async def away(scene: Scene) -> None:
    servers.kill(scene)
    began = time.monotonic()
    await asyncio.sleep(AWAY_S)
    assert kafka.pid(1, scene.stage.home) is None
    scene.counters["seconds away"] += int(time.monotonic() - began)
    await servers.back(scene)
