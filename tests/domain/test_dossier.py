"""What the dossier promises about one entity: who is listed, what is said, and that it is taken back."""

from __future__ import annotations

import pytest

from streamer.domain.messages import decode_status
from streamer.domain.records import AuthorityRef, Party, Record, Sanction, Target
from tests.domain.world import (
    MARKET,
    START,
    TAX,
    World,
    delisting,
    fine,
    listing,
    penalty,
    rulebook,
    withdrawal,
)

TAX_MEASURES = {"tax.procurement", "tax.qualification", "tax.supervision"}
PROC_MEASURES = {"proc.procurement", "proc.qualification", "proc.supervision"}


def test_a_complete_listing_raises_each_measure_once() -> None:
    world = World()
    world.send(listing())
    assert world.said == [(rule, 1, "raised") for rule in sorted(TAX_MEASURES)]
    first = world.alerts[0]
    assert first.listing.until == "2029-01-02"  # three years from publication, as the row states
    assert first.asks.human_decision
    assert first.cause.event_id == listing().id


def test_delisting_lifts_and_the_lift_stands_alone() -> None:
    world = World()
    world.send(listing())
    world.send(delisting())
    assert world.open == set()
    last = world.alerts[-1]
    assert (last.action, last.revision, last.in_force) == ("lifted", 2, False)
    assert last.lift is not None
    assert (last.lift.cause, last.lift.document) == ("delisted", "税移〔2026〕1号")
    assert last.listing.document_number == "税列〔2026〕1号"


@pytest.mark.parametrize(
    "end",
    [delisting(), withdrawal("税列〔2026〕1号", "listing"), withdrawal("x", "listing", target=Target(id=listing().id))],
)
def test_an_end_before_its_decision_waits_for_it(end: Record) -> None:
    early, late = World(), World()
    early.send(end)
    early.send(listing())
    late.send(listing())
    late.send(end)
    assert early.said == []
    assert late.open == set()


def test_a_withdrawal_reaches_only_its_versions() -> None:
    world = World()
    world.send(withdrawal("税列〔2026〕1号", "listing", version=1))
    world.send(listing(version=2))
    assert world.open == TAX_MEASURES


def test_a_later_delisting_waits_for_its_day() -> None:
    world = World()
    world.send(listing())
    world.send(delisting(effective_on="2026-02-01"))
    assert world.open == TAX_MEASURES
    world.tick("2026-03-01")
    assert world.open == set()
    assert world.alerts[-1].lift is not None
    assert world.alerts[-1].lift.effective_on == "2026-02-01"


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("notice_served_on", "notice-not-served"),
        ("published_on", "not-published"),
        ("remedies_closed", "remedies-open"),
    ],
)
def test_an_incomplete_listing_restricts_nothing_and_tells_its_source(field: str, kind: str) -> None:
    world = World()
    world.send(listing(**{field: False if field == "remedies_closed" else None}))
    assert world.said == []
    assert [(n.kind, n.source, n.action) for n in world.notices] == [(kind, "tax", "raised")]
    world.send(listing(version=2))
    assert world.open == TAX_MEASURES
    assert world.notices[-1].action == "closed"


def test_an_entry_begins_and_ends_on_its_days_whatever_the_tick() -> None:
    def run(dates: list[str]) -> list[tuple[str, bytes]]:
        world = World()
        world.send(listing(effective_on="2026-01-10", until="2026-01-20"))
        assert world.said == []
        for date in dates:
            world.tick(date)
        return [(alert, body) for _, alert, body in world.replay.effects.alerts]

    slow = run(["2026-01-09", "2026-01-10", "2026-01-20", "2026-01-21"])
    assert slow == run(["2026-02-01"])
    assert len(slow) == 6


