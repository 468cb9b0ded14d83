"""Stories of the procurement list, where the penalty itself is the entry, and of big penalties that are none.

Not for: corrections and withdrawals of listings (``streamer.demo.listings``).
"""

from __future__ import annotations

from typing import Any, Final

from streamer.demo.messages import FINANCE, HOUSING, MARKET
from streamer.demo.moves import DAY, YEAR, between_ticks, correction, later, replacement, years_before
from streamer.demo.story import PHASES, Story
from streamer.demo.truth import SUPERSEDED

PROCUREMENT_LIST: Final = "procurement.serious"
BIG_FINE_FEN: Final = 3_000_000  # 30,000 yuan


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
