"""A changelog into a local store, deletes and their tombstones, on a log of the test's own. No Kafka."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from streamer.engine.cache import Cache
from streamer.engine.exits import Refusal
from streamer.engine.fetch import Fetched
from streamer.engine.partition import OwnedPartition
from streamer.engine.partition_row import PARTITION_KEY, PartitionRow, encode_partition_row, origin
from streamer.engine.restore import MAX_LATE_REBUILDS, Restore
from streamer.engine.rows import Rows
from streamer.engine.store import NO_ID, NOTHING, Deleted, Notes, Store, StoredPartition
from streamer.engine.tombstones import MAX_TOMBSTONES, messages
from streamer.engine.unit import NONE_DUE
from tests.engine.test_rows import Boxes

ID = bytes(15) + b"1"
DAY_MS = 86_400_000


class Rec(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 1


class Log:
    """A changelog as its owner writes it, and as compaction leaves it."""

    def __init__(self) -> None:
        self.records: list[Rec] = []
        self.end = 0
        self.marks: list[tuple[int, bytes]] = []

    def put(self, key: bytes, payload: bytes) -> None:
        if not payload:
            self.marks.append((self.end, key))
        self.records.append(Rec(self.end, key, origin(0, self.end) + payload))
        self.end += 1

    def zombie(self, key: bytes, payload: bytes | None) -> None:
        self.records.append(Rec(self.end, key, None if payload is None else origin(0, self.end + 7) + payload))
        self.end += 1

    def row(self, **fields: int) -> None:
        self.put(PARTITION_KEY, encode_partition_row(PartitionRow(applied=1, **fields)))

    def settle(self) -> None:
        """Tombstones for all marks, with the partition row that says so, as one unit does."""
        rows = self.rows()
        due = NONE_DUE._replace(
            settled=[Deleted(o, 0, k) for o, k in self.marks],
            tombstones=[Deleted(o, 0, k) for o, k in self.marks if k not in rows],
        )
        for message in messages(due, 1, self.end, 1):
            self.records.append(Rec(self.end, message.key or b"", None, tuple(message.headers)))
            self.end += 1
        self.row(tombstoned=self.marks[-1][0])
        self.marks = []

    def compact(self) -> None:
        """Only the last record of a key is left, and no tombstone."""
        last = {r.key: r.offset for r in self.records}
        self.records = [r for r in self.records if last[r.key] == r.offset and r.value is not None]

    def rows(self) -> dict[bytes, bytes]:
        rows: dict[bytes, bytes] = {}
        for r in self.records:
            if r.value is None or int.from_bytes(r.value[8:16], "big") == r.offset:
                rows[r.key] = (r.value or b"")[16:]
        return {k: v for k, v in rows.items() if v and k != PARTITION_KEY}


class Reading:
    """One process that reads the log."""

    def __init__(self, stored: StoredPartition, topic_id: bytes = ID, now_ms: int = 10 * DAY_MS) -> None:
        self.stored = stored
        self.now_ms = now_ms
        self.restore = Restore("c-0", stored, topic_id, DAY_MS, lambda: self.now_ms)
        self.rebuilt = 0

    def begin(self, log: Log) -> int:
        return self.restore.begin(0, log.end)

    def read(self, log: Log, upto: int | None = None, step: int = 3) -> None:
        """Records below ``upto``, a few at a time."""
        end = log.end if upto is None else upto
        while self.restore.position < end:
            start = self.restore.position
            following = min(end, start + step)
            part = [r for r in log.records if start <= r.offset < following]
            self.restore.take(Fetched(part, start, following, log.end))

    def through(self, log: Log) -> None:
        """To the log's end, anew when it must."""
        self.read(log)
        while not self.restore.through():
            self.rebuilt += 1
            assert self.rebuilt < 5, "a rebuild must come to an end"
            self.restore.anew(0)
            self.read(log)

    @property
    def rows(self) -> dict[bytes, bytes]:
        return dict(self.stored.after(b"\x00"))


@pytest.fixture
def stored(tmp_path: Path) -> StoredPartition:
    return Store(tmp_path).partition(0, 3)


