"""Every event twice, the copies late; different sources and entities in another order; the intake's own resends on top.

Not for: order within one source about one entity: that is kept, as Kafka keeps it.
"""

from __future__ import annotations

from typing import Final

from streamer.demo.truth import DUPLICATE
from tests.faults.needs import Needs
from tests.faults.scenarios.some_kills import some_kills
from tests.faults.scene import Scene
from tests.faults.verdict import Judge

NEEDS: Final = Needs(events=16_000, world="repeats", per_second=600, backlog=2_000)


async def run(scene: Scene) -> None:
    truth = scene.traffic.truth
    scene.counters["duplicates"] = truth.fates.get(DUPLICATE, 0)
    scene.promise("duplicates", truth.fates.get(DUPLICATE, 0), truth.items * 0.4)
    await some_kills(scene)


async def judge(scene: Scene, it: Judge) -> None:
    scene.promise("records that the intake sent again", it.figures["resent records"])
