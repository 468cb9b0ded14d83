"""What happens to a run, drawn from its seed before it begins. Not for: doing it (``driver``)."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

FULL_EVENTS: Final = 60_000  # with so many, the limits below hold as they stand
NEWLY_APPLIED_MIN: Final = 2_000  # before every kill
REMAINING_MIN: Final = 5_000  # after every kill
CONTROL_KILLS: Final = 6
REDELIVERED_SHARE_MIN: Final = 0.5  # of the kills that must show redelivery
EVENTS_PER_SECOND: Final = 1_200  # published, so that a kill falls into traffic and not after it


class Limits(NamedTuple):
    """Limits of a run with so many events: those of a full run, or smaller ones for a trial."""

    newly: int
    remaining: int
    per_second: int

    @classmethod
    def of(cls, events: int) -> Limits:
        share = min(1.0, events / FULL_EVENTS)
        return cls(int(NEWLY_APPLIED_MIN * share), int(REMAINING_MIN * share), int(EVENTS_PER_SECOND * share))


class Step(NamedTuple):
    """One misfortune. ``kind``: kill | failpoint | backlog | recovery | pause | kafka | postgres; ``more``: events beyond the least
    that are applied before it, as a share of the least; ``late_s``: then, with traffic flowing, so much later (offsets are
    committed once a second: without this a kill would always come right after a commit)."""

    kind: str
    role: str = ""
    failpoint: str = ""
    wipe: bool = False
    more: float = 0.0
    late_s: float = 0.0


def steps(seed: int) -> list[Step]:
    """Six kills of the dossier (three anywhere, one before a recovery that is killed too, two inside the commit), two of
    intake, two of the sink, a pause, a broker's death, Postgres away, in the seed's order."""
    rng = random.Random(f"steps {seed}")
    found = [
        *[Step("kill", "dossier")] * 3,
        Step("recovery", "dossier", "in_recovery", wipe=True),
        Step("failpoint", "dossier", "after_outputs"),
        Step("failpoint", "dossier", "in_changelog"),
        *[Step("kill", "intake")] * 2,
        *[Step("kill", "sink")] * 2,
        Step("pause", "dossier"),
        Step("kafka"),
        Step("postgres"),
    ]
    rng.shuffle(found)
    return [step._replace(more=rng.random() * 0.4, late_s=rng.uniform(0.1, 0.9)) for step in found]


def control_steps(seed: int) -> list[Step]:
    """For the negative controls, and the real build beside them: kills of the dossier inside the commit, on a backlog, so
    that a whole unit of some hundred entities is what a broken promise loses."""
    rng = random.Random(f"controls {seed}")
    places = ("after_outputs", "in_changelog")
    return [Step("backlog", "dossier", places[turn % 2], more=rng.random()) for turn in range(CONTROL_KILLS)]


def subscriber_moments(seed: int, events: int) -> list[int]:
    """Five moments, as numbers of events published, at which a subscriber begins from nothing."""
    rng = random.Random(f"subscribers {seed}")
    return sorted(rng.randrange(events // 20, events - events // 20) for _ in range(5))