def test_a_touched_entity_settles_what_is_due_before_the_record() -> None:
    def run(*, sweep: bool) -> tuple[list[bytes], dict[bytes, bytes]]:
        world = World()
        world.send(listing(until="2026-01-20"))
        world.tick("2026-02-01", sweep=sweep)
        world.send(listing(version=2, until="2027-01-01"))  # it stood again, after it had ended
        world.replay.finish()
        return [body for _, _, body in world.replay.effects.alerts], world.replay.rows[0].raw

    assert run(sweep=True) == run(sweep=False)
    assert len(run(sweep=False)[0]) == 9


def test_a_procurement_penalty_is_the_entry_only_where_the_row_says_so() -> None:
    world = World()
    world.send(penalty("一", sanctions=fine(2_999_999)))
    world.send(
        penalty(
            "二", sanctions=fine(10_000_000_000), authority=AuthorityRef(code=MARKET), source="market", domain="market"
        )
    )
    world.send(penalty("三", sanctions=fine(3_000_000), decided_on=None))
    assert world.said == []
    world.send(penalty("四", sanctions=(Sanction("procurement-ban", 0, "2026-01-02", "2027-01-02"),)))
    assert world.open == PROC_MEASURES
    assert world.alerts[0].listing.until == "2027-01-02"
    world.tick("2027-01-03")
    assert world.open == set()
    assert world.alerts[-1].lift is not None
    assert world.alerts[-1].lift.cause == "expired"


def test_unsigned_rows_raise_nothing() -> None:
    world = World(book=rulebook("read"))
    world.send(listing())
    world.send(listing("税列〔2026〕2号", notice_served_on=None))
    for number in range(4):
        world.send(penalty(f"食〔2026〕{number}号", domain="food-drug", sanctions=fine(10**12)))
    world.tick("2030-01-01")
    assert (world.alerts, world.notices) == ([], [])
    assert world.books()["applied"] == 6


def test_resend_duplicate_reuse_and_witness_are_told_apart() -> None:
    world = World()
    world.send(listing())
    before = dict(world.replay.rows[0].raw)
    world.send(listing(), at=0)  # the same item again
    world.send(listing())  # a duplicate
    world.send(listing(until="2027-01-01"))  # the id with other content
    world.send(listing(source="market"))  # a second department
    world.send(listing(id="another"))  # the same under another id
    assert world.books() == {
        "resent": 1,
        "control": 1,
        "applied": 2,
        "duplicate": 2,
        "superseded": 0,
        "dead_lettered": 1,
        "witness": 1,
    }
    assert [reason for _, reason, _ in world.replay.effects.refused] == ["id_reused"]
    assert len(world.said) == 3
    assert before[b"h" + b"TTTT99001"] == world.replay.rows[0].raw[b"h" + b"TTTT99001"]


def test_versions_supersede_and_amend() -> None:
    world = World()
    world.send(listing())
    world.send(listing(version=2, until="2027-06-30"))
    world.send(listing(version=2, until="2027-06-30", source="market", id="m"))
    world.send(listing("税列〔2026〕1号", id="late"))
    assert world.said[3:] == [(rule, 2, "amended") for rule in sorted(TAX_MEASURES)]
    assert world.alerts[-1].listing.until == "2027-06-30"
    assert world.books()["superseded"] == 1


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (listing(authority=AuthorityRef(name="某某市税务局")), "authority_unregistered"),
        (listing(authority=AuthorityRef(code=MARKET)), "authority_not_competent"),
        (listing(list="no.such"), "list_unknown"),
        (listing(ground="no.such"), "ground_unknown"),
        (penalty(conduct="loan.evade"), "conduct_not_in_catalogue"),
        (penalty(conduct="no.such"), "conduct_not_in_catalogue"),
        (delisting(authority=AuthorityRef(code=MARKET)), "authority_not_competent"),
        (
            withdrawal(
                "x", "penalty", target=Target(document_number="x", kind="penalty", authority=AuthorityRef(code=MARKET))
            ),
            "target_of_other_authority",
        ),
    ],
)
def test_dated_rows_refuse_with_a_reason(item: Record, reason: str) -> None:
    world = World()
    world.send(item)
    assert [r for _, r, _ in world.replay.effects.refused] == [reason]
    assert world.books()["dead_lettered"] == 1
    assert world.said == []


