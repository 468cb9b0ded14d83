"""What departments send all day and what means nothing more: plain penalties and documents, sent again, reported twice, of persons.

Not for: anything that raises an alert. No entity gets enough of one kind here to meet a criterion.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from streamer.demo import codes, messages, truth
from streamer.demo.codes import Entity
from streamer.demo.messages import (
    BINARY,
    COURT,
    CUSTOMS,
    DRUG,
    FINANCE,
    HOUSING,
    MARKET,
    QUALITY,
    STRUCTURED,
    TAX,
    Body,
)
from streamer.demo.story import PHASES, Story, World
from streamer.demo.truth import APPLIED, DUPLICATE, PARKED

FACTS_PER_ENTITY: Final = 2  # below every criterion's number
DUPLICATE_SHARE: Final = 0.04
WITNESS_SHARE: Final = 0.02
HOT_SHARE: Final = 0.04  # of all events are about one entity
PHASE_WEIGHTS: Final = (4, 2, 2, 2)


class Routine(NamedTuple):
    """One department's everyday document."""

    body: Body
    type: str
    fields: dict[str, Any]
    witness: str | None  # another source that may report the same


def _fine(amount_fen: int) -> list[dict[str, Any]]:
    return [{"kind": "fine", "amount_fen": amount_fen}]


ROUTINES: Final = (
    Routine(TAX, "decision.penalty", {"conduct": "tax.other", "outcomes": _fine(200_000)}, "market"),
    Routine(TAX, "document.recorded", {"kind": "tax-treatment"}, "customs"),
    Routine(CUSTOMS, "decision.penalty", {"conduct": "customs.misdeclare", "outcomes": _fine(900_000)}, None),
    Routine(COURT, "document.recorded", {"kind": "judgment"}, None),
    Routine(COURT, "document.recorded", {"kind": "breach-adjudicated"}, None),
    Routine(MARKET, "decision.penalty", {"conduct": "market.no-licence", "outcomes": [{"kind": "warning"}]}, "quality"),
    Routine(MARKET, "document.recorded", {"kind": "abnormal-list"}, "quality"),
    Routine(FINANCE, "decision.penalty", {"conduct": "proc.false-material", "outcomes": _fine(1_000_000)}, "market"),
    Routine(QUALITY, "decision.penalty", {"conduct": "quality.substandard", "outcomes": _fine(300_000)}, "market"),
    Routine(HOUSING, "decision.penalty", {"conduct": "housing.no-permit", "outcomes": _fine(50_000_000)}, None),
    Routine(DRUG, "decision.penalty", {"conduct": "drug.no-record", "outcomes": _fine(100_000)}, "market"),
    Routine(DRUG, "document.recorded", {"kind": "other"}, None),
)
HOT_ROUTINES: Final = tuple(r for r in ROUTINES if r.body.domain not in {"quality", "food-drug"})


def fill(world: World, n_events: int) -> None:
    """Everyday events until the world has ``n_events`` messages."""
    _persons(world, max(4, n_events // 200))
    hot = world.entity()
    world.truth.scenarios["hot_entity"] = 1
    for _ in range(min(max(20, round(n_events * HOT_SHARE)), max(0, n_events - world.truth.messages))):
        _routine(world, hot, world.random.choice(HOT_ROUTINES))
    entity, facts = world.entity(), 0
    while world.truth.messages < n_events:
        if facts == FACTS_PER_ENTITY:
            entity, facts = world.entity(), 0
        _routine(world, entity, world.random.choice(ROUTINES))
        facts += 1


def _routine(world: World, entity: Entity, routine: Routine) -> None:
    number = world.document_number(routine.body)
    data: dict[str, Any] = {
        "authority": messages.authority(routine.body),
        "document_number": number,
        "domain": routine.body.domain,
        "parties": [_party(world, entity)],
        "url": "http://ceshi.example.org/wenshu",
        "remarks": "虚构的文书，仅供演示。",
        **routine.fields,
    }
    if world.random.random() < 0.9:
        data["decided_on"] = world.day("2023-01-01", "2025-12-31")
    phase = world.random.choices(range(PHASES), PHASE_WEIGHTS)[0]
    event = messages.event(routine.body.source, routine.type, world.event_id(routine.body.source), data)
    _place(world, phase, entity, routine.body.source, event, APPLIED)
    if world.random.random() < DUPLICATE_SHARE:
        again = world.random.randrange(phase, PHASES)
        _place(world, again, entity, routine.body.source, event, DUPLICATE)
    if routine.witness and world.random.random() < WITNESS_SHARE * 2:
        other = messages.event(routine.witness, routine.type, world.event_id(routine.witness), data)
        _place(world, world.random.randrange(PHASES), entity, routine.witness, other, APPLIED)
        world.truth.witnesses += 1


def _place(world: World, phase: int, entity: Entity, source: str, event: dict[str, Any], fate: str) -> None:
    mode = BINARY if world.random.random() < 0.3 else STRUCTURED
    world.place(phase, [messages.encode(source, entity.org_code, event, mode)])
    world.truth.item(source, fate)


def _party(world: World, entity: Entity) -> dict[str, Any]:
    """The same entity by one of its identifiers, as different systems write them."""
    code = entity.org_code
    identifiers = world.random.choice(
        (
            {"uscc": entity.uscc},
            {"uscc": entity.uscc},
            {"uscc": entity.uscc, "organization_code": f"{code[:8]}-{code[8]}"},
            {"uscc": entity.uscc.lower()},
            {"uscc": "".join(chr(ord(char) + 0xFEE0) for char in entity.uscc)},
            {"organization_code": f"{code[:8]}-{code[8]}"},
            {"taxpayer_number": codes.DIVISION + code},
        )
    )
    return {"kind": "organisation", "identifiers": identifiers, "name": entity.name}


def _persons(world: World, count: int) -> None:
    """Persons wait, sealed, until identity is built; an organisation beside one goes on."""
    for number in range(count):
        story = Story(world, "person")
        body = world.random.choice((TAX, MARKET, COURT))
        document = world.document_number(body)
        person = {
            "kind": "person",
            "identifiers": {"citizen_number": codes.citizen_number(number)},
            "name": "虚构人" + codes.WORDS[number % 10],
        }
        beside = number % 3 == 0
        data = story.data(body, document, "2025-05-05")
        data["parties"] = [*data["parties"], person] if beside else [person]
        fates = (APPLIED, PARKED) if beside else (PARKED,)
        story.send(
            world.random.randrange(PHASES), body.source, "decision.penalty", data, *fates, reason=truth.UNRESOLVED
        )
        story.end()
