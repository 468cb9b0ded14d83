"""What an event may say within its schema, however absurd, never stops a partition: it is applied or refused."""

from __future__ import annotations

import pytest

from streamer.domain.criteria import DECISION, Expression
from streamer.domain.dates import years_later
from streamer.domain.decisions import MAX_OPEN_ENTRIES
from streamer.domain.records import Assessed, Record, Sanction
from tests.domain.world import World, delisting, fine, listing, penalty, withdrawal

LAST, FIRST = "9999-12-31", "0001-01-01"
MOST_FEN = 10**15


@pytest.mark.parametrize(
    "item",
    [
        listing(published_on=LAST, effective_on=LAST),
        listing(published_on="9997-01-01"),
        listing(published_on=FIRST, effective_on=FIRST, decided_on=FIRST, notice_served_on=FIRST),
        listing(until=LAST),
        listing(until=FIRST),
        listing(version=1_000_000),
        penalty(decided_on=LAST, sanctions=fine(MOST_FEN)),
        penalty(decided_on="9997-03-01", sanctions=fine(MOST_FEN)),
        penalty(decided_on=LAST, domain="quality"),
        penalty(decided_on=FIRST, domain="quality"),
        penalty(sanctions=(Sanction("procurement-ban", 0, FIRST, LAST),) * 50),
        penalty(sanctions=(Sanction("procurement-ban", 0, LAST, FIRST),)),
        penalty(domain="quality", assessed=(Assessed(2200, MOST_FEN, 1000),) * 50),
        delisting(effective_on=LAST),
        delisting(effective_on=FIRST),
        withdrawal("税列〔2026〕1号", "listing", version=1_000_000),
    ],
)
def test_no_date_amount_or_version_stops_the_partition(item: Record) -> None:
    world = World()
    world.send(item)
    world.send(listing("税列〔2026〕2号", id="other"))
    world.send(listing(id="after"))
    world.tick("2030-01-01")
    world.tick(LAST)
    assert sum(n for name, n in world.books().items() if name != "witness") == world.offset


def test_a_term_beyond_the_calendar_ends_on_its_last_day() -> None:
    assert years_later(3652059, 20) == 3652059


@pytest.mark.parametrize("text", ['basis[0] == "x"', 'authority_roles[1] == "x"', 'basis.map(x, x)[0] == "x"'])
def test_an_expression_that_asks_for_what_is_not_there_does_not_hold(text: str) -> None:
    scope = {**DECISION, "basis": ["a", "b"], "authority_roles": ["a", "b"]}
    assert not Expression(text, scope).evaluate({**scope, "basis": [], "authority_roles": []})


def test_entries_that_begin_later_are_limited_as_those_in_force() -> None:
    world = World()
    for number in range(MAX_OPEN_ENTRIES + 2):
        world.send(listing(f"税列〔2026〕{number}号", effective_on="2026-02-01", id=f"l{number}"))
    assert [r for _, r, _ in world.replay.effects.refused] == ["too_many_open_entries"] * 2
    world.tick("2026-02-01")
    head = world.replay.rows[0].get(b"hTTTT99001")
    assert len(head.open) == MAX_OPEN_ENTRIES


def test_at_the_limit_what_is_open_can_still_be_corrected() -> None:
    world = World()
    for number in range(MAX_OPEN_ENTRIES):
        world.send(listing(f"税列〔2026〕{number}号", id=f"l{number}"))
    world.send(listing("税列〔2026〕0号", version=2, until="2026-06-30", id="correction"))
    world.send(listing("税列〔2026〕999号", id="one too many"))
    assert [r for _, r, _ in world.replay.effects.refused] == ["too_many_open_entries"]
    assert {a.listing.until for a in world.alerts[-3:]} == {"2026-06-30"}
