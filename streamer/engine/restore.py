"""One partition's changelog into its local store: where to begin, what a round writes, when all must be read anew. Not for:
Kafka (``recovery`` reads for owners, ``standby`` for standbys), nor what a record means (``replay``).

A store that was away may have missed a delete: once a tombstone has followed a delete mark, compaction may drop both. The
partition row says up to which mark tombstones were written, so a store that had read beyond that mark missed nothing, however
long it was away; any other is built anew. That is decided where the log's end is reached, and no clock enters it. A rebuild
itself reads old records late, which Kafka allows for ``delete.retention.ms``: one that was interrupted is continued within
half of that, else begun again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from streamer.engine.exits import Exit, Refusal
from streamer.engine.partition_row import PARTITION_KEY, decode_partition_row
from streamer.engine.replay import Replay
from streamer.engine.store import NO_ID, Notes, Position

if TYPE_CHECKING:
    from streamer.engine.fetch import Fetched
    from streamer.engine.store import StoredPartition

log = logging.getLogger(__name__)

#: Rebuilds in a row that were too slow, before the process gives up.
MAX_LATE_REBUILDS: Final = 3


class Restore:
    """Call ``begin`` first, then ``take`` for each fetch, ``through`` at the log's end."""

    def __init__(
        self, name: str, stored: StoredPartition, topic_id: bytes, retention_ms: int, now_ms: Callable[[], int]
    ) -> None:
        self.name = name
        self.stored = stored
        self.replay = Replay(0)
        self._topic_id = topic_id
        self._retention_ms = retention_ms
        self._now_ms = now_ms
        self._verified = 0
        self._since_ms = 0
        self._rebuilds_late = 0

    @property
    def position(self) -> int:
        return self.replay.position

    def begin(self, begin: int, end: int) -> int:
        """Where to read from: the stored position, or the log's begin with an empty store."""
        mark = self.stored.mark()
        why = None if mark is None else self._unusable(mark, begin, end)
        if mark is None or why is not None:
            if why is not None:
                log.warning("state of %s: %s; built anew from the changelog", self.name, why)
            return self.anew(begin)
        self.stored.topic_id = self._topic_id if self._topic_id != NO_ID else mark.topic_id
        self._verified, self._since_ms = mark.verified, mark.since_ms
        self.replay = Replay(mark.position, self.stored.spoiled())
        return mark.position

    def anew(self, begin: int) -> int:
        """Empties the store; ``begin``, where to read from."""
        self.stored.wipe()
        self.stored.topic_id = self._topic_id
        self._verified, self._since_ms = begin, self._now_ms()
        self.replay = Replay(begin)
        return begin

    def take(self, part: Fetched) -> int:
        """Writes what a fetch brought; the number of void records among it."""
        replay = self.replay
        void, before = replay.void, set(replay.spoiled)
        rows = replay.rows(part.records, part.following)
        notes = Notes(
            replay.deleted,
            replay.settled,
            replay.spoiled - before,
            before - replay.spoiled,
            self._verified,
            self._since_ms,
        )
        self.stored.write(rows, part.following, notes)
        return replay.void - void

    def through(self) -> bool:
        """At the log's end: whether nothing was missed. False: begin ``anew``. Raises Refusal(CONFIG) when that is of no use."""
        tombstoned = self._tombstoned()
        if self._since_ms:
            if tombstoned >= 0 and not 0 <= self._now_ms() - self._since_ms < self._retention_ms:
                self._late()
                return False
        elif tombstoned >= self._verified:
            log.warning("state of %s: it was away while deletes were tombstoned; built anew", self.name)
            return False
        if self._verified != self.position or self._since_ms:
            self._verified, self._since_ms = self.position, 0
            self.stored.write({}, self.position)
        return True

    def _late(self) -> None:
        self._rebuilds_late += 1
        log.warning("state of %s: building it took longer than the changelog's delete.retention.ms", self.name)
        if self._rebuilds_late == MAX_LATE_REBUILDS:
            raise Refusal(
                Exit.CONFIG,
                f"{self.name}: reading it takes longer than its delete.retention.ms ({self._retention_ms}), so deletes may be "
                "missed. Raise that setting of the topic",
            )

    def _unusable(self, mark: Position, begin: int, end: int) -> str | None:
        if not begin <= mark.position <= end:
            return f"position {mark.position} is outside [{begin}, {end}]"
        if NO_ID not in (mark.topic_id, self._topic_id) and mark.topic_id != self._topic_id:
            return "it is of another changelog, deleted and made anew since"
        if mark.since_ms and not 0 <= self._now_ms() - mark.since_ms < self._retention_ms / 2:
            return "a rebuild was interrupted long ago"
        return None

    def _tombstoned(self) -> int:
        raw = self.stored.get(PARTITION_KEY)
        return -1 if raw is None else decode_partition_row(raw).tombstoned
