"""What was said is taken back when its ground is gone: whatever came first, however late, under whichever rulebook."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.domain.law import ListRow, Rulebook, Term
from streamer.domain.messages import decode_status
from streamer.domain.records import Party, Record, Target
from streamer.domain.work import status_body
from tests.domain.world import COMMON, World, delisting, listing, penalty, record, rulebook, withdrawal

TAX_MEASURES = {"tax.procurement", "tax.qualification", "tax.supervision"}
NUMBER = "税列〔2026〕1号"


def two_lists() -> Rulebook:
    """The test rulebook with a second list that is entered by a listing."""
    book = rulebook()
    other = ListRow(
        id="tax.other",
        name_zh="另一名单（测试）",
        listed_by=("tax",),
        requires=("notice_served_on", "published_on"),
        term=Term(1, "published_on"),
        **COMMON,
    )
    measure = replace(book.measures[0], id="other.procurement", list="tax.other")
    return replace(book, lists=(*book.lists, other), measures=(*book.measures, measure))


def without(book: Rulebook, criterion: str) -> Rulebook:
    return replace(book, supervision=tuple(c for c in book.supervision if c.id != criterion))


def document(number: str, **fields: object) -> Record:
    return replace(record("document.recorded", number, **fields), kind="other")


def by_id(event_id: str, **fields: object) -> Record:
    return withdrawal("", "listing", target=Target(id=event_id), **{"id": f"w-{event_id}", **fields})


@pytest.mark.parametrize(
    "report",
    [
        listing(source="market", id="again"),
        listing(source="tax", id="again"),
    ],
    ids=["another department", "the same one"],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_withdrawal_by_id_that_waited_ends_what_its_event_reports(report: Record, version: int) -> None:
    """The end names a report that adds nothing to its fact: it is the same decision all the same."""
    end = by_id("again", source=report.source)
    first = listing(version=version, id="first")
    early, late = World(), World()
    for item in (first, end, report):
        early.send(item)
    for item in (first, report, end):
        late.send(item)
    assert late.open == set()
    assert early.open == set()
    head = early.replay.rows[0].get(b"hTTTT99001")
    assert head.facts == 0


def test_a_refused_version_is_no_handle_on_the_decision() -> None:
    world = World()
    world.send(listing())
    world.send(listing(until="2027-01-01", id="conflict"))
    assert [reason for _, reason, _ in world.replay.effects.refused] == ["version_conflict"]
    world.send(by_id("conflict"))
    assert world.open == TAX_MEASURES


@pytest.mark.parametrize("sweep", [True, False])
def test_a_withdrawal_by_id_reaches_an_entry_whose_event_is_forgotten(*, sweep: bool) -> None:
    """A listing lasts for years, the memory of its id for 400 days."""
    world = World()
    world.send(listing())
    for number in range(2):
        world.send(penalty(f"质{number}号", domain="quality", decided_on="2027-02-01", id=f"q{number}"))
    world.tick("2027-03-01", sweep=sweep)
    world.send(by_id(listing().id))
    world.send(by_id("q0", source="finance", authority=penalty().authority))
    world.replay.finish()
    assert world.open == set()


def test_whether_a_forgotten_id_was_swept_changes_nothing() -> None:
    def run(*, sweep: bool) -> list[tuple[str, str, bytes]]:
        world = World()
        world.send(document(NUMBER, id="same"))
        world.send(listing(id="first", source="market"))
        world.send(listing(id="second"))
        world.tick("2027-03-01", sweep=sweep)
        world.send(by_id("second"))
        world.replay.finish()
        return world.replay.effects.alerts

    assert run(sweep=True) == run(sweep=False)


def test_a_new_version_on_another_list_closes_the_notice_of_the_old_one() -> None:
    world = World(book=two_lists())
    world.send(listing(notice_served_on=None))
    world.send(listing(version=2, list="tax.other", ground=None))
    assert [(n.rule_id, n.action) for n in world.notices] == [
        ("tax.major-dishonest", "raised"),
        ("tax.major-dishonest", "closed"),
    ]
    assert world.open == {"other.procurement"}


def test_a_delisting_ends_only_the_list_that_it_names() -> None:
    world = World(book=two_lists())
    world.send(listing())
    world.send(delisting())
    world.send(listing(version=2, list="tax.other", ground=None))
    assert world.open == {"other.procurement"}
    world.send(delisting(number="移2", list="tax.other", effective_on="2026-01-05"))
    assert world.open == set()


def test_a_delisting_of_another_list_that_waited_ends_nothing() -> None:
    early, late = World(book=two_lists()), World(book=two_lists())
    wrong = delisting(list="tax.other")
    early.send(wrong)
    early.send(listing())
    late.send(listing())
    late.send(wrong)
    assert early.open == late.open == TAX_MEASURES


@pytest.mark.parametrize("criterion", ["quality.two", "food.three"])
def test_a_criterion_that_a_new_rulebook_drops_is_taken_back_and_can_come_again(criterion: str) -> None:
    domain, enough = {"quality.two": ("quality", 2), "food.three": ("food-drug", 3)}[criterion]
    world = World()
    for number in range(enough):
        world.send(penalty(f"罚{number}号", domain=domain, id=f"p{number}"))
    world.activate("later", without(rulebook(), criterion))
    world.send(penalty("罚0号", domain=domain, id="p0v2", version=2))
    said = [*world.alerts, *world.notices]
    assert said[-1].action in {"lifted", "closed"}
    world.activate("again", rulebook())
    for number in range(enough):
        world.send(penalty(f"又罚{number}号", domain=domain, id=f"q{number}"))
    bodies = [body for _, _, body in (*world.replay.effects.alerts, *world.replay.effects.notices)]
    ids = [(m.alert_id if hasattr(m, "alert_id") else m.notice_id, m.revision) for m in (*world.alerts, *world.notices)]
    assert len(ids) == len(set(ids)) == len(bodies)
    assert [*world.alerts, *world.notices][-1].action == "raised"


@pytest.mark.parametrize("criterion", ["quality.two", "food.three"])
def test_a_criterion_whose_effect_changed_takes_back_what_it_said(criterion: str) -> None:
    domain, enough = {"quality.two": ("quality", 2), "food.three": ("food-drug", 3)}[criterion]
    world = World()
    for number in range(enough):
        world.send(penalty(f"罚{number}号", domain=domain, id=f"p{number}"))
    other = {"quality.two": ("notice", "drug"), "food.three": ("manage", None)}[criterion]
    changed = [replace(c, effect=other[0], notify=other[1]) if c.id == criterion else c for c in rulebook().supervision]
    world.activate("later", replace(rulebook(), supervision=tuple(changed)))
    world.send(withdrawal("罚0号", "penalty", authority=penalty().authority, source="finance"))
    assert [m.action for m in (*world.alerts, *world.notices)] == [
        "raised",
        {"quality.two": "lifted", "food.three": "closed"}[criterion],
    ]


def test_a_criterion_ends_with_its_row() -> None:
    ending = tuple(replace(c, valid_to="2026-03-31") for c in rulebook().supervision)
    world = World(book=replace(rulebook(), supervision=ending))
    for number in range(2):
        world.send(penalty(f"质{number}号", domain="quality", id=f"q{number}"))
    assert world.open == {"quality.two"}
    world.tick("2026-04-01")
    assert world.open == set()


def test_a_silent_entity_has_no_name() -> None:
    world = World()
    world.send(listing())
    world.send(listing("税列〔2026〕2号", effective_on="2026-03-01"))
    world.send(penalty("后1号", party=Party("TTTT99001", individual=True)))
    assert world.open == set()
    world.send(listing("税列〔2026〕3号"))
    world.tick("2026-03-01")
    assert world.open == set()
    status = decode_status(world.replay.effects.statuses[-1][1])
    assert (status.name, status.uscc, status.open_alerts) == (None, None, ())


def test_the_status_told_is_the_status_kept() -> None:
    """What a recovery would write again is what was written: a new name is a new version."""
    world = World()
    world.send(listing())
    world.send(document("文1号", decided_on="2026-01-04", party=Party("TTTT99001", name="测试省新名有限公司")))
    head = world.replay.rows[0].get(b"hTTTT99001")
    assert status_body("TTTT99001", head) == world.replay.effects.statuses[-1][1]


def test_an_end_is_not_itself_withdrawn() -> None:
    world = World()
    world.send(listing())
    world.send(delisting())
    world.send(withdrawal("", "listing", "撤2", target=Target(id=delisting().id), id="w2"))
    assert [reason for _, reason, _ in world.replay.effects.refused] == ["target_is_an_end"]
    assert world.alerts[-1].lift is not None
    assert world.alerts[-1].lift.cause == "delisted"
