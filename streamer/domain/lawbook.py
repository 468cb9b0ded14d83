"""The active rulebook, compiled for look-up: who is an authority, what a list asks for, which measures are signed.

Not for: keeping state or raising anything (``streamer.domain.entries``).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from streamer.domain.criteria import READERS, Expression, decision_variables
from streamer.domain.dates import day
from streamer.domain.keys import authority_key, normalise_authority_name
from streamer.domain.law import Authority, Criterion, ListRow, Measure, Row, Rulebook
from streamer.domain.records import AuthorityRef, Record

SIGNED: Final = "signed"
MATCHES_MAX: Final = 8192  # remembered; then all are forgotten


def in_force(row: Row, clock: int) -> bool:
    """Whether a row is valid on ``clock`` (its ``valid_to`` is the last day)."""
    return day(row.valid_from) <= clock and (row.valid_to is None or clock <= day(row.valid_to))


class CompiledCriterion:
    """A signed supervision row with its two expressions."""

    __slots__ = ("met", "row", "when")

    def __init__(self, row: Criterion) -> None:
        self.row, self.when, self.met = row, Expression(row.when), Expression(row.met)


class Law:
    """One rulebook, indexed. ``hash`` is its key in ``credit.rulebook``."""

    def __init__(self, rulebook: Rulebook, rulebook_hash: str) -> None:
        self.hash = rulebook_hash
        self.lists: dict[str, ListRow] = {row.id: row for row in rulebook.lists}
        self.conducts = {row.id: row for row in rulebook.catalogue}
        self.criteria = tuple(CompiledCriterion(row) for row in rulebook.supervision if row.status == SIGNED)
        self._entries = tuple(
            (row, frozenset(row.listed_by), Expression(row.entry_when))
            for row in rulebook.lists
            if row.entry == "penalty" and row.entry_when
        )
        # All that the criteria ask of a decision; with the day it gives the answer.
        self._asked = tuple(READERS[name] for name in sorted({name for c in self.criteria for name in c.when.names}))
        self._matches: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self._measures: dict[str, list[Measure]] = defaultdict(list)
        for measure in sorted(rulebook.measures, key=lambda row: row.id):
            if measure.status == SIGNED:
                self._measures[measure.list].append(measure)
        self._by_code = {row.id: row for row in rulebook.authorities}
        self._by_name = {
            normalise_authority_name(name): row for row in rulebook.authorities for name in (row.name, *row.aliases)
        }

    def authority(self, ref: AuthorityRef, clock: int) -> tuple[str, Authority | None]:
        """The key that facts get, and the row if there is one in force: by code, else by name or alias.

        A code that no row has is not looked up by name: the code decides, an alias only helps.
        """
        row = None
        if ref.code:
            row = self._by_code.get(ref.code)
        elif ref.name:
            row = self._by_name.get(normalise_authority_name(ref.name))
        if row is None or not in_force(row, clock):
            return authority_key(ref.code, ref.name), None
        return row.id, row

    def authority_name(self, key: str) -> str:
        """For people to read: the row's name, else the normalised name or code itself."""
        row = self._by_code.get(key)
        return row.name if row else key.removeprefix("n:")

    def list_in_force(self, list_id: str | None, clock: int) -> ListRow | None:
        row = self.lists.get(list_id) if list_id else None
        return row if row is not None and in_force(row, clock) else None

    def measures(self, list_id: str, clock: int) -> list[Measure]:
        """The signed measures of a signed list; none of any other."""
        row = self.list_in_force(list_id, clock)
        if row is None or row.status != SIGNED:
            return []
        return [measure for measure in self._measures.get(list_id, ()) if in_force(measure, clock)]

    def list_of_penalty(self, record: Record, roles: tuple[str, ...], clock: int) -> ListRow | None:
        """The list whose row says that this penalty itself is the entry, if any (e.g. government procurement)."""
        for row, listed_by, when in self._entries:
            if (
                not listed_by.isdisjoint(roles)
                and in_force(row, clock)
                and when.evaluate(decision_variables(record, roles))
            ):
                return row
        return None

    def matching(self, record: Record, roles: tuple[str, ...], clock: int) -> tuple[str, ...]:
        """Ids of the signed criteria under which this decision counts."""
        asked = (clock, *[read(record, roles) for read in self._asked])
        found = self._matches.get(asked)
        if found is None:
            if len(self._matches) >= MATCHES_MAX:
                self._matches.clear()
            found = self._matches[asked] = self._matching(record, roles, clock)
        return found

    def _matching(self, record: Record, roles: tuple[str, ...], clock: int) -> tuple[str, ...]:
        variables = decision_variables(record, roles)
        return tuple(c.row.id for c in self.criteria if in_force(c.row, clock) and c.when.evaluate(variables))

    def criterion(self, rule_id: str) -> CompiledCriterion | None:
        return next((c for c in self.criteria if c.row.id == rule_id), None)
