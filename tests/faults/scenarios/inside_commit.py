"""Kills of the dossier inside the first large commits of a backlog: what a broken order or a torn batch loses is then a whole
unit of some hundred entities. For the negative controls."""

from __future__ import annotations

import contextlib
from typing import Final

from tests.faults.needs import Needs
from tests.faults.scene import Scene
from tests.faults.waiting import LateError, until

NEEDS: Final = Needs(events=9_000, per_second=1_500, backlog=3_000, subscribers=0)
POINTS: Final = ("after_outputs", "in_changelog") * 3
BACKLOG: Final = 800
BACKLOG_TIMEOUT_S: Final = 12.0


async def run(scene: Scene) -> None:
    role = scene.roles["dossier-0"]
    await scene.ready(*scene.roles.values())
    for point in POINTS:
        await scene.lay_down(role)
        scene.traffic.grant(BACKLOG)
        with contextlib.suppress(LateError):  # where a phase of the traffic ends: what there is
            await until("a backlog", lambda: scene.traffic.outstanding() >= BACKLOG // 2, BACKLOG_TIMEOUT_S)
        role.start(f"{point}:{scene.rng.randrange(scene.stage.partitions)}")
        await scene.killed_at(role, point)
        role.start()
        role.held = False
        await scene.newly("dossier", BACKLOG // 2)
    scene.promise("kills inside the commit", len(scene.deaths), 2 * len(POINTS))
