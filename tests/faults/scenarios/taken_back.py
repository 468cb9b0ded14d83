"""Withdrawals before their decisions, corrections that change the party, mostly; with kills among them."""

from __future__ import annotations

from typing import Final

from tests.faults.needs import Needs
from tests.faults.scenarios.some_kills import some_kills
from tests.faults.scene import Scene

NEEDS: Final = Needs(events=14_000, world="taken_back", per_second=600, backlog=2_000)
BEFORE: Final = "listing_withdrawn_before_it_came"
PARTY: Final = "listing_of_the_wrong_party"
LEAST: Final = 400


async def run(scene: Scene) -> None:
    told = scene.traffic.truth.scenarios
    for name, what in ((BEFORE, "withdrawals before their decisions"), (PARTY, "corrections of the party")):
        scene.counters[what] = told.get(name, 0)
        scene.promise(what, told.get(name, 0), LEAST)
    await some_kills(scene)
