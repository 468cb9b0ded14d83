"""What several scenarios do alike: choose a phase or a date, correct a decision.

Not for: what must come of it (each scenario says that itself).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from streamer.demo.codes import Entity
from streamer.demo.messages import Body
from streamer.demo.story import CLOCKS, PHASES, Story

YEAR: Final = timedelta(days=365)
DAY: Final = timedelta(days=1)


def later(story: Story, phase: int = 0) -> int:
    """This phase or a later one."""
    return story.random.randint(phase, PHASES - 1)


def between_ticks(story: Story, phase: int) -> date:
    """A date that the clock has not passed in ``phase`` and has passed after the next tick."""
    days = (CLOCKS[phase + 1] - CLOCKS[phase]).days
    return CLOCKS[phase] + timedelta(days=story.random.randrange(days))


def years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years)  # no scenario date is 29 February


def correction(
    story: Story, body: Body, number: str, kind: str, whole: dict[str, Any], version: int = 2
) -> dict[str, Any]:
    target = story.target(body, number, kind)
    return story.end_of(body, target=target, kind=kind, version=version, replacement=whole)


def replacement(data: dict[str, Any]) -> dict[str, Any]:
    """The body of a decision without the common fields that a correction has itself."""
    common = {"authority", "document_number", "domain", "parties", "url", "remarks", "version"}
    return {name: value for name, value in data.items() if name not in common}


def named(entity: Entity) -> dict[str, Any]:
    return {"identifiers": {"uscc": entity.uscc}, "name": entity.name}
