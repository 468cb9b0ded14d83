"""The books' own check: a lost, doubled or unknown item is a residual."""

from __future__ import annotations

import pytest

from streamer.audit import Balance, Report, Seen, settle

EVENTS = {("credit.events.tax", 0, offset) for offset in range(4)}


def seen() -> Seen:
    """Four events, the second with two parties: five items. One is refused by the intake, one by the dossier."""
    return Seen(
        events=set(EVENTS),
        parties={("credit.events.tax", 0, 1): 2},
        records={("credit.events.tax", 0, 0, 0): 1, ("credit.events.tax", 0, 1, 0): 2, ("credit.events.tax", 0, 1, 1): 1,
                 ("credit.events.tax", 0, 3, 0): 1},
        record_messages=6,
        refused={("credit.events.tax", 0, 2, 0): ("parked", "identity_unresolved")},
        refused_later={("credit.events.tax", 0, 3, 0): "id_reused"},
    )  # fmt: skip


def books(**changes: int) -> Balance:
    row = {"applied": 2, "duplicate": 1, "superseded": 0, "dead_lettered": 1, "witness": 1, "control": 1, "resent": 1}
    return Balance(books={"0": {**row, **changes}})


def report(found: Seen | None = None, closing: Balance | None = None, opening: Balance | None = None) -> Report:
    return settle(found or seen(), opening or Balance(), closing or books())


def test_balanced_books_have_no_residual() -> None:
    balanced = report()
    assert (balanced.residual, balanced.items, balanced.resent_messages) == (0, 5, 1)
    assert balanced.fates == {"applied": 2, "dead-lettered": 1, "duplicate": 1, "parked": 1, "superseded": 0}
    assert balanced.reasons == {"id_reused": 1, "identity_unresolved": 1}


def test_a_later_audit_starts_from_the_closing_of_the_last() -> None:
    opening = books(applied=100, duplicate=0, dead_lettered=0, witness=0, control=5, resent=7)
    closing = books(applied=102, duplicate=1, dead_lettered=1, witness=1, control=6, resent=8)
    assert report(opening=opening, closing=closing).residual == 0


@pytest.mark.parametrize(
    ("difference", "change"),
    [
        ("items missing", lambda s: s.records.pop(("credit.events.tax", 0, 1, 1))),
        (
            "items with two fates",
            lambda s: s.refused.update({("credit.events.tax", 0, 0, 0): ("dead-lettered", "schema")}),
        ),
        (
            "items of no event",
            lambda s: s.refused.update({("credit.events.tax", 0, 9, 0): ("dead-lettered", "schema")}),
        ),
        ("dead letters of the dossier against the books", lambda s: s.refused_later.clear()),
        ("records' messages against the books", lambda s: setattr(s, "record_messages", 7)),
    ],
)
def test_what_does_not_add_up_is_named(difference: str, change: object) -> None:
    found = seen()
    change(found)  # type: ignore[operator]
    unbalanced = report(found)
    assert unbalanced.residual > 0
    assert unbalanced.differences[difference] > 0


@pytest.mark.parametrize("column", ["applied", "duplicate", "superseded", "dead_lettered", "resent", "control"])
def test_a_column_off_by_one_is_a_residual(column: str) -> None:
    assert report(closing=books(**{column: 5})).residual > 0
