"""What a scenario asks of its stage, declared beside it. Not for: doing anything."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from streamer.admin import Ticks
from streamer.engine.exits import Exit

EVENTS: Final = 20_000
PER_SECOND: Final = 400
SUBSCRIBERS: Final = 2
#: Where two runs share two cores a process may be left standing for half its session, and ends itself.
BUSY: Final[dict[int, int]] = {Exit.PAUSE: 3}
#: Where brokers die: a role that needs one just then, at a start most of all, may end with the code that says so.
BROKERS_DIE: Final[dict[int, int]] = BUSY | {Exit.BROKER: 3}
#: A run that takes longer has failed; and what each event beyond the catalogue's own adds to that.
RUN_TIMEOUT_S: Final = 900.0
EVENT_TIMEOUT_S: Final = 0.02
USUAL_EVENTS: Final = 25_000


def least_events() -> int:
    """Of each run, as the environment asks for (EVENTS)."""
    return int(os.environ.get("EVENTS") or 0)


def more_events() -> int:
    """Beyond the catalogue's own."""
    return max(0, least_events() - USUAL_EVENTS)


def limit_s(events: int) -> float:
    """How long a run of so many events may take."""
    return RUN_TIMEOUT_S + EVENT_TIMEOUT_S * max(0, events - USUAL_EVENTS)


class Needs(NamedTuple):
    """``world``: a recipe of ``worlds``; ``per_second``: how fast traffic is published while misfortunes happen, so that
    ``events`` must outlast them; ``backlog``: published and not yet applied, at most; ``environment``: of every role;
    ``commands``: arguments to Python instead of ``-m streamer.app``, by role; ``brokers``: 1 or 3 (then replication 3, of
    which two must be in sync); ``kafka_properties``: of every broker, beyond ours; ``ticks``: ``append`` is production's
    mode, on today's date: the world's own ticks are refused then, and its truth does not hold (replay does); ``ends``: exit
    codes with which roles may end by themselves, and how often at most: any other, or one more, fails the run."""

    events: int = EVENTS
    world: str = "demo"
    per_second: int = PER_SECOND
    backlog: int = 2 * PER_SECOND
    partitions: int = 4
    brokers: int = 1
    subscribers: int = SUBSCRIBERS
    environment: Mapping[str, str] = {}
    commands: Mapping[str, Sequence[str]] = {}
    kafka_properties: Mapping[str, str] = {}
    ticks: Ticks = "simulated"
    ends: Mapping[int, int] = BUSY
