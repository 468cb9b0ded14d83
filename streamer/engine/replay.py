"""Changelog records into rows: which count, which are void, which key must be written again. Pure. Not for: reading Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from streamer.engine.partition_row import ORIGIN_BYTES, is_void


class ChangelogRecord(Protocol):
    @property
    def offset(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...


class Replay:
    """The rows of one partition's changelog so far. A record counts if it lies where its writer expected it to land; the
    others are a paused worker's. The last one that counts is the row."""

    __slots__ = ("position", "spoiled", "void")

    def __init__(self, position: int) -> None:
        #: The changelog offset that comes next.
        self.position = position
        #: Keys whose last record is void: compaction would keep that one, so the row is written again.
        self.spoiled: set[bytes] = set()
        self.void = 0

    def rows(self, records: Iterable[ChangelogRecord], following: int) -> dict[bytes, bytes | None]:
        """The rows that these records set; ``following`` is the position after them."""
        rows: dict[bytes, bytes | None] = {}
        for record in records:
            key = record.key
            if key is None:
                continue
            value = record.value
            if value is None:  # a tombstone, written by a sweep over deleted rows
                rows[key] = None
            elif is_void(value, record.offset):
                self.void += 1
                self.spoiled.add(key)
                continue
            else:
                rows[key] = value[ORIGIN_BYTES:] or None
            self.spoiled.discard(key)
        self.position = following
        return rows
