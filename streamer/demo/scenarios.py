"""Scenarios about one entity each: what is said, and what must come of it, stated side by side.

Not for: bad events (``streamer.demo.refusals``) or the many that mean nothing (``streamer.demo.background``). Each scenario has an
entity of its own, and what it expects holds in whatever order different sources' events arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

from streamer.demo.messages import DRUG, FINANCE, HOUSING, MARKET, QUALITY, TAX, Body
from streamer.demo.story import CLOCKS, PHASES, Story, World
from streamer.demo.truth import APPLIED, CLOSED, DUPLICATE, RAISED, SUPERSEDED

TAX_LIST: Final = "tax.major-dishonest"
PROCUREMENT_LIST: Final = "procurement.serious"
FOOD_RULE: Final = "test.food.three-in-year"
QUALITY_RULE: Final = "test.quality.five-in-year"
EVASION_RULE: Final = "test.tax.evasion-amount"
YEAR: Final = timedelta(days=365)
DAY: Final = timedelta(days=1)
BIG_FINE_FEN: Final = 3_000_000  # 30,000 yuan

Scenario = Callable[[Story], None]


def later(story: Story, phase: int = 0) -> int:
    """This phase or a later one."""
    return story.random.randint(phase, PHASES - 1)


def between_ticks(story: Story, phase: int) -> date:
    """A date that the clock has not passed in ``phase`` and has passed after the next tick."""
    days = (CLOCKS[phase + 1] - CLOCKS[phase]).days
    return CLOCKS[phase] + timedelta(days=story.random.randrange(days))


def years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years)  # no scenario date is 29 February


# ---------------------------------------------------------------- listings


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


def correction(
    story: Story, body: Body, number: str, kind: str, whole: dict[str, Any], version: int = 2
) -> dict[str, Any]:
    target = story.target(body, number, kind)
    return story.end_of(body, target=target, kind=kind, version=version, replacement=whole)


def replacement(data: dict[str, Any]) -> dict[str, Any]:
    """The body of a decision without the common fields that a correction has itself."""
    common = {"authority", "document_number", "domain", "parties", "url", "remarks", "version"}
    return {name: value for name, value in data.items() if name not in common}


def named(entity: Any) -> dict[str, Any]:
    return {"identifiers": {"uscc": entity.uscc}, "name": entity.name}


# ---------------------------------------------------------------- procurement: the penalty is the entry


def procurement_penalty(story: Story, number: str, decided: str | None, **more: Any) -> dict[str, Any]:
    outcomes = more.pop("outcomes", [{"kind": "fine", "amount_fen": BIG_FINE_FEN + story.random.randrange(10**7)}])
    return story.data(FINANCE, number, decided, conduct="proc.collude", outcomes=outcomes, publicity="serious", **more)


def procurement_fine(story: Story) -> None:
    number = story.world.document_number(FINANCE)
    data = procurement_penalty(story, number, story.world.day("2024-06-01", "2025-12-31"))
    story.send(later(story), "finance", "decision.penalty", data)
    story.expect(PROCUREMENT_LIST, number)


def procurement_ban(story: Story) -> None:
    """A ban of more than a year without a fine, still running; another department reports it, too."""
    number = story.world.document_number(FINANCE)
    ban = [{"kind": "procurement-ban", "from": "2025-10-01", "to": story.world.day("2026-10-01", "2028-09-30")}]
    data = procurement_penalty(story, number, "2025-09-20", outcomes=ban)
    story.send(later(story), "finance", "decision.penalty", data)
    story.send(later(story), "market", "decision.penalty", data)
    story.world.truth.witnesses += 1
    story.expect(PROCUREMENT_LIST, number)


def procurement_ban_ended(story: Story) -> None:
    """The ban's last day passes with a tick; the fine beside it keeps nothing alive."""
    number, phase = story.world.document_number(FINANCE), story.random.randrange(PHASES)
    until = between_ticks(story, phase)
    ban = {"kind": "procurement-ban", "from": (until - 2 * YEAR).isoformat(), "to": until.isoformat()}
    fine = {"kind": "fine", "amount_fen": BIG_FINE_FEN}
    outcomes = [ban, fine] if story.random.random() < 0.5 else [ban]
    data = procurement_penalty(story, number, (until - 2 * YEAR).isoformat(), outcomes=outcomes)
    story.send(phase, "finance", "decision.penalty", data)
    story.expect(PROCUREMENT_LIST, number, "expired")


