"""Delete marks become tombstones: which are due, and what a unit writes of them. Not for: reading them (``replay``).

A deleted row is at first a changelog value of an origin alone, which compaction keeps for ever. Its tombstone follows when it
is older than ``tombstone_after_s``, in the batch of any unit, if the key is still absent then. The partition row of the same
batch says up to which mark that was done: a store that had not read so far is built anew (``restore``). So age is a matter of
cost, not of correctness, and the worker's clock is good enough for it.

No tombstone while the key has a later mark. Compaction may drop all marks of a key before its tombstone, the tombstone a day
later, and then only the partition row tells a store that was away. Suppose a store holds the row, and had read up to V. Either
the row was deleted below V: the store would have seen that. Or it was deleted by marks from V on; the tombstone followed the
last of them, M, and the partition row in its batch says M or more, which is not below V: the store is built anew. With a
tombstone for an earlier mark, the row would say less than V and nothing would ever mend it: whoever rebuilds from the compacted
log does not see the later mark any more. A mark that a later one follows is therefore settled without a tombstone, and the
later one's turn comes, at this owner or the next: standbys and recovery read both marks, or the tombstone of the last. A kill
after the batch and before the local store changes nothing, for the batch is read back with its tombstones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from streamer.engine.partition_row import TOMBSTONE_HEADER, tombstone_header
from streamer.engine.store import Deleted
from streamer.engine.unit import NONE_DUE, Due, Message

if TYPE_CHECKING:
    from streamer.engine.partition import OwnedPartition

#: A unit's tombstones: few enough to fit beside its rows.
MAX_TOMBSTONES: Final = 256
MAX_TOMBSTONES_BYTES: Final = 64 << 10
#: Origin, header and record framing of one.
_TOMBSTONE_BYTES: Final = 64


class Marks:
    """The delete marks of one owned partition, oldest first; they themselves are in the local store."""

    __slots__ = ("_after_ms", "_owned", "oldest")

    def __init__(self, owned: OwnedPartition, after_s: float) -> None:
        self._owned = owned
        self._after_ms = int(after_s * 1000)
        #: The oldest mark in the local store.
        self.oldest: Deleted | None = next(owned.stored.deleted(), None)

    def due(self, now_ms: int) -> bool:
        return self.oldest is not None and self.oldest.time_ms + self._after_ms <= now_ms

    def take(self, now_ms: int, changes: Iterable[bytes]) -> Due:
        """What the unit that changes these keys may settle, all units before it being in the local store."""
        if not self.due(now_ms):
            return NONE_DUE
        assert self.oldest is not None
        stored, changed = self._owned.stored, frozenset(changes)
        due = Due([], [])
        size = 0
        for mark in stored.deleted(self.oldest.offset):
            if (
                mark.time_ms + self._after_ms > now_ms
                or len(due.settled) == MAX_TOMBSTONES
                or size > MAX_TOMBSTONES_BYTES
            ):
                break
            due.settled.append(mark)
            size += len(mark.key) + _TOMBSTONE_BYTES
            latest = stored.latest_mark(mark.key) == mark.offset and mark.key not in changed
            if latest and stored.get(mark.key) is None:
                due.tombstones.append(mark)
        return due

    def landed(self, new: Iterable[Deleted], settled: list[Deleted]) -> None:
        """After a unit is in the local store."""
        if settled:
            self.oldest = next(self._owned.stored.deleted(settled[-1].offset + 1), None)
        elif self.oldest is None:
            self.oldest = next(iter(new), None)


def messages(due: Due, following: int, first: int, timestamp_ms: int) -> list[Message]:
    """The tombstones, the first of which must land at ``first``."""
    return [
        Message(timestamp_ms, mark.key, None, ((TOMBSTONE_HEADER, tombstone_header(following, position, mark.offset)),))
        for position, mark in enumerate(due.tombstones, first)
    ]
