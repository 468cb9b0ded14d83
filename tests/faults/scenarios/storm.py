"""Workers of all roles come and go every 2 to 5 s for three minutes, half of them from nothing. Not for: one death at a time."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from typing import Final

from streamer.engine.exits import Exit
from tests.faults.needs import Needs
from tests.faults.scene import Scene
from tests.faults.stage import Role
from tests.faults.waiting import POLL_S

LENGTH_S: Final = 180.0
BETWEEN_S: Final = (2.0, 5.0)
#: Five guests and three hosts on two cores; who is left standing for a session finds others in its place.
ENDS: Final = {Exit.PAUSE: 12, Exit.FOREIGN: 3, Exit.REVOKE: 3, Exit.RECOVERY: 3}
NEEDS: Final = Needs(events=22_000, per_second=100, backlog=4_000, ends=ENDS)
GUESTS: Final = ("dossier", "dossier", "dossier", "intake", "sink")  # dynamic members, beside the three static ones
FROM_NOTHING: Final = 0.5  # of the dossiers that come
KILLED: Final = 0.4  # of the leaves; the others are told to end
APPLIED_MIN: Final = 1_000  # events that got through while it stormed
COME_AND_GO_MIN: Final = 12


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    guests = [guest(scene, name, number) for number, name in enumerate(GUESTS)]
    before, until = scene.watch.now.applied("dossier"), time.monotonic() + LENGTH_S
    scene.traffic.flow()
    while time.monotonic() < until:
        await calm(scene, guests, scene.rng.uniform(*BETWEEN_S))
        host = scene.rng.random() < 0.15
        role = scene.rng.choice([*scene.roles.values()] if host else guests)
        await (leave if role.process is not None else come)(scene, role)
    for role in guests:
        role.signal(signal.SIGTERM)
    for role in guests:
        if role.process is not None:
            await went(scene, role, await scene.death_of(role))
    scene.counters["applied meanwhile"] = scene.watch.now.applied("dossier") - before
    scene.promise("workers that came", scene.counters["came"], COME_AND_GO_MIN)
    scene.promise("workers that went", scene.counters["went"], COME_AND_GO_MIN)
    scene.promise("starts from nothing", scene.counters["from nothing"], 3)
    scene.promise("events applied meanwhile", scene.counters["applied meanwhile"], APPLIED_MIN)
    await scene.ready(*scene.roles.values())


def guest(scene: Scene, name: str, number: int) -> Role:
    """A dynamic member of its group with a home of its own."""
    home = {"STREAMER_INSTANCE": "", "STREAMER_HOME": str(scene.stage.home / f"guest-{number}")}
    role = scene.stage.role(name, f"guest-{number}", environment=home)
    role.held = True
    return role


async def come(scene: Scene, role: Role) -> None:
    if role.name == "dossier" and scene.rng.random() < FROM_NOTHING:
        shutil.rmtree(role.state_dir, ignore_errors=True)
        scene.counters["from nothing"] += 1
    role.start()
    scene.misfortune("came")


async def leave(scene: Scene, role: Role) -> None:
    """Killed, or told to end; a static one is started again at once."""
    scene.misfortune("went")
    if role.held and scene.rng.random() >= KILLED:
        role.signal(signal.SIGTERM)
    else:
        await scene.kill(role, start=None if role.held else "")


async def calm(scene: Scene, guests: list[Role], seconds: float) -> None:
    """Time between two comings and goings; guests that end meanwhile are seen at once, before others own what was theirs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for role in guests:
            code = role.ended()
            if code is not None:
                await went(scene, role, code)
        await asyncio.sleep(POLL_S)


async def went(scene: Scene, role: Role, code: int) -> None:
    """What a guest that was told to go, or ended by itself, ended with."""
    if code in {0, -signal.SIGTERM}:
        await scene.cut(role)
    else:
        await scene.ended_by_itself(role, code)
