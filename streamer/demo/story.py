"""A story: one entity, what the departments say about it and when, and what must come of it. The scenarios tell stories.

Not for: which stories there are (``streamer.demo.scenarios``, ``streamer.demo.refusals``).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from streamer.demo import messages, truth
from streamer.demo.codes import Entity, individual_business, organisation
from streamer.demo.messages import BINARY, STRUCTURED, Body, Message
from streamer.demo.truth import ExpectedAlert, ExpectedNotice, Truth

# The simulated calendar: the clock of each phase. The last phase is a tick alone.
CLOCKS: Final = tuple(map(date.fromisoformat, ("2026-01-05", "2026-02-02", "2026-03-02", "2026-04-01", "2026-05-06")))
PHASES: Final = len(CLOCKS) - 1  # phases with events
BINARY_SHARE: Final = 0.3

# What an entry of each list means, as the invented rulebook has it: rule and domain.
MEANS: Final = {
    "tax.major-dishonest": (
        ("test.proc.refuse.tax", "procurement"),
        ("test.qual.limit.tax", "qualification"),
        ("test.sup.focus.tax", "supervision"),
    ),
    "procurement.serious": (
        ("test.proc.refuse.serious", "procurement"),
        ("test.qual.limit.serious", "qualification"),
        ("test.sup.focus.serious", "supervision"),
    ),
}


class World:
    """All that is being made: the truth, and each phase's messages with the place they get in it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  a world that can be made again, no secret
        self.truth = Truth(seed=seed, clock=CLOCKS[0].isoformat())
        self.placed: list[list[tuple[float, int, Message]]] = [[] for _ in range(PHASES)]
        self._entities = 0
        self._documents = 0
        self._ids = 0

    def entity(self, *, individual: bool = False) -> Entity:
        self._entities += 1
        return individual_business(self._entities) if individual else organisation(self._entities)

    def document_number(self, body: Body) -> str:
        self._documents += 1
        return f"{body.mark}罚〔2025〕{self._documents}号"

    def event_id(self, source: str) -> str:
        self._ids += 1
        return f"{source}-{self._ids:07d}"

    def day(self, first: str, last: date | str) -> str:
        """A date between two, both included."""
        begin = date.fromisoformat(first)
        end = date.fromisoformat(last) if isinstance(last, str) else last
        return (begin + timedelta(days=self.random.randint(0, (end - begin).days))).isoformat()

    def place(self, phase: int, batch: Iterable[Message]) -> None:
        """Put messages somewhere into a phase, in the order given."""
        found = list(batch)
        for at, message in zip(sorted(self.random.random() for _ in found), found, strict=True):
            self.placed[phase].append((at, self.truth.messages, message))
            self.truth.messages += 1


class Story:
    """What happens around one entity. Messages of one phase keep their order; ``end`` gives them to the world."""

    def __init__(self, world: World, name: str, *, individual: bool = False) -> None:
        self.world, self.random = world, world.random
        self.entity = world.entity(individual=individual)
        self.kind = "individual_business" if individual else "organisation"
        self._phases: list[list[Message]] = [[] for _ in CLOCKS]
        world.truth.scenarios[name] = world.truth.scenarios.get(name, 0) + 1

    def end(self) -> None:
        for phase, batch in enumerate(self._phases):
            if batch:
                self.world.place(phase, batch)

    # ------------------------------------------------------------ what is said

    def send(
        self,
        phase: int,
        source: str,
        type_: str,
        data: Mapping[str, Any],
        *fates: str,
        event_id: str = "",
        reason: str = "",
    ) -> str:
        """An event, and the fate of each of its items (one if none is given: applied). Returns its id."""
        identifier = event_id or self.world.event_id(source)
        mode = BINARY if self.random.random() < BINARY_SHARE else STRUCTURED
        content = messages.event(source, type_, identifier, data)
        self._phases[phase].append(messages.encode(source, self.entity.org_code, content, mode))
        for fate in fates or (truth.APPLIED,):
            self.world.truth.item(source, fate, reason if fate in {truth.DEAD, truth.PARKED} else "")
        return identifier

    def data(self, body: Body, document_number: str, decided_on: str | None = None, **more: Any) -> dict[str, Any]:
        """The common fields: this authority about this entity."""
        data: dict[str, Any] = {
            "authority": messages.authority(body),
            "document_number": document_number,
            "domain": body.domain,
            "parties": [messages.party(self.entity, self.kind)],
        }
        if decided_on is not None:
            data["decided_on"] = decided_on
        return {**data, **more}

    def listing(self, document_number: str, **fields: Any) -> dict[str, Any]:
        """A complete tax listing, in force from the world's first day on; ``fields`` replace, None removes."""
        decided = self.world.day("2025-03-01", "2025-11-30")
        published = (date.fromisoformat(decided) + timedelta(days=self.random.randint(5, 30))).isoformat()
        data = self.data(
            messages.TAX,
            document_number,
            decided,
            list="tax.major-dishonest",
            ground=self.random.choice(("tax.evasion", "tax.false-special-invoice", "tax.export-refund-fraud")),
            based_on=[
                {
                    "authority": messages.authority(messages.TAX),
                    "document_number": self.world.document_number(messages.TAX),
                }
            ],
            notice_served_on=(date.fromisoformat(decided) - timedelta(days=20)).isoformat(),
            remedies_closed=True,
            effective_on=published,
            published_on=published,
            url="http://ceshi.example.org/gongbu",
        )
        if self.random.random() < 0.5:
            data |= {"until": self.world.day("2027-01-01", "2028-06-30"), "until_basis": "决定书"}
        return {name: value for name, value in {**data, **fields}.items() if value is not None}

    def end_of(self, body: Body, **more: Any) -> dict[str, Any]:
        """A document that is about an earlier one: the common fields with a number of its own."""
        return self.data(body, self.world.document_number(body), **more)

    def target(self, body: Body, document_number: str, kind: str) -> dict[str, Any]:
        return {"authority": messages.authority(body), "document_number": document_number, "kind": kind}

    # ------------------------------------------------------------ what must come of it

    def expect(
        self, list_id: str, document_number: str, cause: str | None = None, entity: Entity | None = None
    ) -> None:
        """The alerts of an entry: open at the end, or lifted for this cause."""
        org_code = (entity or self.entity).org_code
        action = truth.RAISED if cause is None else truth.LIFTED
        for rule_id, domain in MEANS[list_id]:
            self.world.truth.alert(ExpectedAlert(org_code, list_id, document_number, rule_id, domain, action, cause))

    def expect_manage(self, rule_id: str, cause: str | None = None) -> None:
        """The alert of a criterion to the supervision domain."""
        action = truth.RAISED if cause is None else truth.LIFTED
        self.world.truth.alert(
            ExpectedAlert(self.entity.org_code, rule_id, None, rule_id, "supervision", action, cause)
        )

    def expect_notice(
        self, rule_id: str, kind: str, source: str, action: str, document_number: str | None = None
    ) -> None:
        self.world.truth.notices.append(
            ExpectedNotice(self.entity.org_code, document_number, rule_id, source, kind, action)
        )
