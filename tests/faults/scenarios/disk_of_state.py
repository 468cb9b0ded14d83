"""The disk full under the dossier's state, RocksDB with it: the process ends with a code that says so, again and again, and goes
on when there is room. Not for: Kafka's disk (``disk_of_log``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from streamer.engine.exits import ADVICE, Exit
from tests.faults.disk import SmallDisk, small
from tests.faults.needs import BUSY, Needs, more_events
from tests.faults.scene import Scene
from tests.faults.stage import Stage
from tests.faults.waiting import until

EVENT_BYTES: Final = 10 << 10
DISK_BYTES: Final = (256 << 20) + EVENT_BYTES * more_events()  # RocksDB's own files of a run take some 20 MB
TURNS: Final = 3
ENDS_EACH: Final = 2  # ends for want of room in each turn: the first, and a start that finds the disk still full
ENDS_MAX: Final = TURNS * (ENDS_EACH + 2)  # it may be starting again while room is made
NEEDS: Final = Needs(events=14_000, per_second=500, backlog=4_000, ends=BUSY | {Exit.DISK: ENDS_MAX})
NEWLY: Final = 1_500
FULL_TIMEOUT_S: Final = 90.0
LIMIT_POLL_S: Final = 0.02

_disks: dict[Stage, SmallDisk] = {}


@asynccontextmanager
async def around(stage: Stage) -> AsyncIterator[None]:
    with small(stage.home.parent / "small", DISK_BYTES) as _disks[stage]:
        try:
            yield
        finally:
            del _disks[stage]


async def prepare(scene: Scene) -> None:
    """The dossier's home, and with it the state folder, is on the small disk."""
    scene.roles["dossier-0"].own["STREAMER_HOME"] = str(_disks[scene.stage].folder)


async def run(scene: Scene) -> None:
    disk, dossier = _disks[scene.stage], scene.roles["dossier-0"]
    scene.say(f"    the disk is {disk.how}")
    for _ in range(TURNS):
        await scene.ready(*scene.roles.values())
        await scene.newly("dossier", scene.rng.randrange(NEWLY // 4, NEWLY))
        before = dossier.exits.count(Exit.DISK)
        disk.fill()
        scene.misfortune("disks full")

        def ended(before: int = before) -> bool:
            scene.feed()
            if dossier.process is not None:
                disk.limit(dossier.process.pid)
            return dossier.exits.count(Exit.DISK) >= before + ENDS_EACH

        await until("the dossier to end for want of room", ended, FULL_TIMEOUT_S, LIMIT_POLL_S)
        disk.make_room()
        if dossier.process is not None:
            disk.limit(dossier.process.pid)
        scene.say(f"    room again; exits of the dossier so far: {dossier.exits}")
        await scene.newly("dossier", NEWLY // 4)
    log = dossier.log.read_text(errors="replace")
    scene.promise("ends that say what to do", log.count(ADVICE[Exit.DISK]), TURNS * ENDS_EACH)
    scene.promise("ends with the code of a full disk", dossier.exits.count(Exit.DISK), TURNS * ENDS_EACH)
