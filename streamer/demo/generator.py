"""The demo's world: eight departments' events over four months of simulated time, and their truth, written first.

Not for: working anything out. It imports nothing that decides: the truth holds by construction, so that it can be held against
the product's own outcome as a second, independent witness. The same seed and size give the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from streamer.demo import background, messages, refusals, scenarios, truth
from streamer.demo.messages import Message
from streamer.demo.story import CLOCKS, World
from streamer.demo.truth import Phase, Truth

TRUTH_FILE: Final = "truth.json"
N_EVENTS: Final = 52_000
N_EVENTS_MIN: Final = 1_000
SEED: Final = 20260105
FULL_SIZE: Final = 50_000  # of the counts in the scenarios


def generate(folder: Path, *, n_events: int = N_EVENTS, seed: int = SEED) -> Truth:
    """Write ``truth.json``, then ``events-<phase>.jsonl``, into ``folder``; return the truth.

    At least ``n_events`` messages (a few more). Raises ValueError below N_EVENTS_MIN: every scenario has to find room.
    """
    if n_events < N_EVENTS_MIN:
        raise ValueError(f"{n_events} events are too few for every scenario: at least {N_EVENTS_MIN}")
    world = World(seed)
    scale = n_events / FULL_SIZE
    scenarios.tell_all(world, scale)
    refusals.tell_all(world, scale)
    background.fill(world, n_events)
    return write(world, folder)


def write(world: World, folder: Path) -> Truth:
    """The truth of a world that is told to its end, then its events, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    found = _phases(world)
    (folder / TRUTH_FILE).write_bytes(truth.encode(world.truth))
    for phase, batch in zip(world.truth.phases, found, strict=True):
        with (folder / phase.file).open("wb") as file:
            file.writelines(map(messages.line, batch))
    return world.truth


def _phases(world: World) -> list[list[Message]]:
    """Each phase's messages in their order; the last phase is a tick alone. Enters the phases into the truth."""
    found = [[message for _, _, message in sorted(placed, key=lambda entry: entry[:2])] for placed in world.placed]
    found.append([])
    for number, (clock, batch) in enumerate(zip(CLOCKS, found, strict=True)):
        tick = clock.isoformat() if number else None
        world.truth.phases.append(Phase(tick, f"events-{number}.jsonl", len(batch)))
    return found


def load(folder: Path) -> Truth:
    """The truth of a world that was written before."""
    loaded: Truth = truth.decode((folder / TRUTH_FILE).read_bytes())
    return loaded