def some_log() -> Log:
    log = Log()
    for i in range(10):
        log.put(b"k%d" % i, b"v")
    log.row()
    return log


def follow(stored: StoredPartition, log: Log, **options: int) -> Reading:
    reading = Reading(stored, **options)  # type: ignore[arg-type]
    reading.begin(log)
    reading.through(log)
    return reading


def test_a_store_that_was_away_while_a_delete_was_tombstoned_is_built_anew(stored: StoredPartition) -> None:
    log = some_log()
    assert follow(stored, log).rows == log.rows()
    log.put(b"k3", b"")
    log.row()
    log.settle()
    log.compact()
    late = follow(stored, log)
    assert late.rows == log.rows()
    assert b"k3" not in late.rows
    assert late.rebuilt == 1


def test_a_store_that_saw_the_mark_is_not_built_anew(stored: StoredPartition) -> None:
    log = some_log()
    log.put(b"k3", b"")
    log.row()
    assert [m.key for m in follow(stored, log).stored.deleted()] == [b"k3"]
    log.settle()
    log.compact()
    late = follow(stored, log)
    assert (late.rows, late.rebuilt) == (log.rows(), 0)


def test_a_kill_in_the_middle_of_reading_does_not_hide_what_was_missed(stored: StoredPartition) -> None:
    log = some_log()
    follow(stored, log)
    log.put(b"k3", b"")
    log.row()
    log.settle()
    log.compact()
    for i in range(10):
        log.put(b"n%d" % i, b"v")
    log.row(tombstoned=11)
    killed = Reading(stored)
    killed.begin(log)
    killed.read(log, log.end - 2)
    late = follow(stored, log)
    assert (late.rows, late.rebuilt) == (log.rows(), 1)


def test_a_rebuild_that_was_interrupted_goes_on_soon_and_begins_again_late(stored: StoredPartition) -> None:
    log = some_log()
    first = Reading(stored)
    first.begin(log)
    first.read(log, 5)
    assert Reading(stored, now_ms=10 * DAY_MS + 1000).begin(log) == 5
    assert Reading(stored, now_ms=11 * DAY_MS).begin(log) == 0
    first.begin(log)
    first.read(log, 5)
    assert Reading(stored, now_ms=9 * DAY_MS).begin(log) == 0, "a clock that went back says nothing"


def test_a_rebuild_that_is_always_too_slow_is_refused_but_without_tombstones_time_does_not_matter(
    stored: StoredPartition,
) -> None:
    log = some_log()
    reading = Reading(stored)
    reading.begin(log)
    reading.now_ms += 2 * DAY_MS
    reading.through(log)
    assert reading.rebuilt == 0
    log.put(b"k3", b"")
    log.settle()
    reading.restore.anew(0)
    for _ in range(MAX_LATE_REBUILDS - 1):
        reading.read(log)
        reading.now_ms += 2 * DAY_MS
        assert not reading.restore.through()
        reading.restore.anew(0)
    reading.read(log)
    reading.now_ms += 2 * DAY_MS
    with pytest.raises(Refusal, match=r"Raise that setting of the topic"):
        reading.restore.through()


def test_a_changelog_made_anew_and_longer_is_not_mixed_with_what_is_stored(stored: StoredPartition) -> None:
    follow(stored, some_log())
    other = some_log()
    other.put(b"other", b"v")
    assert Reading(stored, topic_id=bytes(15) + b"2").begin(other) == 0
    assert stored.mark() is None
    follow(stored, other, topic_id=NO_ID)  # type: ignore[arg-type]
    assert Reading(stored).begin(other) == other.end, "an id that was not known says nothing"


def test_keys_with_a_void_last_record_are_remembered_over_restarts(stored: StoredPartition) -> None:
    log = some_log()
    log.zombie(b"k1", b"late")
    log.zombie(b"k2", None)
    assert follow(stored, log).restore.replay.spoiled == {b"k1", b"k2"}
    again = follow(stored, log)
    assert again.restore.replay.spoiled == {b"k1", b"k2"}
    assert again.rows == some_log().rows()
    log.put(b"k1", b"v")
    assert follow(stored, log).restore.replay.spoiled == {b"k2"}
    assert stored.spoiled() == {b"k2"}


