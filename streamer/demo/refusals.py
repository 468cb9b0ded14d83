"""Bad events, one defect each, with the reason each must end with; and what waits because a code cannot be confirmed.

Not for: how a refusal is found or explained. ``INTAKE`` and ``DOSSIER`` together name every reason that a sender can cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from streamer.demo import codes, messages
from streamer.demo.messages import CUSTOMS, FINANCE, MARKET, TAX, Body, Message
from streamer.demo.story import PHASES, Story, World
from streamer.demo.truth import APPLIED, DEAD, PARKED, UNRESOLVED

OVERSIZED_BYTES: Final = 600_000  # above the contract's limit for an event, below the broker's for a message
PARTIES_TOO_MANY: Final = 51
AWAITED_TOO_MANY: Final = 17

Refusal = Callable[[Story, str], None]


def penalty(story: Story, body: Body = MARKET, **more: Any) -> dict[str, Any]:
    return story.data(body, story.world.document_number(body), "2025-06-06", **more)


def dead(
    story: Story,
    reason: str,
    data: dict[str, Any],
    type_: str = "decision.penalty",
    source: str = "market",
    **more: Any,
) -> None:
    story.send(story.random.randrange(PHASES), source, type_, data, DEAD, reason=reason, **more)


def raw(story: Story, reason: str, value: bytes, headers: tuple[tuple[str, bytes], ...], source: str) -> None:
    """A message that is no event."""
    message = Message(source, story.entity.org_code.encode(), messages.STRUCTURED, value, headers)
    story.world.place(story.random.randrange(PHASES), [message])
    story.world.truth.item(source, DEAD, reason)


# ---------------------------------------------------------------- refused before anything dated is asked


def not_json(story: Story, reason: str) -> None:
    headers = (("content-type", b"application/cloudevents+json"),)
    source = story.random.choice(messages.BODIES).source
    raw(
        story,
        reason,
        story.random.choice((b"CF_WSH;CF_JDRQ\n", b"\xff\xfe{", b'{"specversion": "1.0", ')),
        headers,
        source,
    )


def not_cloudevents(story: Story, reason: str) -> None:
    row = {"CF_WSH": "测市监罚〔2025〕1号", "CF_JDRQ": "2025-05-05"}
    raw(story, reason, orjson.dumps(row), (), story.random.choice(messages.BODIES).source)


def unknown_type(story: Story, reason: str) -> None:
    dead(story, reason, penalty(story), "decision.rumour")


def type_not_open(story: Story, reason: str) -> None:
    """Customs may not list."""
    number = story.world.document_number(CUSTOMS)
    data = {**story.listing(number), "authority": messages.authority(CUSTOMS)}
    dead(story, reason, {**data, "domain": "customs"}, "decision.listing", "customs")


def source_mismatch(story: Story, reason: str) -> None:
    """The tax system's event on the topic of customs."""
    data = penalty(story, CUSTOMS)
    event = messages.event("tax", "decision.penalty", story.world.event_id("tax"), data)
    message = messages.encode("customs", story.entity.org_code, event, messages.STRUCTURED)
    story.world.place(story.random.randrange(PHASES), [message])
    story.world.truth.item("customs", DEAD, reason)


def schema(story: Story, reason: str) -> None:
    data = penalty(story)
    spoilt: tuple[dict[str, Any], ...] = (
        {name: value for name, value in data.items() if name != "document_number"},
        {**data, "severity": "high"},
        {**data, "outcomes": [{"kind": "fine", "amount_fen": "很多"}]},
        {**data, "parties": []},
    )
    dead(story, reason, story.random.choice(spoilt))


def impossible_date(story: Story, reason: str) -> None:
    dead(story, reason, {**penalty(story), "decided_on": story.random.choice(("2025-02-30", "2025-13-01"))})


def not_an_authority(story: Story, reason: str) -> None:
    dead(story, reason, {**penalty(story), "authority": {"name": "有关方面"}})


def not_a_document_number(story: Story, reason: str) -> None:
    dead(story, reason, {**penalty(story), "document_number": "2025年第1号文所附当事人情况说明"})


def identifiers_contradict(story: Story, reason: str) -> None:
    other = story.world.entity().org_code
    party = messages.party(story.entity)
    party["identifiers"]["organization_code"] = f"{other[:8]}-{other[8]}"
    dead(story, reason, {**penalty(story), "parties": [party]})


def citizen_number_in_field(story: Story, reason: str) -> None:
    number = codes.citizen_number(story.random.randrange(300))
    if story.random.random() < 0.5:
        dead(story, reason, penalty(story), event_id=number)
    else:
        dead(story, reason, {**penalty(story), "document_number": f"测市监罚{number}号"})


def personal_name_in_field(story: Story, reason: str) -> None:
    name = "虚构人" + story.random.choice(codes.WORDS)
    person = {"kind": "person", "identifiers": {}, "name": name}
    dead(story, reason, {**penalty(story), "parties": [person], "document_number": f"测市监罚{name}案1号"})


