"""SIGTERM at any moment: at the start, in recovery, in traffic, while servers are away. Each process ends within 10 s, with 0.

Counts what hit a process with a handler of its own; one that has none yet ends by the signal, and is tried a few times, too. Not
for: what a clean end saves.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from streamer.local import kafka, postgres
from tests.faults.needs import BROKERS_DIE, Needs
from tests.faults.scene import Scene
from tests.faults.stage import Role
from tests.faults.waiting import LateError, until

NEEDS: Final = Needs(events=16_000, per_second=150, backlog=2_000, ends=BROKERS_DIE)
WITHIN_S: Final = 10.0
TOO_LATE_S: Final = 30.0
EACH: Final = 8  # of each role, with all servers there
LATEST_S: Final = 6.0  # after it has begun
BARELY_EACH: Final = 2  # of these, so soon after a start that it may not have begun
BEGUN_TIMEOUT_S: Final = 60.0
AWAY_S: Final = 4.0


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    scene.traffic.flow()
    await asyncio.gather(*[again_and_again(scene, role) for role in list(scene.roles.values())])
    await supervised(scene)
    home = scene.stage.home
    await without(scene, "sink", "PostgreSQL", lambda: postgres.kill(home), lambda: postgres.start(home))
    await without(scene, "dossier", "Kafka", lambda: kafka.kill(1, home), lambda: kafka.start(1, home))
    scene.promise("SIGTERMs to a process that handles them", scene.counters["SIGTERMs"], 3 * (EACH - BARELY_EACH) + 3)


async def again_and_again(scene: Scene, role: Role) -> None:
    role.held = True
    for turn in range(EACH):
        await ended(scene, role, f"{'at' if turn else 'in traffic, at'} any moment")
        if role.name == "dossier" and turn % 2:
            shutil.rmtree(role.state_dir, ignore_errors=True)
            scene.counters["state folders removed"] += 1
        role.start()
        if turn >= BARELY_EACH:
            await until(f"{role.label} to begin", lambda: handles(role), BEGUN_TIMEOUT_S)
            await asyncio.sleep(scene.rng.uniform(0.0, LATEST_S))
        else:
            await asyncio.sleep(scene.rng.uniform(0.0, 1.0))
    await ended(scene, role, "at any moment")
    role.start()
    role.held = False


async def ended(scene: Scene, role: Role, when: str) -> None:
    """One SIGTERM, its time and code."""
    own = handles(role)
    begun = time.monotonic()
    role.signal(signal.SIGTERM)
    try:
        code = await scene.death_of(role, TOO_LATE_S)
    except LateError:
        scene.broken.append(f"{role.label} did not end within {TOO_LATE_S:.0f} s of SIGTERM {when}\n{role.tail()}")
        role.kill()
        return
    took = time.monotonic() - begun
    await scene.cut(role)
    if own:
        scene.misfortune("SIGTERMs")
    else:
        scene.counters["before the program began"] += 1
    scene.counters["longest_ms"] = max(scene.counters["longest_ms"], int(took * 1000))
    if took > WITHIN_S:
        scene.broken.append(f"{role.label} took {took:.1f} s to end after SIGTERM {when}")
    if code != 0 and not (code == -signal.SIGTERM and not own):
        scene.broken.append(f"{role.label} ended with {code} after SIGTERM {when}\n{role.tail()}")


def handles(role: Role) -> bool:
    """Whether the process has a handler of SIGTERM yet; one that is gone has none."""
    if role.process is None:
        return False
    try:
        status = Path(f"/proc/{role.process.pid}/status").read_text()
    except FileNotFoundError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), "0")
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


async def supervised(scene: Scene) -> None:
    """``streamer worker`` passes it on, and ends with 0 itself."""
    home = {"STREAMER_INSTANCE": "", "STREAMER_HOME": str(scene.stage.home / "supervised")}
    worker = scene.stage.role("--role=sink", "supervised", ("-m", "streamer", "worker"), home)
    worker.held = True
    worker.start()
    await until("the supervisor to begin", lambda: handles(worker), BEGUN_TIMEOUT_S)
    await asyncio.sleep(scene.rng.uniform(0.0, 4.0))
    begun = time.monotonic()
    worker.signal(signal.SIGTERM)
    code, took = await scene.death_of(worker), time.monotonic() - begun
    scene.misfortune("SIGTERMs")
    scene.promise("a supervisor's end with 0 within 10 s", code == 0 and took <= WITHIN_S)


async def without(
    scene: Scene, name: str, server: str, away: Callable[[], None], back: Callable[[], Awaitable[None]]
) -> None:
    """SIGTERM while a server is gone, with work under way; both start again after it."""
    role = scene.roles[f"{name}-0"]
    await scene.ready(role)
    role.held = True
    away()
    await asyncio.sleep(AWAY_S)
    await ended(scene, role, f"without {server}")
    scene.counters[f"without {server}"] += 1
    await back()
    role.start()
    role.held = False