def test_a_store_written_before_there_were_tombstones_is_read(stored: StoredPartition) -> None:
    log = some_log()
    follow(stored, log)
    stored._db[stored._mark] = (5).to_bytes(8, "big")
    mark = stored.mark()
    assert mark is not None
    assert (mark.position, mark.verified, mark.since_ms) == (5, 5, 0)


def test_whoever_reads_whenever_has_the_rows_of_the_log(tmp_path: Path) -> None:
    """Stores that read at random moments, killed in between, of a log that is deleted from, tombstoned and compacted."""
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    draw = random.Random(seed)
    store, log, now_ms = Store(tmp_path), some_log(), DAY_MS  # 0 would be: no rebuild under way
    readers = [store.partition(0, n) for n in range(4)]
    for _ in range(2_000):
        action = draw.random()
        key = b"k%d" % draw.randrange(15)
        if action < 0.4:
            log.put(key, b"v%d" % draw.randrange(100))
            log.row(tombstoned=last_tombstoned(log))
        elif action < 0.6:
            log.put(key, b"")
            log.row(tombstoned=last_tombstoned(log))
        elif action < 0.7 and log.marks:
            log.settle()
        elif action < 0.8:
            log.compact()
            now_ms += DAY_MS  # Kafka keeps a tombstone for so long
        else:
            reading = Reading(draw.choice(readers), now_ms=now_ms)
            reading.begin(log)
            if draw.random() < 0.5 and reading.restore.position < log.end:
                reading.read(log, draw.randrange(reading.restore.position, log.end))  # killed
            else:
                reading.through(log)
                assert reading.rows == log.rows()


def last_tombstoned(log: Log) -> int:
    from streamer.engine.partition_row import decode_partition_row

    rows = [r for r in log.records if r.key == PARTITION_KEY]
    return decode_partition_row((rows[-1].value or b"")[16:]).tombstoned


# ------------------------------------------------------------------ what a unit settles


def owned_with(stored: StoredPartition, marks: list[Deleted], after_s: float = 10) -> OwnedPartition:
    stored.write({}, 100, Notes(marks))
    return OwnedPartition(3, stored, Rows(Boxes(), stored, Cache(1000)), 100, after_s)


def test_marks_are_settled_when_old_and_tombstoned_when_the_key_is_absent(stored: StoredPartition) -> None:
    stored.write({b"again": b"x"}, 1)
    keys = [b"gone", b"again", b"changed", b"gone", b"young"]
    owned = owned_with(stored, [Deleted(i, 20_000 if k == b"young" else 1000, k) for i, k in enumerate(keys)])
    assert owned.marks.take(10_999, [b"changed"]) is NONE_DUE
    due = owned.marks.take(11_000, [b"changed"])
    assert [m.offset for m in due.settled] == [0, 1, 2, 3]
    assert [(m.offset, m.key) for m in due.tombstones] == [(3, b"gone")]
    stored.write({}, 102, Notes(settled=[(m.offset, m.key) for m in due.settled]))
    owned.marks.landed([], due.settled)
    assert owned.marks.oldest == Deleted(4, 20_000, b"young")
    assert not owned.marks.due(29_999)
    assert owned.marks.due(30_000)


def test_a_unit_settles_a_bounded_number(stored: StoredPartition) -> None:
    owned = owned_with(stored, [Deleted(i, 0, b"%d" % i) for i in range(3 * MAX_TOMBSTONES)], 0)
    assert len(owned.marks.take(1, []).settled) == MAX_TOMBSTONES
    long = owned_with(stored, [Deleted(i, 0, b"x" * 20_000) for i in range(10)], 0)
    assert len(long.marks.take(1, []).settled) < 10


def test_the_first_mark_of_an_empty_index_is_the_oldest(stored: StoredPartition) -> None:
    owned = owned_with(stored, [])
    assert owned.marks.oldest is None
    owned.marks.landed([Deleted(7, 5, b"a"), Deleted(8, 5, b"b")], [])
    owned.marks.landed([Deleted(9, 5, b"c")], [])
    assert owned.marks.oldest == Deleted(7, 5, b"a")
    assert Notes() == NOTHING