def procurement_term_ended(story: Story) -> None:
    """A fine alone: the row's term, 3 years from the decision, passes with a tick."""
    number, phase = story.world.document_number(FINANCE), story.random.randrange(PHASES)
    decided = years_before(between_ticks(story, phase) + DAY, 3).isoformat()
    story.send(phase, "finance", "decision.penalty", procurement_penalty(story, number, decided))
    story.expect(PROCUREMENT_LIST, number, "expired")


def procurement_withdrawn(story: Story) -> None:
    number, phase = story.world.document_number(FINANCE), story.random.randrange(PHASES)
    data = procurement_penalty(story, number, story.world.day("2024-06-01", "2025-12-31"))
    story.send(phase, "finance", "decision.penalty", data)
    target = story.target(FINANCE, number, "penalty")
    story.send(later(story, phase), "finance", "withdrawal", story.end_of(FINANCE, target=target))
    story.expect(PROCUREMENT_LIST, number, "withdrawn")


def procurement_corrected_down(story: Story) -> None:
    """The corrected fine is below the line: it is an entry no longer."""
    number, phase = story.world.document_number(FINANCE), story.random.randrange(PHASES)
    data = procurement_penalty(story, number, "2025-08-08")
    story.send(phase, "finance", "decision.penalty", data)
    less = {**replacement(data), "outcomes": [{"kind": "fine", "amount_fen": BIG_FINE_FEN - 1}]}
    story.send(later(story, phase), "finance", "correction", correction(story, FINANCE, number, "penalty", less))
    story.expect(PROCUREMENT_LIST, number, "superseded")


def procurement_corrected_up(story: Story) -> None:
    """The corrected fine is above the line; the first version, sent again late, is history."""
    number, phase = story.world.document_number(FINANCE), story.random.randrange(PHASES)
    data = procurement_penalty(story, number, "2025-08-08")
    more = correction(story, FINANCE, number, "penalty", replacement(data))
    less = {**data, "outcomes": [{"kind": "fine", "amount_fen": 100_000}]}
    story.send(phase, "finance", "decision.penalty", less)
    story.send(phase, "finance", "correction", more)
    story.send(later(story, phase), "finance", "decision.penalty", less, SUPERSEDED)
    story.expect(PROCUREMENT_LIST, number)


def procurement_below(story: Story) -> None:
    """A fen less than the line, or a ban a day short of a year: nothing."""
    number = story.world.document_number(FINANCE)
    fine = [{"kind": "fine", "amount_fen": BIG_FINE_FEN - 1}]
    ban = [{"kind": "procurement-ban", "from": "2026-01-02", "to": "2026-12-31"}]
    data = procurement_penalty(story, number, "2025-12-20", outcomes=story.random.choice((fine, ban)))
    story.send(later(story), "finance", "decision.penalty", data)


def procurement_undated(story: Story) -> None:
    """A big fine without a decision date: kept with an unknown date, triggers nothing."""
    number = story.world.document_number(FINANCE)
    story.send(later(story), "finance", "decision.penalty", procurement_penalty(story, number, None))


def big_fine_elsewhere(story: Story) -> None:
    """A penalty that no row names as an entry restricts nothing, whatever its size."""
    body = story.random.choice((HOUSING, MARKET))
    number = story.world.document_number(body)
    outcomes = [
        {"kind": "fine", "amount_fen": 10**11},
        {"kind": "procurement-ban", "from": "2026-01-01", "to": "2028-12-31"},
    ]
    data = story.data(body, number, "2025-12-20", outcomes=outcomes, publicity="serious")
    story.send(later(story), body.source, "decision.penalty", data)


