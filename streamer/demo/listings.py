"""Stories of the tax list: a listing decision is the entry. Each says what must come of it.

Not for: refused listings (``streamer.demo.refusals``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from streamer.demo.messages import TAX
from streamer.demo.moves import DAY, between_ticks, correction, later, named, replacement, years_before
from streamer.demo.story import CLOCKS, PHASES, Story
from streamer.demo.truth import APPLIED, CLOSED, RAISED

TAX_LIST: Final = "tax.major-dishonest"


def listed(story: Story) -> None:
    """A complete listing in force."""
    number = story.world.document_number(TAX)
    story.send(later(story), "tax", "decision.listing", story.listing(number))
    story.expect(TAX_LIST, number)


def listed_twice_reported(story: Story) -> None:
    """A second department reports the same listing decision, in another spelling of its number."""
    number = story.world.document_number(TAX)
    data = story.listing(number)
    story.send(later(story), "tax", "decision.listing", data)
    other = {**data, "document_number": number.replace("〔", "[").replace("〕", "]").replace("1", "１")}
    story.send(later(story), "market", "decision.listing", other)
    story.world.truth.witnesses += 1
    story.expect(TAX_LIST, number)


def delisted(story: Story) -> None:
    """Listed, then taken off by the authority: by the listing's id, or by its number."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    identifier = story.send(phase, "tax", "decision.listing", story.listing(number))
    off = later(story, phase)
    named = {"id": identifier} if story.random.random() < 0.5 else {"document_number": number}
    on = story.world.day("2026-01-01", CLOCKS[off])
    data = story.end_of(TAX, list=TAX_LIST, listing=named, cause="performed", effective_on=on, decided_on=on)
    story.send(off, "tax", "decision.delisting", data)
    story.expect(TAX_LIST, number, "delisted")


def delisted_on_a_later_day(story: Story) -> None:
    """The delisting takes effect on a day that the next tick brings."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    story.send(phase, "tax", "decision.listing", story.listing(number))
    data = story.end_of(
        TAX,
        list=TAX_LIST,
        listing={"document_number": number},
        cause="repaired",
        effective_on=(between_ticks(story, phase) + DAY).isoformat(),
    )
    story.send(phase, "tax", "decision.delisting", data)
    story.expect(TAX_LIST, number, "delisted")


def listing_withdrawn(story: Story) -> None:
    """Listed, then the decision is withdrawn: by id, or by its natural key."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    identifier = story.send(phase, "tax", "decision.listing", story.listing(number))
    target = {"id": identifier} if story.random.random() < 0.5 else story.target(TAX, number, "listing")
    story.send(later(story, phase), "tax", "withdrawal", story.end_of(TAX, target=target, cause="revoked"))
    story.expect(TAX_LIST, number, "withdrawn")


def listing_withdrawn_before_it_came(story: Story) -> None:
    """The withdrawal arrives first: nothing is ever raised."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    identifier = story.world.event_id("tax")
    target = {"id": identifier} if story.random.random() < 0.5 else story.target(TAX, number, "listing")
    story.send(phase, "tax", "withdrawal", story.end_of(TAX, target=target, cause="revoked"))
    story.send(later(story, phase), "tax", "decision.listing", story.listing(number), event_id=identifier)


def listing_expired(story: Story) -> None:
    """The decision's own last day passes with a tick."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    until = between_ticks(story, phase).isoformat()
    story.send(phase, "tax", "decision.listing", story.listing(number, until=until, until_basis="决定书"))
    story.expect(TAX_LIST, number, "expired")


def listing_term_ended(story: Story) -> None:
    """No end is stated: the row's term, 3 years from publication, passes with a tick."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    published = years_before(between_ticks(story, phase) + DAY, 3)
    data = story.listing(
        number,
        decided_on=(published - timedelta(days=9)).isoformat(),
        notice_served_on=(published - timedelta(days=30)).isoformat(),
        published_on=published.isoformat(),
        effective_on=published.isoformat(),
        until=None,
        until_basis=None,
    )
    story.send(phase, "tax", "decision.listing", data)
    story.expect(TAX_LIST, number, "expired")


def listing_over_on_arrival(story: Story) -> None:
    """Its last day had passed before it came: nothing is raised."""
    number = story.world.document_number(TAX)
    data = story.listing(number, until=story.world.day("2025-12-31", "2026-01-04"), until_basis="决定书")
    story.send(later(story), "tax", "decision.listing", data)


def listing_not_yet_in_force(story: Story) -> None:
    """Published now, in force on a day that a tick brings."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    on = (between_ticks(story, phase) + DAY).isoformat()
    story.send(phase, "tax", "decision.listing", story.listing(number, effective_on=on))
    story.expect(TAX_LIST, number)


def listing_in_force_after_the_end(story: Story) -> None:
    """In force on a day that no tick of this world reaches: nothing is raised."""
    number = story.world.document_number(TAX)
    story.send(later(story), "tax", "decision.listing", story.listing(number, effective_on="2026-07-01"))


def listing_incomplete(story: Story) -> None:
    """A requirement is lacking: no alert, one notice to the source."""
    number = story.world.document_number(TAX)
    field, kind = story.random.choice(
        (
            ("notice_served_on", "notice-not-served"),
            ("published_on", "not-published"),
            ("remedies_closed", "remedies-open"),
        )
    )
    story.send(later(story), "tax", "decision.listing", story.listing(number, **{field: None}))
    story.expect_notice(TAX_LIST, kind, "tax", RAISED, number)


def listing_completed(story: Story) -> None:
    """Incomplete first; a correction of the same party completes it: the notice closes, the alerts go out."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    whole = story.listing(number)
    story.send(phase, "tax", "decision.listing", {k: v for k, v in whole.items() if k != "notice_served_on"})
    data = correction(story, TAX, number, "listing", replacement(whole))
    story.send(later(story, phase), "tax", "correction", data)
    story.expect_notice(TAX_LIST, "notice-not-served", "tax", CLOSED, number)
    story.expect(TAX_LIST, number)


def listing_of_the_wrong_party(story: Story) -> None:
    """A correction says that another entity was meant: lifted there, raised here."""
    number, phase = story.world.document_number(TAX), story.random.randrange(PHASES)
    whole = story.listing(number)
    story.send(phase, "tax", "decision.listing", whole)
    right = story.world.entity()
    data = correction(story, TAX, number, "listing", replacement(whole))
    data |= {"original_party": data["parties"][0], "parties": [{**data["parties"][0], **named(right)}]}
    story.send(later(story, phase), "tax", "correction", data, APPLIED, APPLIED)
    story.expect(TAX_LIST, number, "withdrawn")
    story.expect(TAX_LIST, number, entity=right)


def individual_business_listed(story: Story) -> None:
    """An individual business (个体工商户): recorded, nothing goes out."""
    number = story.world.document_number(TAX)
    story.send(later(story), "tax", "decision.listing", story.listing(number))
