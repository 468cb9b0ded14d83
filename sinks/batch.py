"""What one transaction writes: rows without duplicates, the highest version of each key.

Not for: order in time (there is none).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sinks.errors import Position
from sinks.rows import TABLE_OF, TABLES, Row, Table

Key = tuple[Any, ...]


class Batch:
    """Rows by table and key. Of two rows of one key the higher version stays; without versions the first."""

    def __init__(self) -> None:
        self._tables: dict[type, dict[Key, tuple[Row, Position]]] = {}
        self.messages = 0

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def add(self, rows: Iterable[Row], at: Position) -> None:
        """The rows of the message at ``at``."""
        self.messages += 1
        for row in rows:
            self._put((row, at))

    def merge(self, later: Batch) -> None:
        """Add another batch, as if its messages came after."""
        self.messages += later.messages
        for rows in later._tables.values():
            for placed in rows.values():
                self._put(placed)

    def _put(self, placed: tuple[Row, Position]) -> None:
        new: tuple[Any, ...] = placed[0]
        kind = type(new)
        table = TABLE_OF[kind]
        rows = self._tables.get(kind)
        if rows is None:
            rows = self._tables[kind] = {}
        kept = rows.setdefault(new[: table.key], placed)
        if kept is not placed and table.version is not None:
            old: tuple[Any, ...] = kept[0]
            if old[table.version] < new[table.version]:
                rows[new[: table.key]] = placed

    def sorted_rows(self) -> Iterator[tuple[Table, list[tuple[Row, Position]]]]:
        """Each table that has rows, in the order of writing, its rows sorted by key."""
        for table in TABLES:
            if rows := self._tables.get(table.row):
                yield table, [rows[key] for key in sorted(rows)]
