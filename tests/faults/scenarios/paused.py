"""Workers sleep beyond their session and wake when others own what was theirs: anywhere, and at points of the commit.

A sleeper sees that it slept, and that its group forgot it, mostly before it writes anything; so those that are to write late do
without both checks: what is left then is what the others make of a late write. Not for: a worker that is cut off and awake.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import Final

from streamer.engine.exits import Exit
from tests.faults.needs import BUSY, Needs
from tests.faults.scene import DEATH_TIMEOUT_S, GivenUpError, Scene
from tests.faults.stage import SESSION_S, Role
from tests.faults.verdict import Judge
from tests.faults.waiting import LateError, until

OWNED_TIMEOUT_S: Final = 60.0
WAKE_TIMEOUT_S: Final = 40.0
MEANWHILE: Final = 150  # events that the others apply before it wakes
# Where the sleep is seen before anything is written; and where the next thing is a write.
BEFORE_THE_CHECK: Final = ("before_outputs", "after_outputs")
LATE: Final = ("before_changelog", "before_compacted", "before_changelog")
ANYWHERE: Final = ("dossier", "intake", "sink")
#: The owner, too, ends at a late write, and repairs it when it starts again.
FOREIGN_MAX: Final = 2 * len(LATE)
NEEDS: Final = Needs(events=16_000, per_second=400, backlog=1_200, ends=BUSY | {Exit.FOREIGN: FOREIGN_MAX})
UNCHECKED: Final = ("-m", "tests.faults.sabotage", "no-pause-check")
ENDS: Final = frozenset({Exit.PAUSE, Exit.FOREIGN})
WENT_ON: Final = "woken workers that went on"


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    other = scene.role("dossier", "1")
    other.start()
    plan = [*BEFORE_THE_CHECK, *LATE]
    scene.rng.shuffle(plan)
    for point in plan:
        await sleep_at(scene, point)
    for name in ANYWHERE:
        await sleep_anywhere(scene, name)
    scene.promise("sleeps beyond the session", scene.counters["slept"], len(plan) + len(ANYWHERE))


async def judge(scene: Scene, it: Judge) -> None:
    it.must(WENT_ON, scene.counters[WENT_ON])
    scene.promise("late records in the changelog", it.figures["void rows"])


async def sleep_at(scene: Scene, point: str) -> None:
    """A dossier stops itself at a point, and is woken when the other has gone on with its partitions."""
    sleeper, other = scene.roles["dossier-0"], scene.roles["dossier-1"]
    if scene.rng.random() < 0.5:
        sleeper, other = other, sleeper
    await scene.lay_down(sleeper)
    command = sleeper.command
    if point in LATE and "dossier" not in scene.stage.commands:
        sleeper.command = [sys.executable, *UNCHECKED, "dossier"]
    sleeper.start(f"{point}:{scene.rng.randrange(6)}:stop")
    await until(f"{sleeper.label} to stop at {point}", lambda: asleep(scene, sleeper), DEATH_TIMEOUT_S, 0.02)
    code = await woken(scene, sleeper, other, f"at {point}")
    if point in BEFORE_THE_CHECK and code != Exit.PAUSE:
        scene.counters[WENT_ON] += 1
    sleeper.command = command
    if code is None:
        await scene.kill(sleeper, "kill -9 of a sleeper that went on", start=None)
    sleeper.start()
    sleeper.held = False
    await scene.ready(sleeper, other)


def asleep(scene: Scene, sleeper: Role) -> bool:
    """Whether it sleeps; traffic is granted meanwhile. Raises GivenUpError when it ended."""
    if sleeper.gone:
        raise GivenUpError(f"{sleeper.label} ended instead of stopping\n{sleeper.tail()}")
    scene.feed(sleeper.name)
    return sleeper.asleep


async def sleep_anywhere(scene: Scene, name: str) -> None:
    """Stopped at any moment by a signal, beside a second worker of its role."""
    sleeper = scene.roles[f"{name}-0"]
    other = scene.roles.get(f"{name}-1")
    if other is None:
        other = scene.role(name, "1")
        other.start()
    await scene.ready(sleeper, other)
    await scene.newly(name, MEANWHILE)
    await asyncio.sleep(scene.rng.random())
    sleeper.held = True
    sleeper.signal(signal.SIGSTOP)
    if await woken(scene, sleeper, other, "anywhere") is None:
        scene.broken.append(f"{sleeper.label} went on after a sleep beyond its session")
        await scene.kill(sleeper, "kill -9 of a sleeper that went on", start=None)
    sleeper.start()
    sleeper.held = False


async def woken(scene: Scene, sleeper: Role, other: Role, where: str) -> int | None:
    """Sleeps until the other owns everything and has applied some; the exit code, or None when it goes on."""
    fell_asleep = time.monotonic()
    silent = await scene.falls_silent(sleeper)  # what it had under way, the other does again, and perhaps it, too
    everything = await partitions_of(scene, sleeper.name)
    await until(f"{other.label} to own all", lambda: scene.owns(other, everything), OWNED_TIMEOUT_S)
    await scene.read_no_more(silent)
    await scene.newly(sleeper.name, MEANWHILE)
    await asyncio.sleep(max(0.0, fell_asleep + SESSION_S + 0.5 - time.monotonic()))
    slept = time.monotonic() - fell_asleep
    sleeper.signal(signal.SIGCONT)
    try:
        code: int | None = await scene.death_of(sleeper, WAKE_TIMEOUT_S)
    except LateError:
        code = None
    scene.misfortune("slept", int(slept > SESSION_S))
    scene.counters[f"{sleeper.name} {where}: ended with {code}"] += 1
    scene.say(f"    {sleeper.label} slept {slept:.1f} s {where} (session {SESSION_S} s), then ended with {code}")
    await scene.heard(silent)
    await scene.cut(sleeper)
    if code is not None and code not in ENDS:
        scene.broken.append(f"{sleeper.label} ended with {code} after a sleep {where}")
    return code


async def partitions_of(scene: Scene, name: str) -> int:
    """How many partitions the role's group reads, as its committed offsets or the records' say at least."""
    return scene.stage.partitions if name == "dossier" else len(scene.watch.now.done.get(name, {})) or 1
