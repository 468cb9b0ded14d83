"""Any interleaving that keeps causal order, with any resends and duplicates, gives the same dossier and the same alerts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamer.domain.records import Party, Record, Target
from streamer.domain.state import Codec
from tests.domain.world import World, delisting, fine, listing, penalty, withdrawal

RUNNING = (
    "food.three",
    "quality.two",
)  # what crosses a threshold depends on the order; where it stands at the end does not
DAYS = ("2026-01-20", "2026-02-10", "2026-06-01", "2027-01-15")


@st.composite
def chains(draw: st.DrawFn) -> list[list[Record]]:
    """Causally ordered stories, each about a decision of its own, all about one entity."""
    stories: list[list[Record]] = []
    for number in range(draw(st.integers(1, 5))):
        name = f"税列〔2026〕{number}号"
        until = draw(st.sampled_from([None, "2026-01-25", "2026-05-01"]))
        begins = draw(st.sampled_from(["2026-01-03", "2026-02-01"]))
        party = Party("TTTT99001", name=f"测试省第{draw(st.integers(1, 3))}有限公司")
        first = listing(name, until=until, effective_on=begins, id=f"l{number}", party=party)
        end = draw(
            st.sampled_from(
                [
                    None,
                    delisting(name, f"移{number}", effective_on="2026-01-30", id=f"d{number}"),
                    withdrawal(name, "listing", f"撤{number}", id=f"w{number}"),
                    withdrawal("", "listing", f"撤{number}", target=Target(id=f"l{number}"), id=f"w{number}"),
                ]
            )
        )
        story = [first]
        if draw(st.booleans()):
            story.append(msgspec.structs.replace(first, version=2, id=f"l{number}v2", until="2026-07-01"))
        if draw(st.booleans()):
            story.append(msgspec.structs.replace(first, source="market", id=f"m{number}", version=len(story)))
        if end is not None:
            story.insert(draw(st.integers(0, len(story))), end)
        stories.append(story)
    for number in range(draw(st.integers(0, 5))):
        domain = draw(st.sampled_from(["quality", "food-drug", "procurement"]))
        item = penalty(
            f"罚{number}", domain=domain, sanctions=fine(draw(st.sampled_from([1, 3_000_000]))), id=f"p{number}"
        )
        story = [item]
        if draw(st.booleans()):
            story.append(
                withdrawal(
                    f"罚{number}",
                    "penalty",
                    f"撤罚{number}",
                    authority=item.authority,
                    source="finance",
                    id=f"wp{number}",
                )
            )
        stories.append(story)
    return stories


def run(stories: list[list[Record]], order: list[int], cuts: list[int], noise: dict[int, tuple[str, int]]) -> World:
    """``order`` names the story whose next record comes; ``cuts[i]`` records come before the i-th tick; ``noise`` repeats."""
    world = World()
    position = [0] * len(stories)
    high = [0] * len(stories)
    sent: list[tuple[int, int, Record]] = []
    for step, story in enumerate(order):
        for _ in range(cuts.count(step)):
            world.tick(DAYS[world.replay.rows[0].get(b"p").control - 1])
        item = stories[story][position[story]]
        position[story] += 1
        world.send(item, at=high[story], inbound=story)
        sent.append((story, high[story], item))
        high[story] += 1
        if step in noise:
            kind, which = noise[step]
            other, at, again = sent[which % len(sent)]
            if kind == "resend":
                world.send(again, at=at, inbound=other)
            else:
                world.send(again, at=high[other], inbound=other)
                high[other] += 1
    for day in DAYS:
        world.tick(day)
    return world


def summary(world: World) -> dict[str, Any]:
    """What must not depend on the order."""
    codec, dossier, forgotten = Codec(), {}, set()
    for key, raw in world.replay.rows[0].raw.items():
        row = codec.decode(key, raw)
        if key[:1] == b"h":
            row = {**msgspec.structs.asdict(row), "open": sorted(row.open), "next_due": 0}
            row |= {"version": 0, "changed_at": ""}  # a running criterion that was met on the way changed the status
            row["counters"] = {
                k: (c.count, c.amount_fen, sorted(c.facts), c.alert.open) for k, c in row["counters"].items() if c.count
            }
        elif key[:1] == b"e":
            row = (row.outcome, row.fact, row.content)
        elif key[:1] == b"g":  # which row names an event depends on the order, its day does not
            forgotten |= {(key[1:5], event) for event in row.events}
            continue
        elif key[:1] in b"pa":
            continue
        dossier[key] = row
    said = Counter(
        msgspec.json.encode(msgspec.structs.replace(a, cause=None))  # type: ignore[arg-type]
        for a in world.alerts
        if a.measure.rule_id not in RUNNING
    )
    books = world.books()
    return {
        "dossier": dossier,
        "forgotten": forgotten,
        "said": said,
        "books": [books.get(n, 0) for n in ("applied", "superseded", "dead_lettered", "witness")],
    }


@given(st.data())
def test_the_order_of_independent_events_changes_nothing(data: st.DataObject) -> None:
    stories = data.draw(chains())
    steps = [number for number, story in enumerate(stories) for _ in story]
    cuts = [0] * len(DAYS) if data.draw(st.booleans()) else [len(steps) + 1] * len(DAYS)  # all ticks before, or after
    plain = run(stories, steps, cuts, {})
    order = data.draw(st.permutations(steps))
    noise = data.draw(
        st.dictionaries(
            st.integers(0, len(steps) - 1), st.tuples(st.sampled_from(["resend", "duplicate"]), st.integers(0, 50))
        )
    )
    mixed = run(stories, order, cuts, noise)
    assert summary(mixed) == summary(plain)


@given(st.data())
def test_ticks_anywhere_and_repeats_change_nothing(data: st.DataObject) -> None:
    """One order with ticks in the middle: with and without repeats, swept at once or late."""
    stories = data.draw(chains())
    order = data.draw(st.permutations([number for number, story in enumerate(stories) for _ in story]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), min_size=len(DAYS), max_size=len(DAYS))))
    noise = data.draw(
        st.dictionaries(
            st.integers(0, len(order) - 1), st.tuples(st.sampled_from(["resend", "duplicate"]), st.integers(0, 50))
        )
    )
    assert summary(run(stories, order, cuts, noise)) == summary(run(stories, order, cuts, {}))


@given(st.data())
def test_every_item_has_one_outcome(data: st.DataObject) -> None:
    stories = data.draw(chains())
    order = data.draw(st.permutations([number for number, story in enumerate(stories) for _ in story]))
    noise = data.draw(
        st.dictionaries(
            st.integers(0, len(order) - 1), st.tuples(st.sampled_from(["resend", "duplicate"]), st.integers(0, 50))
        )
    )
    world = run(stories, order, [0] * len(DAYS), noise)
    books = world.books()
    items = sum(books[n] for n in ("applied", "duplicate", "superseded", "dead_lettered"))
    assert items + books["resent"] + books["control"] == world.offset
    assert books["resent"] == sum(kind == "resend" for kind, _ in noise.values())
