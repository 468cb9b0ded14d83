"""A few kills of each role, anywhere and then at points that make it send or read again: for scenarios whose misfortune is the
traffic."""

from __future__ import annotations

from typing import Final

from tests.faults.scene import Scene

PLAN: Final = (
    ("intake", "after_outputs"), ("dossier", "after_outputs"), ("dossier", "in_changelog"), ("sink", "in_transaction"),
    ("intake", "before_offset_commit"), ("dossier", "before_offset_commit"), ("sink", "after_transaction"),
)  # fmt: skip
PASSAGES: Final = 10


async def some_kills(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    plan = [*PLAN]
    scene.rng.shuffle(plan)
    for name, point in plan:
        role = scene.roles[f"{name}-0"]
        await scene.kill(role, start=None)
        role.start(f"{point}:{scene.rng.randrange(PASSAGES)}")
        await scene.killed_at(role, point)
        role.start()
        role.held = False
    scene.promise("kills", len(scene.deaths), 2 * len(PLAN))