def test_an_unregistered_authority_is_recorded_and_never_counts() -> None:
    world = World()
    for number in range(4):
        world.send(penalty(f"{number}号", domain="quality", authority=AuthorityRef(name="某某质监所")))
    assert world.books()["applied"] == 4
    assert (world.alerts, world.notices) == ([], [])


def test_a_criterion_gives_a_notice_or_a_manage_alert_and_takes_it_back() -> None:
    world = World()
    for number in range(3):
        world.send(penalty(f"食{number}号", domain="food-drug", decided_on=f"2025-12-0{number + 1}"))
    for number in range(2):
        world.send(penalty(f"质{number}号", domain="quality"))
    assert [(n.kind, n.source, n.rule_id) for n in world.notices] == [("consider", "drug", "food.three")]
    assert world.open == {"quality.two"}
    assert world.alerts[0].measure.class_ == "manage"
    world.send(withdrawal("质0号", "penalty", authority=AuthorityRef(code="11449900TTTT000309"), source="finance"))
    assert world.open == set()
    world.tick("2026-12-01")  # the first of the three leaves its window
    assert world.notices[-1].action == "closed"
    head = world.replay.rows[0].get(b"hTTTT99001")
    assert {rule: c.count for rule, c in head.counters.items()} == {"food.three": 2, "quality.two": 1}


def test_individual_businesses_are_recorded_and_never_emitted() -> None:
    world = World()
    party = Party("TTTT99001", uscc=None, individual=True)
    world.send(listing(party=party))
    world.send(penalty(sanctions=fine(10**9), party=party))
    world.tick("2035-01-01")
    assert world.books()["applied"] == 2
    effects = world.replay.effects
    assert (effects.alerts, effects.notices, effects.statuses) == ([], [], [])


def test_an_entity_that_turns_out_individual_falls_silent() -> None:
    world = World()
    world.send(listing())
    for number in range(2):
        world.send(penalty(f"质{number}号", domain="quality"))
    assert world.open == TAX_MEASURES | {"quality.two"}
    world.send(penalty("后1号", party=Party("TTTT99001", individual=True)))
    assert world.open == set()
    said = len(world.said)
    world.send(listing("税列〔2026〕2号"))
    world.send(penalty("质9号", domain="quality"))
    world.tick("2030-01-01")
    assert len(world.said) == said
    assert decode_status(world.replay.effects.statuses[-1][1]).open_alerts == ()


def test_an_event_id_is_forgotten_and_the_fact_still_met() -> None:
    world = World()
    world.send(listing())
    rows = len(world.replay.rows[0].raw)
    world.tick("2027-03-01")
    assert len(world.replay.rows[0].raw) == rows - 2  # event and expiry rows
    world.send(listing())
    assert world.books()["duplicate"] == 1
    assert len(world.said) == 3


def test_status_says_what_stands() -> None:
    world = World()
    world.send(listing())
    world.send(delisting())
    statuses = [decode_status(body) for _, body in world.replay.effects.statuses]
    assert [(s.version, len(s.open_entries), len(s.open_alerts)) for s in statuses] == [(1, 1, 3), (2, 0, 0)]


def test_ticks_of_another_day_are_refused_in_production() -> None:
    world = World()
    partition = world.replay.rows[0].get(b"p")
    partition.ticks = "append"
    world.replay.rows[0].put(b"p", partition, 0)
    world.tick("2031-01-01")
    after = world.replay.rows[0].get(b"p")
    assert (after.ticks_refused, after.clock) == (1, partition.clock)
    assert START < "2031-01-01"
    assert TAX
