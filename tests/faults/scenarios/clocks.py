"""Clocks of workers jump a day ahead and back while they run and between lives; the broker's clock is set back, so that append
times run backwards. Nothing may change. Not for: ticks of a wrong clock (``midnight``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from streamer import kafka_io
from tests.faults import servers
from tests.faults.broker_clock import off_by
from tests.faults.needs import Needs
from tests.faults.scene import Scene
from tests.faults.stage import Stage
from tests.faults.verdict import Judge

NEEDS: Final = Needs(events=16_000, per_second=500, backlog=2_000)
DAY_S: Final = 86_400
NEWLY: Final = 1_000
JUMPS_S: Final = (DAY_S, -DAY_S, 0)
BROKER_S: Final = (2 * DAY_S, DAY_S, 0)  # ahead of ours, never behind: senders' own times would be of the future then
BACKWARDS_MS: Final = DAY_S * 1000 // 2


def shift_file(stage: Stage) -> Path:
    return stage.home.parent / "clock-shift"


@asynccontextmanager
async def around(stage: Stage) -> AsyncIterator[None]:
    shift_file(stage).write_text("0")
    stage.own |= {"STREAMER_ALLOW_FAILPOINTS": "1", "STREAMER_CLOCK_SHIFT_FILE": str(shift_file(stage))}
    with off_by(BROKER_S[0], stage.home.parent):
        yield


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    for shift in BROKER_S[1:]:
        for jump in scene.rng.sample(JUMPS_S, 2):
            await scene.newly("dossier", NEWLY)
            shift_file(scene.stage).write_text(str(jump))
            scene.misfortune("workers' clocks jumped")
            await scene.newly("dossier", NEWLY // 4)
            await scene.kill(scene.roles[f"{scene.rng.choice(('dossier', 'intake', 'sink'))}-0"])
        servers.kill(scene)
        with off_by(shift, scene.stage.home.parent):
            await servers.back(scene)
        scene.misfortune("broker's clock set")


async def judge(scene: Scene, it: Judge) -> None:
    """Append times of the records ran backwards, in every partition, twice."""
    last: dict[int, int] = {}
    async for message in kafka_io.read_all(scene.stage.bootstrap, ["credit.records"], committed_only=False):
        if message.timestamp < last.get(message.partition, 0) - BACKWARDS_MS:
            scene.counters["append times ran backwards"] += 1
        last[message.partition] = message.timestamp
    it.figures["append times ran backwards"] = scene.counters["append times ran backwards"]
    scene.promise("append times ran backwards", scene.counters["append times ran backwards"], 2 * len(last))
