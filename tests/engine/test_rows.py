"""Rows behave as a plain ordered dict, whatever is cached, under way or durable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamer.engine.cache import Cache
from streamer.engine.rows import Frozen, Rows
from streamer.engine.store import Store

KEYS = st.builds(lambda kind, rest: kind + rest, st.sampled_from([b"a", b"b"]), st.binary(max_size=2))
TINY_CACHE_BYTES = 1_500


class Boxes:
    """Values are one-element lists: handlers change rows in place."""

    def encode(self, key: bytes, value: object) -> bytes:
        assert isinstance(value, list)
        return str(value[0]).encode()

    def decode(self, key: bytes, raw: bytes | memoryview) -> object:
        return [int(bytes(raw))]


class Durable:
    """A dict in place of the local store."""

    def __init__(self) -> None:
        self.d: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.d.get(key)

    def scan(self, prefix: bytes, stop: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(k for k in self.d if k.startswith(prefix) and (stop is None or k < stop)):
            yield key, self.d[key]

    def land(self, frozen: Frozen) -> None:
        for key, value in frozen.payloads.items():
            if value is None:
                self.d.pop(key, None)
            else:
                self.d[key] = value


class RowsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.durable = Durable()
        self.rows = Rows(Boxes(), self.durable, Cache(TINY_CACHE_BYTES))
        self.model: dict[bytes, int] = {}
        self.flying: list[Frozen] = []

    @rule(key=KEYS, value=st.integers(0, 9), keep=st.booleans())
    def put(self, key: bytes, value: int, keep: bool) -> None:
        self.rows.put(key, [value], 50, keep)
        self.model[key] = value

    @rule(key=KEYS, keep=st.booleans())
    def change_in_place(self, key: bytes, keep: bool) -> None:
        box = self.rows.get(key)
        if box is not None:
            assert isinstance(box, list)
            box[0] += 1
            self.rows.put(key, box, 10, keep)
            self.model[key] += 1

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        self.rows.delete(key)
        self.model.pop(key, None)

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        box = self.rows.get(key)
        assert (None if box is None else box[0]) == self.model.get(key)  # type: ignore[index]

    @rule(prefix=KEYS, stop=st.none() | KEYS)
    def scan(self, prefix: bytes, stop: bytes | None) -> None:
        want = sorted((k, v) for k, v in self.model.items() if k.startswith(prefix) and (stop is None or k < stop))
        assert [(k, v[0]) for k, v in self.rows.scan(prefix, stop)] == want  # type: ignore[index]

    @rule(prefix=st.sampled_from([b"a", b"b"]))
    def scan_and_delete(self, prefix: bytes) -> None:
        for key, _ in self.rows.scan(prefix):
            self.rows.delete(key)
            del self.model[key]

    @rule(prefix=st.sampled_from([b"a", b"b"]))
    def scan_and_change(self, prefix: bytes) -> None:
        for key, box in self.rows.scan(prefix):
            assert isinstance(box, list)
            box[0] += 1
            self.rows.put(key, box, 10)
            self.model[key] += 1

    @rule()
    def freeze(self) -> None:
        self.flying.append(self.rows.freeze())

    @rule()
    def age_the_cache(self) -> None:
        self.rows.turn()

    @precondition(lambda self: self.flying)
    @rule()
    def land(self) -> None:
        frozen = self.flying.pop(0)
        self.durable.land(frozen)
        self.rows.landed(frozen)

    @invariant()
    def frozen_payloads_do_not_change(self) -> None:
        for frozen in self.flying:
            assert all(v is None or isinstance(v, bytes) for v in frozen.payloads.values())

    def teardown(self) -> None:
        self.freeze()
        for frozen in self.flying:
            self.durable.land(frozen)
        assert {k: int(v) for k, v in self.durable.d.items()} == self.model


TestRows = RowsMachine.TestCase
TestRows.settings = hypothesis_settings(max_examples=120, stateful_step_count=60)


def test_the_cache_stays_bounded_and_a_row_read_again_stays_in_it() -> None:
    cache = Cache(10_000)
    for i in range(1_000):
        cache.turn()
        cache.loaded(b"%d" % i, i, 100)
        assert cache.get(b"0") == 0, "read in every turn, so it is always young"
    assert len(cache.young) + len(cache.old) < 50


def test_a_scan_needs_a_prefix() -> None:
    with pytest.raises(ValueError, match="prefix"):
        list(Rows(Boxes(), Durable(), Cache(1)).scan(b""))


def test_the_store_keeps_rows_position_and_table_ids(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = [store.table_id("one"), store.table_id("two"), store.table_id("one")]
    assert ids == [0, 1, 0]
    part, other = store.partition(0, 3), store.partition(0, 4)
    assert part.position() is None
    part.write({b"a1": b"x", b"a2": b"y", b"b": b"z"}, 7)
    other.write({b"a1": b"other"}, 9)
    part.write([(b"a2", None), (b"a3", b"w")], 8)
    store.close()
    store = Store(tmp_path)
    part, other = store.partition(store.table_id("one"), 3), store.partition(0, 4)
    assert store.table_id("three") == 2
    assert part.position() == 8
    assert list(part.scan(b"a", None)) == [(b"a1", b"x"), (b"a3", b"w")]
    assert list(part.scan(b"a", b"a3")) == [(b"a1", b"x")]
    part.wipe()
    assert part.position() is None
    assert list(part.scan(b"a", None)) == []
    assert other.get(b"a1") == b"other"
    assert other.position() == 9
    store.close()


def test_a_unit_counts_a_kept_row_once_and_another_each_time() -> None:
    rows = Rows(Boxes(), Durable(), Cache(10_000))
    for _ in range(3):
        rows.put(b"kept", [1], 50)
        rows.put(b"once", [1], 7, keep=False)
    assert rows.grown == 50 + 3 * 7


def test_a_row_put_without_keeping_it_replaces_what_the_cache_had() -> None:
    rows = Rows(Boxes(), Durable(), Cache(10_000))
    rows.put(b"a", [1], 50)
    rows.put(b"a", [2], 50, keep=False)
    assert rows.get(b"a") == [2]
