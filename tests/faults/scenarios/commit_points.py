"""Kill -9 at every named point: each role dies there, again and again, the roles side by side. Not for: what becomes of the local
store meanwhile (``local_store``)."""

from __future__ import annotations

import asyncio
import shutil
from typing import Final

from streamer.engine import failpoints
from tests.faults.needs import Needs, more_events
from tests.faults.scene import DEATH_TIMEOUT_S, Scene

NEEDS: Final = Needs(events=16_000, per_second=500, backlog=1_500)
POINTS: Final = {
    "intake": ("before_outputs", "in_outputs", "after_outputs", "before_offset_commit", "after_offset_commit"),
    "dossier": (
        "before_outputs", "in_outputs", "between_outputs", "before_compacted", "after_outputs", "in_sweep",
        "before_changelog", "in_changelog", "after_changelog", "after_rocksdb", "before_offset_commit",
        "after_offset_commit", "in_recovery", "in_restating",
    ),
    "sink": ("before_outputs", "in_transaction", "after_transaction", "before_offset_commit", "after_offset_commit"),
}  # fmt: skip
assert {point for points in POINTS.values() for point in points} == failpoints.NAMES
PASSAGES: Final = 12  # before a kill, at most; the first after a start are of a backlog
AT_START: Final = frozenset({"in_recovery", "in_restating"})
SELDOM: Final = frozenset({"in_sweep"})  # once a day of the calendar and partition
FED_PER_S: Final = 200  # at the least: so long may it take to the next day of a larger world
TURNS: Final = {"intake": 2, "dossier": 1, "sink": 2}  # through all points


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    scene.traffic.grant(NEEDS.per_second)
    await asyncio.gather(*[kills(scene, role) for role in POINTS])
    for role, points in POINTS.items():
        for point in points:
            scene.promise(f"kills of {role} at {point}", scene.counters[f"{role} {point}"])
    scene.promise("kills with redelivery", sum(death.redelivered > 0 for death in scene.deaths), len(scene.deaths) / 4)


async def kills(scene: Scene, name: str) -> None:
    """One role through its points, in the seed's order."""
    role = scene.roles[f"{name}-0"]
    for _ in range(TURNS[name]):
        points = [*POINTS[name]]
        scene.rng.shuffle(points)
        for point in points:
            await die(scene, name, point)
    role.start()
    role.held = False


async def die(scene: Scene, name: str, point: str) -> None:
    """Started armed for this point, fed until it dies there."""
    role = scene.roles[f"{name}-0"]
    await scene.lay_down(role)
    if point == "in_recovery":
        shutil.rmtree(role.state_dir, ignore_errors=True)
        scene.counters["state folders removed"] += 1
    passages = 0 if point in AT_START | SELDOM else scene.rng.choice((0, 1, 2, scene.rng.randrange(PASSAGES)))
    role.start(f"{point}:{passages}")
    timeout_s = DEATH_TIMEOUT_S + (more_events() / FED_PER_S if point in SELDOM else 0.0)
    if await scene.killed_at(role, point, timeout_s) is not None:
        scene.counters[f"{name} {point}"] += 1
