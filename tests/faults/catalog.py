"""The faults, each with its scenarios: what is shown, under which number. Not for: how (``scenarios``)."""

from __future__ import annotations

import random
from importlib import import_module
from types import ModuleType
from typing import Final, NamedTuple

SCENARIOS: Final = "tests.faults.scenarios"


class Case(NamedTuple):
    """One scenario of a fault: a module of ``scenarios`` with ``NEEDS`` and ``async run(scene)``, and, where needed,
    ``around(stage)`` (an asynchronous context: before the servers start, after they have ended), ``async prepare(scene)``
    (servers and topics are there, no role is started), ``judged(copies)`` (which copies of a message must be the same: all),
    ``FREE`` (by table: columns that what is in Kafka in the end does not determine: none), and ``async judge(scene, it)``
    (``it.must(name, wrong)`` beside the common verdict). ``seconds``: what a run takes on two cores, as measured."""

    fault: int
    name: str
    says: str
    seconds: int

    @property
    def module(self) -> ModuleType:
        return import_module(f"{SCENARIOS}.{self.name}")


CASES: Final = (
    Case(1, "commit_points", "kill -9 at every named point of the commit, in every role and in recovery", 170),
    Case(2, "local_store", "the same with the local store deleted, kept, stale, ahead", 230),
    Case(3, "broker_away", "the broker killed and back at once, stopped, gone for 60 s", 240),
    Case(3, "leader_lost", "a cluster of three loses leaders, the coordinator, its majority", 230),
    Case(4, "postgres_lost", "PostgreSQL killed, gone for 2 minutes, read-only, cut in a batch, its answers lost", 240),
    Case(4, "postgres_locks", "PostgreSQL: deadlocks, and a lock held longer than a statement may take", 130),
    Case(5, "storm", "workers come and go every 2 to 5 s for 3 minutes, during recovery too", 240),
    Case(6, "paused", "SIGSTOP beyond the session, then SIGCONT: late writes into changelog and compacted topics", 230),
    Case(
        6, "cut_off", "a worker cut off from the broker only, in either direction, beyond its session, then healed", 120
    ),
    Case(7, "slow_handler", "a handler slower than the session", 150),
    Case(8, "poison", "poison of every kind among good events", 100),
    Case(9, "repeats", "duplicates and reordering", 100),
    Case(10, "taken_back", "withdrawals before their decisions, corrections that change the party", 120),
    Case(11, "clocks", "clocks of workers jump a day ahead and back, the broker's append time runs backwards", 150),
    Case(11, "midnight", "the ticker's clock is a day ahead or behind: its ticks are refused", 90),
    Case(12, "disk_of_state", "the disk full under RocksDB", 120),
    Case(12, "disk_of_log", "the disk full under Kafka's log", 130),
    Case(13, "sigterm", "SIGTERM at any moment: exit within 10 s", 160),
    Case(14, "made_anew", "a source topic deleted and made anew, shorter than what was applied", 80),
    Case(14, "made_longer", "the same, grown beyond it", 80),
    Case(
        15, "compaction", "Kafka's cleaner at work on changelog, standing and status, with state folders removed", 130
    ),
)


def of_the_day(seed: int, seconds: int) -> list[Case]:
    """What fits into a time, in an order drawn from the seed: every case has its day."""
    cases = list(CASES)
    random.Random(f"cases {seed}").shuffle(cases)
    found: list[Case] = []
    for case in cases:
        if sum(other.seconds for other in found) + case.seconds <= seconds:
            found.append(case)
    return found


def chosen(text: str) -> list[Case]:
    """Cases by number or name, several by comma; all for nothing. Raises ValueError for one that does not exist."""
    if not text:
        return list(CASES)
    found: list[Case] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        cases = [case for case in CASES if part in {case.name, str(case.fault)}]
        if not cases:
            known = ", ".join(f"{case.fault} {case.name}" for case in CASES)
            raise ValueError(f"FAULT: {part!r} is none of {known}")
        found += cases
    if not found:
        raise ValueError("FAULT: names no fault; leave it out for all")
    return list(dict.fromkeys(found))
