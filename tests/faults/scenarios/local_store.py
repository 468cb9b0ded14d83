"""Kill -9 at the points of the commit, and the local store deleted, kept, stale or ahead before the next start.

*Stale*: a copy of an earlier moment put back. *Ahead*: rows that the changelog never had, under a position beyond its end (a
position within it cannot be ahead: the store is written after the append). Not for: roles without a store.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from streamer.engine.store import Store
from tests.faults.needs import Needs
from tests.faults.scene import Scene
from tests.faults.stage import Role

NEEDS: Final = Needs(events=14_000, per_second=500, backlog=1_500)
POINTS: Final = (
    "before_outputs", "in_outputs", "between_outputs", "before_compacted", "after_outputs", "before_changelog",
    "in_changelog", "after_changelog", "after_rocksdb", "before_offset_commit", "after_offset_commit",
)  # fmt: skip
TREATMENTS: Final = ("deleted", "kept", "stale", "ahead")
POINTS_EACH: Final = 6
PASSAGES: Final = 8
BEYOND: Final = 1_000_000  # records
TABLE: Final = "dossier"
REBUILT: Final = "]; built anew from the changelog"  # what a process logs of a position outside its changelog


async def run(scene: Scene) -> None:
    role = scene.roles["dossier-0"]
    await scene.ready(*scene.roles.values())
    earlier = scene.stage.home / "earlier"
    await scene.newly("dossier", 500)
    await scene.kill(role, start=None)
    shutil.copytree(role.state_dir / "db", earlier)
    plan = [(treatment, point) for treatment in TREATMENTS for point in scene.rng.sample(POINTS, POINTS_EACH)]
    scene.rng.shuffle(plan)
    plan += [(treatment, "in_recovery") for treatment in TREATMENTS if treatment != "kept"]
    for treatment, point in plan:
        await once(scene, role, treatment, point, earlier)
    role.start()
    role.held = False
    for treatment in TREATMENTS:
        scene.promise(f"kills with the store {treatment}", scene.counters[f"store {treatment}"], POINTS_EACH - 1)
    rebuilt = role.log.read_text(errors="replace").count(REBUILT)
    scene.counters["partitions rebuilt"] = rebuilt
    scene.promise("partitions rebuilt", rebuilt, scene.counters["store ahead"] * scene.stage.partitions)


async def once(scene: Scene, role: Role, treatment: str, point: str, earlier: Path) -> None:
    """The store treated, the role started on it and killed at the point."""
    treat(scene, role, treatment, earlier)
    role.start(f"{point}:{0 if point == 'in_recovery' else scene.rng.randrange(PASSAGES)}")
    if await scene.killed_at(role, point) is not None:
        scene.counters[f"store {treatment}"] += 1


def treat(scene: Scene, role: Role, treatment: str, earlier: Path) -> None:
    folder = role.state_dir
    if treatment == "deleted":
        shutil.rmtree(folder, ignore_errors=True)
    elif treatment == "stale":
        shutil.rmtree(folder / "db", ignore_errors=True)
        shutil.copytree(earlier, folder / "db")
    elif treatment == "ahead":
        store = Store(folder)
        table = store.table_id(TABLE)
        for partition in range(scene.stage.partitions):
            store.partition(table, partition).write({b"h" + bytes(9): b"of nobody"}, BEYOND)
        store.close()
