"""Stories of criteria over running counters: three in a year, an amount with its share, five of one field.

Not for: restricting anyone; what comes of these is a notice, or a manage alert.
"""

from __future__ import annotations

from typing import Any, Final

from streamer.demo.messages import DRUG, QUALITY, TAX
from streamer.demo.moves import DAY, YEAR, between_ticks, later
from streamer.demo.story import PHASES, Story
from streamer.demo.truth import CLOSED, DUPLICATE, RAISED

FOOD_RULE: Final = "test.food.three-in-year"
QUALITY_RULE: Final = "test.quality.five-in-year"
EVASION_RULE: Final = "test.tax.evasion-amount"


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
