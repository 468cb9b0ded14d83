"""The disk full under Kafka's log: the broker ends itself, and starts again when there is room; what it had acknowledged is
there. Not for: the disk of a worker (``disk_of_state``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from streamer.local import kafka, processes
from streamer.local.paths import Paths
from tests.faults import servers
from tests.faults.disk import SmallDisk, small
from tests.faults.needs import BROKERS_DIE, Needs, more_events
from tests.faults.scene import Scene
from tests.faults.stage import Stage
from tests.faults.waiting import until

NEEDS: Final = Needs(events=14_000, per_second=400, backlog=2_000, ends=BROKERS_DIE)
EVENT_BYTES: Final = 10 << 10
DISK_BYTES: Final = (512 << 20) + EVENT_BYTES * more_events()
TURNS: Final = 2
NEWLY: Final = 1_200
FULL_TIMEOUT_S: Final = 90.0

_disks: dict[Stage, SmallDisk] = {}


@asynccontextmanager
async def around(stage: Stage) -> AsyncIterator[None]:
    with small(Paths(stage.home).broker(1) / "data", DISK_BYTES) as _disks[stage]:
        try:
            yield
        finally:
            del _disks[stage]


async def run(scene: Scene) -> None:
    disk, home = _disks[scene.stage], scene.stage.home
    scene.say(f"    the disk is {disk.how}")
    await scene.ready(*scene.roles.values())
    for _ in range(TURNS):
        await scene.newly("dossier", NEWLY)
        disk.fill()
        scene.misfortune("disks full")

        def gone() -> bool:
            scene.feed()
            pid = kafka.pid(1, home)
            if pid is not None:
                disk.limit(pid)
            return pid is None

        await until("the broker to end for want of room", gone, FULL_TIMEOUT_S)
        scene.counters["brokers ended for want of room"] += 1
        scene.say("    the broker has ended itself: " + _last(processes.tail(Paths(home).broker(1) / "server.log", 3)))
        disk.make_room()
        await servers.back(scene)
    scene.promise("brokers ended for want of room", scene.counters["brokers ended for want of room"], TURNS)


def _last(text: str) -> str:
    return text.strip().splitlines()[-1].strip()[:200]