def oversized(story: Story, reason: str) -> None:
    dead(story, reason, {**penalty(story), "remarks": "虚" * (OVERSIZED_BYTES // 3)})


def too_many_parties(story: Story, reason: str) -> None:
    parties = [messages.party(story.world.entity()) for _ in range(PARTIES_TOO_MANY)]
    dead(story, reason, {**penalty(story), "parties": parties})


def party_repeated(story: Story, reason: str) -> None:
    """The second of one entity is refused, the first is accepted."""
    party = messages.party(story.entity)
    data = {**penalty(story), "parties": [party, party]}
    story.send(story.random.randrange(PHASES), "market", "decision.penalty", data, APPLIED, DEAD, reason=reason)


# ---------------------------------------------------------------- waiting for identity


def identity_unresolved(story: Story, reason: str) -> None:
    """Only a registration number, or nothing: it waits."""
    number = codes.registration_number(story.random.randrange(10**4))
    identifiers = story.random.choice(({"business_registration_number": number}, {}))
    parties = [{"kind": "organisation", "identifiers": identifiers, "name": story.entity.name}]
    data = {**penalty(story), "parties": parties}
    story.send(story.random.randrange(PHASES), "market", "decision.penalty", data, PARKED, reason=reason)


def identifier_check_failed(story: Story, reason: str) -> None:
    parties = [{"kind": "organisation", "identifiers": {"uscc": codes.wrong_check(story.entity.uscc)}}]
    data = {**penalty(story), "parties": parties}
    story.send(story.random.randrange(PHASES), "market", "decision.penalty", data, PARKED, reason=reason)


# ---------------------------------------------------------------- refused under the dated rows


def id_reused(story: Story, reason: str) -> None:
    """The same id with other content; the first stays."""
    phase = story.random.randrange(PHASES)
    identifier = story.send(phase, "market", "decision.penalty", penalty(story))
    story.send(phase, "market", "decision.penalty", penalty(story), DEAD, event_id=identifier, reason=reason)


def authority_unregistered(story: Story, reason: str) -> None:
    data = story.listing(story.world.document_number(TAX))
    dead(story, reason, {**data, "authority": {"name": "测试省测试县税务局"}}, "decision.listing", "tax")


def authority_not_competent(story: Story, reason: str) -> None:
    """The finance authority lists a tax violator, or the market authority decides on procurement."""
    if story.random.random() < 0.5:
        data = {**story.listing(story.world.document_number(FINANCE)), "domain": "procurement"}
        dead(story, reason, {**data, "authority": messages.authority(FINANCE)}, "decision.listing", "finance")
    else:
        dead(story, reason, penalty(story, conduct="proc.bribe"))


def list_unknown(story: Story, reason: str) -> None:
    data = story.listing(story.world.document_number(TAX), list="tax.somewhat-dishonest")
    dead(story, reason, data, "decision.listing", "tax")


def ground_unknown(story: Story, reason: str) -> None:
    data = story.listing(story.world.document_number(TAX), ground="tax.rudeness")
    dead(story, reason, data, "decision.listing", "tax")


def conduct_not_in_catalogue(story: Story, reason: str) -> None:
    dead(story, reason, penalty(story, conduct="loan.evade"))


def target_of_other_authority(story: Story, reason: str) -> None:
    """The market authority withdraws what the tax authority decided: the listing stands."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    story.send(phase, "tax", "decision.listing", story.listing(number))
    data = story.end_of(MARKET, target=story.target(TAX, number, "listing"))
    story.send(phase, "market", "withdrawal", data, DEAD, reason=reason)
    story.expect("tax.major-dishonest", number)


def target_is_an_end(story: Story, reason: str) -> None:
    """A delisting is withdrawn by its id: it ended the listing, and that stays."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    story.send(phase, "tax", "decision.listing", story.listing(number))
    off = {"document_number": number}
    data = story.end_of(TAX, list="tax.major-dishonest", listing=off, cause="performed", effective_on="2026-01-02")
    identifier = story.send(phase, "tax", "decision.delisting", data)
    story.send(phase, "tax", "withdrawal", story.end_of(TAX, target={"id": identifier}), DEAD, reason=reason)
    story.expect("tax.major-dishonest", number, "delisted")


def too_many_open_entries(story: Story, reason: str) -> None:
    """Withdrawals of an event that never comes: so many may wait, one more may not."""
    phase, target = story.random.randrange(PHASES), story.world.event_id("tax")
    for turn in range(AWAITED_TOO_MANY):
        fate = DEAD if turn == AWAITED_TOO_MANY - 1 else APPLIED
        story.send(phase, "tax", "withdrawal", story.end_of(TAX, target={"id": target}), fate, reason=reason)


def version_conflict(story: Story, reason: str) -> None:
    """The same version of the same decision with another amount; the first stays."""
    phase, data = story.random.randrange(PHASES), penalty(story, outcomes=[{"kind": "fine", "amount_fen": 100}])
    story.send(phase, "market", "decision.penalty", data)
    other = {**data, "outcomes": [{"kind": "fine", "amount_fen": 200}]}
    story.send(phase, "market", "decision.penalty", other, DEAD, reason=reason)


INTAKE: Final[tuple[Refusal, ...]] = (
    not_json,
    not_cloudevents,
    unknown_type,
    type_not_open,
    source_mismatch,
    schema,
    impossible_date,
    not_an_authority,
    not_a_document_number,
    identifiers_contradict,
    citizen_number_in_field,
    personal_name_in_field,
    oversized,
    too_many_parties,
    party_repeated,
)
WAITING: Final[tuple[Refusal, ...]] = (identity_unresolved, identifier_check_failed)
DOSSIER: Final[tuple[Refusal, ...]] = (
    id_reused,
    authority_unregistered,
    authority_not_competent,
    list_unknown,
    ground_unknown,
    conduct_not_in_catalogue,
    target_of_other_authority,
    target_is_an_end,
    too_many_open_entries,
    version_conflict,
)
EACH: Final = 12  # of each reason in a world of 50,000 events
assert identity_unresolved.__name__ == UNRESOLVED


def tell_all(world: World, scale: float) -> None:
    """Every reason, as often as the world's size asks for and at least once."""
    for refusal in (*INTAKE, *WAITING, *DOSSIER):
        for _ in range(2 if refusal is oversized else max(1, round(EACH * scale))):
            story = Story(world, refusal.__name__)
            refusal(story, refusal.__name__)
            story.end()
