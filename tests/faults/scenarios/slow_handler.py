"""Handlers that now and then take longer than the session: waiting (the loop turns, heartbeats go on) and blocking (it does not).

A handler that waits is waited for; a process whose loop stood still ends itself and is started again. Not for: a handler
that blocks on the same event every time (that never ends; nothing can be done for it).
"""

from __future__ import annotations

import contextlib
from typing import Final

from streamer.engine.exits import Exit
from tests.faults.needs import BUSY, Needs
from tests.faults.scene import Scene
from tests.faults.slow import AT_ONCE, BLOCKED, WAITED
from tests.faults.waiting import LateError, until

ROLES: Final = ("intake", "dossier", "sink")
NEEDS: Final = Needs(
    events=20_000,
    per_second=150,
    backlog=4_000,
    commands=dict.fromkeys(ROLES, ("-m", "tests.faults.slow")),
    ends={Exit.PAUSE: 30},  # one for each slice that blocks, said below
)
LENGTH_S: Final = 120.0
LEAST: Final = 2  # of each kind and role


async def run(scene: Scene) -> None:
    await scene.ready(*scene.roles.values())
    scene.traffic.flow()
    with contextlib.suppress(LateError):  # said below, by kind
        await until("slow slices", lambda: all(found >= LEAST for found in seen(scene).values()), LENGTH_S)
    (scene.stage.home / AT_ONCE).touch()
    for what, found in seen(scene).items():
        scene.misfortune(what, found)
        scene.promise(what, found, LEAST)
    ended = sum(code == Exit.PAUSE for _, code in scene.unexpected)
    scene.promise("ends of a blocked process", ended, LEAST)
    blocked = sum(found for what, found in seen(scene).items() if what.endswith(BLOCKED))
    if ended > blocked + BUSY[Exit.PAUSE]:
        scene.broken.append(f"{ended} processes ended as paused, of {blocked} whose loop stood still")


def seen(scene: Scene) -> dict[str, int]:
    """Slow slices by kind and role, as the processes told."""
    found = {}
    for name in ROLES:
        text = scene.roles[f"{name}-0"].log.read_text(errors="replace")
        found |= {f"{name} {word}": text.count(word) for word in (BLOCKED, WAITED)}
    return found
