"""Sleepers that wake just before they write: the short form of ``paused``, for the negative controls. All dossiers are of the
build that is tried."""

from __future__ import annotations

from typing import Final

from streamer.engine.exits import Exit
from tests.faults.needs import BUSY, Needs
from tests.faults.scenarios.paused import FOREIGN_MAX, WENT_ON, sleep_at
from tests.faults.scene import Scene
from tests.faults.verdict import Judge

NEEDS: Final = Needs(
    events=9_000, per_second=400, backlog=1_200, subscribers=0, ends=BUSY | {Exit.FOREIGN: FOREIGN_MAX}
)
REAL: Final = ("-m", "streamer.app")
POINTS: Final = ("before_outputs", "before_changelog", "before_changelog")


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    scene.role("dossier", "1").start()
    scene.stage.commands.setdefault("dossier", REAL)
    for point in POINTS:
        await sleep_at(scene, point)
    scene.promise("sleeps beyond the session", scene.counters["slept"], len(POINTS))


async def judge(scene: Scene, it: Judge) -> None:
    it.must(WENT_ON, scene.counters[WENT_ON])
