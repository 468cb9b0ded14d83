"""Production's ticks, written by owners whose clock is a day ahead or a day behind, and by ``streamer tick`` likewise: those of
another date than their append's are refused, and change nothing. Not for: the append time itself (``clocks``)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Final

import msgspec

from streamer.domain.dates import append_day
from streamer.domain.records import Tick, decode_record
from streamer.domain.replay import ExportedRecord
from streamer.export import export
from tests.faults.needs import Needs
from tests.faults.oracle import replayed
from tests.faults.scenarios.clocks import DAY_S, shift_file
from tests.faults.scene import Scene
from tests.faults.stage import REPOSITORY, Stage
from tests.faults.verdict import Judge
from tests.faults.waiting import until

NEEDS: Final = Needs(events=9_000, per_second=300, backlog=2_000, ticks="append")
NEWLY: Final = 500
TICKED_TIMEOUT_S: Final = 60.0  # owners look every 20 s
COMMAND_TIMEOUT_S: Final = 30.0


@asynccontextmanager
async def around(stage: Stage) -> AsyncIterator[None]:
    shift_file(stage).write_text("0")
    stage.own |= {"STREAMER_ALLOW_FAILPOINTS": "1", "STREAMER_CLOCK_SHIFT_FILE": str(shift_file(stage))}
    yield


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    for shift in (DAY_S, -DAY_S):
        await scene.newly("dossier", NEWLY)
        shift_file(scene.stage).write_text(str(shift))
        scene.misfortune("clocks jumped")
        before = await wrong_ticks(scene)
        await command(scene)
        await until("ticks of `streamer tick`", lambda b=before: _more(scene, b), TICKED_TIMEOUT_S, 1.0)
        if shift > 0:
            before = await wrong_ticks(scene)
            await until("ticks of the partitions' owner", lambda b=before: _more(scene, b), TICKED_TIMEOUT_S, 1.0)
            scene.counters["ticks of an owner whose clock is ahead"] += 1
        await scene.newly("dossier", NEWLY)
        await scene.kill(scene.roles["dossier-0"])
    shift_file(scene.stage).write_text("0")
    scene.promise("ticks of an owner whose clock is ahead", scene.counters["ticks of an owner whose clock is ahead"])


async def _more(scene: Scene, before: int) -> bool:
    return await wrong_ticks(scene) >= before + scene.stage.partitions


async def command(scene: Scene) -> None:
    """``streamer tick`` on a machine whose clock is off."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer", "tick", env=scene.stage.environment, cwd=REPOSITORY,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await asyncio.wait_for(process.wait(), COMMAND_TIMEOUT_S) == 0
    scene.misfortune("ticks of a wrong clock")


def _is_wrong(record: ExportedRecord) -> bool:
    value = decode_record(bytes(record.value))
    return isinstance(value, Tick) and date.fromisoformat(value.date).toordinal() != append_day(record.append_ms)


async def wrong_ticks(scene: Scene) -> int:
    count = 0
    async for line in export(scene.stage.bootstrap):
        count += not line.startswith(b'{"rulebook"') and _is_wrong(msgspec.json.decode(line, type=ExportedRecord))
    return count


async def judge(scene: Scene, it: Judge) -> None:
    """Without the wrong ticks replay sends the very same messages."""
    lines = [line async for line in export(scene.stage.bootstrap)]

    async def chosen(*, without: bool) -> AsyncIterator[bytes]:
        for line in lines:
            record = None if line.startswith(b'{"rulebook"') else msgspec.json.decode(line, type=ExportedRecord)
            if without and record is not None and _is_wrong(record):
                scene.counters["wrong ticks"] += 1
                continue
            yield line

    told = []
    for without in (False, True):
        effects = (await replayed(chosen(without=without))).effects
        told.append(sorted(body for _, _, body in [*effects.alerts, *effects.notices]))
    it.must("messages that wrong ticks changed", len({*told[0]} ^ {*told[1]}) + abs(len(told[0]) - len(told[1])))
    scene.promise("wrong ticks", scene.counters["wrong ticks"], 3 * scene.stage.partitions)
    scene.promise("alerts", it.figures["alerts"])