def unregistered_finance_office(story: Story) -> None:
    """A finance office that the rulebook does not know: recorded under its name, triggers nothing."""
    number = story.world.document_number(FINANCE)
    data = story.data(FINANCE, number, "2025-12-20", outcomes=[{"kind": "fine", "amount_fen": 10**9}])
    data["authority"] = {"name": "测试省测试县财政局"}
    story.send(later(story), "finance", "decision.penalty", data)


# ---------------------------------------------------------------- criteria over running counters


def food_penalty(story: Story, decided: str) -> tuple[str, dict[str, Any]]:
    number = story.world.document_number(DRUG)
    fine = [{"kind": "fine", "amount_fen": 1_000_000}]
    return number, story.data(DRUG, number, decided, conduct="food.substandard", outcomes=fine, publicity="general")


def three_food_penalties(story: Story) -> None:
    """Three in a year: the regulator is asked to consider. One is reported twice and counts once."""
    for turn in range(3):
        _, data = food_penalty(story, story.world.day("2025-06-01", "2025-12-31"))
        story.send(later(story), "drug", "decision.penalty", data)
        if turn == 0:
            story.send(later(story), "market", "decision.penalty", data)
            story.world.truth.witnesses += 1
    story.expect_notice(FOOD_RULE, "consider", "market", RAISED)


def three_food_penalties_one_withdrawn(story: Story) -> None:
    phase = story.random.randrange(PHASES)
    numbers = []
    for _ in range(3):
        number, data = food_penalty(story, story.world.day("2025-06-01", "2025-12-31"))
        story.send(phase, "drug", "decision.penalty", data)
        numbers.append(number)
    target = story.target(DRUG, story.random.choice(numbers), "penalty")
    story.send(later(story, phase), "drug", "withdrawal", story.end_of(DRUG, target=target))
    story.expect_notice(FOOD_RULE, "consider", "market", CLOSED)


def three_food_penalties_window_passes(story: Story) -> None:
    """The first of three leaves the window of 365 days with a tick."""
    phase = story.random.randrange(PHASES)
    first = between_ticks(story, phase) + DAY - YEAR
    for decided in (first.isoformat(), "2025-08-01", "2025-09-01"):
        _, data = food_penalty(story, decided)
        story.send(phase, "drug", "decision.penalty", data)
    story.expect_notice(FOOD_RULE, "consider", "market", CLOSED)


def two_food_penalties_and_a_closure(story: Story) -> None:
    """The third closes the business: the article counts only other penalties. Nothing."""
    for kind in ("fine", "warning", "suspension"):
        number = story.world.document_number(DRUG)
        data = story.data(DRUG, number, story.world.day("2025-06-01", "2025-12-31"), outcomes=[{"kind": kind}])
        story.send(later(story), "drug", "decision.penalty", data)


