"""More bad events than good ones, of every kind, with kills among them.

Not for: what is wrong with each (``streamer.demo.refusals``, ``tests.faults.worlds``).
"""

from __future__ import annotations

from typing import Final

from streamer.demo.truth import DEAD, PARKED
from tests.faults.needs import Needs
from tests.faults.scenarios.some_kills import some_kills
from tests.faults.scene import Scene

NEEDS: Final = Needs(events=14_000, world="poison", per_second=600, backlog=2_000)


async def run(scene: Scene) -> None:
    truth = scene.traffic.truth
    bad = truth.fates.get(DEAD, 0) + truth.fates.get(PARKED, 0)
    scene.counters["bad items"] = bad
    scene.counters["kinds of bad items"] = len(truth.reasons) + len(truth.parked)
    scene.promise("bad items", bad, truth.items / 2)
    await some_kills(scene)
