"""Kafka's cleaner at work on changelog, standing and status while the dossier is killed and its state folder removed: what a
recovery reads is a log with holes. Not for: what becomes of late writes (production's lag is longer than any pause)."""

from __future__ import annotations

import asyncio
import shutil
from typing import Final

from streamer import kafka_io
from tests.faults import servers
from tests.faults.needs import Needs
from tests.faults.scene import Scene
from tests.faults.verdict import Judge

#: Of topics: a segment a second or a megabyte, cleaned at once; production has a day, 256 MiB, six hours and a half.
SETTINGS: Final = {
    "segment.ms": "1000",
    "segment.bytes": str(1 << 20),
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "1000",
    "delete.retention.ms": "1000",
}
NEEDS: Final = Needs(
    events=16_000,
    per_second=500,
    backlog=2_000,
    kafka_properties={"log.cleaner.backoff.ms": "500", "log.segment.delete.delay.ms": "1000"},
)
NEWLY: Final = 1_200
TURNS: Final = 5
HOLES_MIN: Final = 2_000  # offsets of the changelog that have no record any more


def topics(scene: Scene) -> list[str]:
    return [scene.stage.changelog, "credit.status", *(f"credit.standing.{domain}" for domain in scene.stage.domains)]


async def prepare(scene: Scene) -> None:
    await servers.alter(scene, topics(scene), SETTINGS)


async def run(scene: Scene) -> None:
    dossier = scene.roles["dossier-0"]
    await scene.ready(*scene.roles.values())
    for turn in range(TURNS):
        await scene.newly("dossier", NEWLY)
        await asyncio.sleep(scene.rng.uniform(0.0, 2.0))  # somewhere in the cleaner's round
        await scene.kill(dossier, "kill -9", start=None)
        if turn % 2 == 0:
            shutil.rmtree(dossier.state_dir)
            scene.counters["state folders removed"] += 1
            before = await holes(scene, scene.stage.changelog)
            scene.counters["recoveries from a log with holes"] += int(before > 0)
        dossier.start()
        dossier.held = False
        await scene.ready(dossier)
    scene.promise("recoveries from a log with holes", scene.counters["recoveries from a log with holes"], TURNS // 2)


async def holes(scene: Scene, topic: str) -> int:
    """Offsets of a topic without a record: the cleaner has been there."""
    begin, end = await kafka_io.bounds(scene.stage.bootstrap, [topic], committed_only=False)
    found = 0
    async for _ in kafka_io.read(scene.stage.bootstrap, begin, end, committed_only=False):
        found += 1
    return sum(end.values()) - sum(begin.values()) - found


async def judge(scene: Scene, it: Judge) -> None:
    """The cleaner has run over each kind of topic."""
    for topic in topics(scene):
        it.figures[f"holes in {topic}"] = await holes(scene, topic)
    scene.promise("holes in the changelog", it.figures[f"holes in {scene.stage.changelog}"], HOLES_MIN)
    scene.promise("holes in the status", it.figures["holes in credit.status"])
    standing = [f"credit.standing.{domain}" for domain in scene.stage.domains]
    scene.promise("holes in standing", sum(it.figures[f"holes in {topic}"] for topic in standing))