def tax_evasion(story: Story, amount_fen: int, share_permille: int) -> None:
    number = story.world.document_number(TAX)
    data = story.data(
        TAX,
        number,
        story.world.day("2025-01-01", "2025-12-31"),
        conduct="tax.evasion",
        assessed=[{"year": 2024, "amount_fen": amount_fen, "share_permille": share_permille}],
        outcomes=[{"kind": "fine", "amount_fen": amount_fen // 2}],
        basis=[{"instrument": "《测试省税收征收管理办法》", "article": "第六十三条"}],
    )
    story.send(later(story), "tax", "decision.penalty", data)


def evasion_met(story: Story) -> None:
    """Amount and share as in the article: the tax authority is asked to consider. No listing, no alert."""
    tax_evasion(story, 10**8 + story.random.randrange(10**9), story.random.randint(100, 900))
    story.expect_notice(EVASION_RULE, "consider", "tax", RAISED)


def evasion_met_by_two(story: Story) -> None:
    """Two decisions within the window together."""
    tax_evasion(story, 6 * 10**7, 150)
    tax_evasion(story, 4 * 10**7, 100)
    story.expect_notice(EVASION_RULE, "consider", "tax", RAISED)


def evasion_not_met(story: Story) -> None:
    """A large amount with a small share, a large share of a small amount: nothing."""
    tax_evasion(story, 10**10, 99)
    tax_evasion(story, 10**8 - 1, 500)


def quality_penalty(story: Story, decided: str) -> tuple[str, dict[str, Any]]:
    number = story.world.document_number(QUALITY)
    fine = [{"kind": "fine", "amount_fen": 500_000}]
    return number, story.data(QUALITY, number, decided, conduct="quality.substandard", outcomes=fine)


def five_quality_penalties(story: Story) -> None:
    """A signed manage row: more frequent inspection."""
    for _ in range(5):
        _, data = quality_penalty(story, story.world.day("2025-06-01", "2025-12-31"))
        story.send(later(story), "quality", "decision.penalty", data)
    story.expect_manage(QUALITY_RULE)


def five_quality_penalties_window_passes(story: Story) -> None:
    phase = story.random.randrange(PHASES)
    first = between_ticks(story, phase) + DAY - YEAR
    for decided in (first.isoformat(), *[story.world.day("2025-06-01", "2025-12-31") for _ in range(4)]):
        _, data = quality_penalty(story, decided)
        story.send(phase, "quality", "decision.penalty", data)
    story.expect_manage(QUALITY_RULE, "criterion-ended")


def five_quality_penalties_one_minor(story: Story) -> None:
    """A minor one counts nowhere: nothing."""
    for turn in range(5):
        _, data = quality_penalty(story, story.world.day("2025-06-01", "2025-12-31"))
        minor = {"publicity": "minor"} if turn == 0 else {}
        story.send(later(story), "quality", "decision.penalty", {**data, **minor})


def same_decision_under_another_id(story: Story) -> None:
    """The same source reports the same decision again under a new id: a duplicate."""
    _, data = quality_penalty(story, "2025-05-05")
    story.send(later(story), "quality", "decision.penalty", data)
    story.send(later(story), "quality", "decision.penalty", data, DUPLICATE)


# name: (scenario, how many in a world of 50,000 events)
ORGANISATIONS: Final[dict[str, tuple[Scenario, int]]] = {
    function.__name__: (function, count)
    for function, count in (
        (listed, 200),
        (listed_twice_reported, 120),
        (delisted, 50),
        (delisted_on_a_later_day, 20),
        (listing_withdrawn, 60),
        (listing_withdrawn_before_it_came, 40),
        (listing_expired, 40),
        (listing_term_ended, 20),
        (listing_over_on_arrival, 10),
        (listing_not_yet_in_force, 30),
        (listing_in_force_after_the_end, 10),
        (listing_incomplete, 60),
        (listing_completed, 30),
        (listing_of_the_wrong_party, 30),
        (procurement_fine, 120),
        (procurement_ban, 100),
        (procurement_ban_ended, 30),
        (procurement_term_ended, 20),
        (procurement_withdrawn, 30),
        (procurement_corrected_down, 15),
        (procurement_corrected_up, 30),
        (procurement_below, 60),
        (procurement_undated, 20),
        (big_fine_elsewhere, 60),
        (unregistered_finance_office, 30),
        (three_food_penalties, 60),
        (three_food_penalties_one_withdrawn, 20),
        (three_food_penalties_window_passes, 20),
        (two_food_penalties_and_a_closure, 30),
        (evasion_met, 40),
        (evasion_met_by_two, 20),
        (evasion_not_met, 30),
        (five_quality_penalties, 40),
        (five_quality_penalties_window_passes, 15),
        (five_quality_penalties_one_minor, 20),
        (same_decision_under_another_id, 100),
    )
}
INDIVIDUALS: Final[dict[str, tuple[Scenario, int]]] = {"individual_business_listed": (individual_business_listed, 60)}


def tell_all(world: World, scale: float) -> None:
    """Every scenario, as often as the world's size asks for and at least once."""
    for individual, scenarios in ((False, ORGANISATIONS), (True, INDIVIDUALS)):
        for name, (scenario, count) in scenarios.items():
            for _ in range(max(1, round(count * scale))):
                story = Story(world, name, individual=individual)
                scenario(story)
                story.end()
