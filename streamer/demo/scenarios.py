"""Which stories the world has, and how often: one entity each, what is said and what must come of it side by side.

Not for: bad events (``streamer.demo.refusals``) or the many that mean nothing (``streamer.demo.background``). What a
story expects holds in whatever order different sources' events arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streamer.demo import counting, listings, procurement
from streamer.demo.story import Story, World

Scenario = Callable[[Story], None]

# name: (scenario, how many in a world of 50,000 events)
ORGANISATIONS: Final[dict[str, tuple[Scenario, int]]] = {
    function.__name__: (function, count)
    for function, count in (
        (listings.listed, 200),
        (listings.listed_twice_reported, 120),
        (listings.delisted, 50),
        (listings.delisted_on_a_later_day, 20),
        (listings.listing_withdrawn, 60),
        (listings.listing_withdrawn_before_it_came, 40),
        (listings.listing_expired, 40),
        (listings.listing_term_ended, 20),
        (listings.listing_over_on_arrival, 10),
        (listings.listing_not_yet_in_force, 30),
        (listings.listing_in_force_after_the_end, 10),
        (listings.listing_incomplete, 60),
        (listings.listing_completed, 30),
        (listings.listing_of_the_wrong_party, 30),
        (procurement.procurement_fine, 120),
        (procurement.procurement_ban, 100),
        (procurement.procurement_ban_ended, 30),
        (procurement.procurement_term_ended, 20),
        (procurement.procurement_withdrawn, 30),
        (procurement.procurement_corrected_down, 15),
        (procurement.procurement_corrected_up, 30),
        (procurement.procurement_below, 60),
        (procurement.procurement_undated, 20),
        (procurement.big_fine_elsewhere, 60),
        (procurement.unregistered_finance_office, 30),
        (counting.three_food_penalties, 60),
        (counting.three_food_penalties_one_withdrawn, 20),
        (counting.three_food_penalties_window_passes, 20),
        (counting.two_food_penalties_and_a_closure, 30),
        (counting.evasion_met, 40),
        (counting.evasion_met_by_two, 20),
        (counting.evasion_not_met, 30),
        (counting.five_quality_penalties, 40),
        (counting.five_quality_penalties_window_passes, 15),
        (counting.five_quality_penalties_one_minor, 20),
        (counting.same_decision_under_another_id, 100),
    )
}
INDIVIDUALS: Final[dict[str, tuple[Scenario, int]]] = {
    "individual_business_listed": (listings.individual_business_listed, 60)
}


def tell_all(world: World, scale: float) -> None:
    """Every scenario, as often as the world's size asks for and at least once."""
    for individual, scenarios in ((False, ORGANISATIONS), (True, INDIVIDUALS)):
        for name, (scenario, count) in scenarios.items():
            for _ in range(max(1, round(count * scale))):
                story = Story(world, name, individual=individual)
                scenario(story)
                story.end()
