"""As ``made_anew``, but the new log has grown beyond what was applied: its length says nothing, only its id does."""

from __future__ import annotations

from tests.faults.scenarios import made_anew
from tests.faults.scene import Scene

NEEDS = made_anew.NEEDS
judged = made_anew.judged
FREE = made_anew.FREE


async def run(scene: Scene) -> None:
    await made_anew.play(scene, longer=True)
