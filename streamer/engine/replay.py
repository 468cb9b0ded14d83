"""Changelog records into rows: which count, which are void, which key must be written again. Pure. Not for: reading Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from streamer.engine.partition_row import ORIGIN_BYTES, is_void, settles
from streamer.engine.store import Deleted


class ChangelogRecord(Protocol):
    @property
    def offset(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Replay:
    """The rows of one partition's changelog so far. A record counts if it lies where its writer expected it to land; the
    others are a paused worker's. The last one that counts is the row."""

    __slots__ = ("deleted", "position", "settled", "spoiled", "void")

    def __init__(self, position: int, spoiled: Iterable[bytes] = ()) -> None:
        #: The changelog offset that comes next.
        self.position = position
        #: Keys whose last record is void: compaction would keep that one, so the row is written again.
        self.spoiled = set(spoiled)
        self.void = 0
        #: Of the last call of ``rows``: delete marks, and offset and key of those that a tombstone settled.
        self.deleted: list[Deleted] = []
        self.settled: list[tuple[int, bytes]] = []

    def rows(self, records: Iterable[ChangelogRecord], following: int) -> dict[bytes, bytes | None]:
        """The rows that these records set; ``following`` is the position after them."""
        rows: dict[bytes, bytes | None] = {}
        spoiled = self.spoiled
        self.deleted, self.settled = [], []
        for record in records:
            key = record.key
            if key is None:
                continue
            value = record.value
            if value is None:
                mark = settles(record.headers, record.offset)
                if mark is None:
                    self.void += 1
                    spoiled.add(key)
                    continue
                rows[key] = None
                self.settled.append((mark, key))
            elif is_void(value, record.offset):
                self.void += 1
                spoiled.add(key)
                continue
            elif len(value) > ORIGIN_BYTES:
                rows[key] = value[ORIGIN_BYTES:]
            else:
                rows[key] = None
                self.deleted.append(Deleted(record.offset, max(0, record.timestamp), key))
            if spoiled:
                spoiled.discard(key)
        self.position = following
        return rows
