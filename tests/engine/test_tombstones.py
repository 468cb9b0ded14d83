"""Which deletes become tombstones, by the commit's own steps on a log of the test's own, and that no store, whenever it read,
brings a deleted row back. No Kafka."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.engine.cache import Cache
from streamer.engine.commit import CommitSteps
from streamer.engine.metrics import Metrics
from streamer.engine.partition import OwnedPartition
from streamer.engine.restore import Restore
from streamer.engine.rows import Rows
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.store import Deleted, Notes, Store, StoredPartition
from streamer.engine.unit import Message, Unit
from tests.engine.test_restore import DAY_MS, ID, Reading, Rec

HOUR_MS = 3_600_000
AFTER_S = 6 * 3600.0
SIX_HOURS_MS = 6 * HOUR_MS


class Plain:
    """Rows are their bytes."""

    def encode(self, _key: bytes, value: Any) -> bytes:
        return bytes(value)

    def decode(self, _key: bytes, raw: bytes | memoryview) -> object:
        return bytes(raw)


class World:
    """One changelog, its clock, the rows it should make, and whoever owns it now."""

    def __init__(self, tmp_path: Path) -> None:
        self.now_ms = 10 * DAY_MS
        self.records: list[Rec] = []
        self.end = 0
        self.truth: dict[bytes, bytes] = {}
        self.store = Store(tmp_path)
        self.stores = [self.store.partition(0, n) for n in range(4)]
        settings = EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path)
        self.runtime = Runtime(settings, Metrics())
        self.runtime.now_ms = lambda: self.now_ms
        self.runtime.appender = SimpleNamespace(batch=self.batch)  # type: ignore[assignment]
        self.steps = CommitSteps(self.runtime, "c")
        self.owner: OwnedPartition | None = None

    async def batch(self, _topic: str, _partition: int, messages: list[Message], *_: Any) -> int:
        first = self.end
        for message in messages:
            self.records.append(
                Rec(self.end, message.key or b"", message.value, tuple(message.headers), message.timestamp_ms)
            )
            self.end += 1
        return first

    def own(self, stored: StoredPartition) -> None:
        reading = self.read(stored)
        rows = Rows(Plain(), stored, Cache(1_000))
        self.owner = OwnedPartition(0, stored, rows, reading.restore.position, AFTER_S)

    async def unit(self, changes: dict[bytes, bytes | None], *, killed: bool = False) -> None:
        """One commit of the owner; ``killed``: between its changelog and its local store."""
        assert self.owner is not None
        unit = Unit(0, 0.0)
        unit.timestamp_ms = self.now_ms
        rows = self.owner.rows
        for key, value in changes.items():
            if value is None:
                rows.delete(key)
            else:
                rows.put(key, value, 10)
        unit.changes = rows.freeze()
        await self.steps.changelog(self.owner, unit)
        if killed:
            self.owner = None
        else:
            self.steps.local(self.owner, unit)
        for key, value in changes.items():
            if value is None:
                self.truth.pop(key, None)
            else:
                self.truth[key] = value

    def compact(self, below: int) -> None:
        """As Kafka's cleaner does below ``below``: the last record of a key there is left, and no tombstone that was
        readable for delete.retention.ms."""
        last = {r.key: r.offset for r in self.records if r.offset < below}
        self.records = [
            r
            for r in self.records
            if r.offset >= below
            or (r.offset == last[r.key] and (r.value is not None or self.now_ms - r.timestamp < DAY_MS))
        ]

    def reading(self, stored: StoredPartition) -> Reading:
        made = Reading(stored)
        made.restore = Restore("c-0", stored, ID, DAY_MS, lambda: self.now_ms)
        made.begin(self)  # type: ignore[arg-type]
        return made

    def read(self, stored: StoredPartition) -> Reading:
        """To the log's end."""
        made = self.reading(stored)
        made.through(self)  # type: ignore[arg-type]
        return made

    def judge(self, stored: StoredPartition) -> Reading:
        made = self.read(stored)
        assert made.rows == self.truth
        return made


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_key_deleted_twice_gets_its_tombstone_for_the_second_mark_only(world: World) -> None:
    """Deleted, made anew, deleted again; when the first mark is due all owners vanish, for long."""
    owner, away, other, _ = world.stores
    world.own(owner)
    await world.unit({b"k": b"1", b"other": b"1"})
    await world.unit({b"k": None})
    world.now_ms += SIX_HOURS_MS - HOUR_MS
    await world.unit({b"k": b"2"})
    world.judge(away)  # has the second row, and has read beyond the first mark
    await world.unit({b"k": None})
    world.now_ms += HOUR_MS
    await world.unit({b"other": b"2"})  # the first mark is due, the second is young
    world.owner = None
    world.now_ms += 7 * DAY_MS
    world.compact(world.end)
    world.judge(away)
    world.judge(other)


