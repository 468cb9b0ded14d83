"""Clocks of workers jump a day ahead and back while they run and between lives; the broker's clock is set back, so that append
times run backwards. Nothing may change. Not for: ticks of a wrong clock (``midnight``).

Only the dossier asks for the time (its delete marks and ticks); that it got a wrong one after each jump is seen in its log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from streamer import kafka_io
from tests.faults import servers
from tests.faults.broker_clock import off_by
from tests.faults.needs import BROKERS_DIE, Needs
from tests.faults.scene import Scene
from tests.faults.shifted import OFF
from tests.faults.stage import Stage
from tests.faults.verdict import Judge
from tests.faults.waiting import until

NEEDS: Final = Needs(
    events=16_000, per_second=500, backlog=2_000, commands={"dossier": ("-m", "tests.faults.shifted")}, ends=BROKERS_DIE
)
DAY_S: Final = 86_400
NEWLY: Final = 1_000
SEEN_TIMEOUT_S: Final = 60.0
JUMPS_SEEN_MIN: Final = 3  # of four; one may be to where the clock is
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
    was = seen = 0
    for shift in BROKER_S[1:]:
        for jump in (DAY_S, -DAY_S) if scene.rng.random() < 0.5 else (-DAY_S, DAY_S):
            await scene.newly("dossier", NEWLY)
            shift_file(scene.stage).write_text(str(jump))
            before, now = told(scene), jump // DAY_S
            scene.misfortune("workers' clocks jumped")
            await scene.newly("dossier", NEWLY // 4)
            if now != was:
                await until("the dossier to see its clock jump", lambda b=before: told(scene) > b, SEEN_TIMEOUT_S)
                scene.counters[f"clock seen to jump by {now - was:+d} days"] += 1
                seen += 1
            was = now
            await scene.kill(scene.roles[f"{scene.rng.choice(('dossier', 'intake', 'sink'))}-0"])
        servers.kill(scene)
        with off_by(shift, scene.stage.home.parent):
            await servers.back(scene)
        scene.misfortune("broker's clock set")
    scene.promise("clocks that workers saw jump", seen, JUMPS_SEEN_MIN)


def told(scene: Scene) -> int:
    """How often the dossier has found its clock off by another day than before."""
    return scene.roles["dossier-0"].log.read_text(errors="replace").count(OFF.partition("{")[0])


async def judge(scene: Scene, it: Judge) -> None:
    """Append times of the records ran backwards, in every partition, twice."""
    last: dict[int, int] = {}
    async for message in kafka_io.read_all(scene.stage.bootstrap, ["credit.records"], committed_only=False):
        if message.timestamp < last.get(message.partition, 0) - BACKWARDS_MS:
            scene.counters["append times ran backwards"] += 1
        last[message.partition] = message.timestamp
    it.figures["append times ran backwards"] = scene.counters["append times ran backwards"]
    scene.promise("append times ran backwards", scene.counters["append times ran backwards"], 2 * len(last))