async def test_a_later_mark_gets_the_tombstone_when_it_is_due_and_nothing_is_left_of_either(world: World) -> None:
    owner = world.stores[0]
    world.own(owner)
    await world.unit({b"k": b"1"})
    await world.unit({b"k": None})
    world.now_ms += HOUR_MS
    await world.unit({b"k": b"2"})
    await world.unit({b"k": None})
    world.now_ms += SIX_HOURS_MS - HOUR_MS
    await world.unit({b"x": b"1"})
    assert [r.key for r in world.records if r.value is None] == [], "a later mark is there"
    assert [m.key for m in owner.deleted()] == [b"k"]
    assert owner.latest_mark(b"k") is not None
    world.now_ms += HOUR_MS
    await world.unit({b"x": b"2"})
    assert [r.key for r in world.records if r.value is None] == [b"k"]
    assert (list(owner.deleted()), owner.latest_mark(b"k")) == ([], None)


async def test_a_mark_of_the_same_unit_is_the_later_one(world: World) -> None:
    owner = world.stores[0]
    world.own(owner)
    await world.unit({b"k": None})
    world.now_ms += SIX_HOURS_MS
    await world.unit({b"k": None})
    assert [r.key for r in world.records if r.value is None] == []
    (mark,) = owner.deleted()
    assert owner.latest_mark(b"k") == mark.offset
    follower = world.judge(world.stores[1]).stored
    assert [m.offset for m in follower.deleted()][-1] == mark.offset == follower.latest_mark(b"k")


def test_a_reader_that_gets_mark_and_tombstone_at_once_keeps_neither(world: World) -> None:
    stored = world.stores[0]
    stored.write({}, 9, Notes(deleted=[Deleted(3, 0, b"k"), Deleted(5, 0, b"k")], settled=[(5, b"k")]))
    assert stored.latest_mark(b"k") is None
    stored.write({}, 9, Notes(deleted=[Deleted(7, 0, b"j")], settled=[(3, b"j")]))
    assert stored.latest_mark(b"j") == 7, "an older one is settled"


def test_marks_of_an_older_store_are_found_by_their_keys_too(world: World) -> None:
    stored = world.stores[0]
    stored.write({}, 9, Notes(deleted=[Deleted(3, 0, b"k"), Deleted(5, 0, b"k"), Deleted(6, 0, b"j")]))
    for key in (b"", b"k", b"j"):
        del stored._db[stored._latest + key]
    again = world.store.partition(0, 0)
    assert (again.latest_mark(b"k"), again.latest_mark(b"j")) == (5, 6)
    again.wipe()
    assert again.latest_mark(b"k") is None
    again.write({}, 9, Notes(deleted=[Deleted(3, 0, b"k")]))
    del again._db[again._latest + b"k"]
    assert world.store.partition(0, 0).latest_mark(b"k") is None, "it is indexed once"


async def test_whoever_owns_and_reads_whenever_no_deleted_row_comes_back(world: World) -> None:
    """Owners that come, commit and are killed; stores that read at random moments, killed in between; a log compacted up to
    random places; hours that pass, with and without an owner."""
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    draw = random.Random(seed)
    world.own(world.stores[0])
    for step in range(3_000):
        action = draw.random()
        if action < 0.45:
            if world.owner is None:
                world.own(draw.choice(world.stores))
            keys = {b"k%d" % draw.randrange(4) for _ in range(draw.randrange(3))}
            changes = {key: None if draw.random() < 0.5 else b"v%d" % step for key in keys}
            await world.unit(changes, killed=draw.random() < 0.1)
        elif action < 0.6:
            world.now_ms += draw.randrange(4 * HOUR_MS)
        elif action < 0.65:
            world.owner = None
            world.now_ms += draw.randrange(3 * DAY_MS)
            world.compact(world.end)
            world.judge(draw.choice(world.stores))
        elif action < 0.75:
            world.compact(world.end - draw.choice([0, 0, 3, 10]))
        else:
            free = [s for s in world.stores if world.owner is None or world.owner.stored is not s]
            stored = draw.choice(free)
            if draw.random() < 0.4:
                killed = world.reading(stored)
                if killed.restore.position < world.end:
                    killed.read(world, draw.randrange(killed.restore.position, world.end))  # type: ignore[arg-type]
            else:
                world.judge(stored)
