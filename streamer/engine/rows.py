"""A partition's rows as a handler sees them: every change of every unit, durable or not. Not for: storing (``store``).

A read looks in the cache, in the open unit, in the units under way (newest first), in the local store. One key is one
object as long as anything refers to it, so a handler may change it in place and ``put`` it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge
from typing import Final, Protocol

from streamer.engine.cache import Cache

#: What a deleted row costs in the changelog: origin and record framing.
DELETE_BYTES: Final = 40


class Codec(Protocol):
    """How a table's rows become bytes; the key tells the kind of row."""

    def encode(self, key: bytes, value: object) -> bytes: ...

    def decode(self, key: bytes, raw: bytes | memoryview) -> object: ...


class Reader(Protocol):
    """What is durable of one partition."""

    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, prefix: bytes, stop: bytes | None) -> Iterator[tuple[bytes, bytes]]: ...


class Frozen:
    """The changes of one unit under way: key → encoded row, None for deleted."""

    __slots__ = ("_sorted", "payloads")

    def __init__(self, payloads: dict[bytes, bytes | None]) -> None:
        self.payloads = payloads
        self._sorted: dict[int, list[bytes]] = {}

    def keys_of(self, kind: int) -> list[bytes]:
        """Sorted keys that begin with the byte ``kind``."""
        keys = self._sorted.get(kind)
        if keys is None:
            keys = self._sorted[kind] = sorted(k for k in self.payloads if k[0] == kind)
        return keys


class Rows:
    """Ordered map of one partition: bytes → the codec's values. Keys have at least one byte."""

    __slots__ = ("_cache", "_codec", "_flying", "_reader", "_sizes", "_sorted", "dirty", "grown")

    def __init__(self, codec: Codec, reader: Reader, cache: Cache) -> None:
        self._codec = codec
        self._reader = reader
        self._cache = cache
        #: Changes of the open unit: key → value, None for deleted.
        self.dirty: dict[bytes, object | None] = {}
        #: Estimated bytes of these changes.
        self.grown = 0
        self._flying: list[Frozen] = []
        self._sizes: dict[bytes, int] = {}
        self._sorted: dict[int, list[bytes]] = {}

    def get(self, key: bytes) -> object | None:
        """The row, or None."""
        cache = self._cache
        value = cache.young.get(key)
        if value is not None:
            return value
        if key in cache.old:
            return cache.get(key)
        if key in self.dirty:
            return self.dirty[key]
        for frozen in reversed(self._flying):
            if key in frozen.payloads:
                return self._decoded(key, frozen.payloads[key])
        raw = self._reader.get(key)
        return None if raw is None else self._decoded(key, raw)

    def put(self, key: bytes, value: object, grow: int, keep: bool = True) -> None:
        """Writes a row. ``grow``: the estimated bytes of the whole row with its key; a unit counts a row once, at its
        largest. ``keep=False``: it will hardly be read again soon, do not let it push others out of the cache; the unit
        counts it each time."""
        dirty = self.dirty
        if not keep:
            if self._sorted and key not in dirty:
                self._index(key)
            dirty[key] = value
            self.grown += grow
            cache = self._cache
            if key in cache.young or key in cache.old:
                cache.forget(key)
            return
        known = self._sizes.get(key, 0)
        if grow <= known and dirty.get(key) is value:
            return  # the unit has this very object and encodes it when it is cut
        if self._sorted and key not in dirty:
            self._index(key)
        dirty[key] = value
        if grow > known:
            self._sizes[key] = grow
            self.grown += grow - known
        self._cache.changed(key, value, grow)

    def delete(self, key: bytes) -> None:
        """Removes a row, whether it exists or not."""
        if self._sorted and key not in self.dirty:
            self._index(key)
        self.dirty[key] = None
        self.grown += len(key) + DELETE_BYTES
        self._cache.forget(key)

    def scan(self, prefix: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, object]]:
        """Rows whose key begins with ``prefix`` (at least one byte) and is below ``stop``, in the order of their keys.

        Shows which keys existed when it began, and their present values; keys deleted meanwhile are left out."""
        if not prefix:
            raise ValueError("scan needs a prefix of at least one byte")
        overlay = self._changed_keys(prefix, stop)
        stored = self._reader.scan(prefix, stop)
        last = None
        for key, raw in merge(((k, None) for k in overlay), stored, key=_first):
            if key == last:
                continue
            last = key
            value = self._current(key, raw)
            if value is not None:
                yield key, value

    # -- the engine's side

    def freeze(self) -> Frozen:
        """Encodes the open unit's changes, in the order of their keys; from here on they belong to a unit under way."""
        encode, dirty = self._codec.encode, self.dirty
        frozen = Frozen({k: None if (v := dirty[k]) is None else encode(k, v) for k in sorted(dirty)})
        frozen._sorted = self._sorted
        self._flying.append(frozen)
        self.dirty = {}
        self._sizes = {}
        self._sorted = {}
        self.grown = 0
        return frozen

    @property
    def held_bytes(self) -> int:
        """What the cached rows cost, estimated."""
        return self._cache.held_bytes

    def turn(self) -> None:
        """Between events: lets the cache forget what has not been used lately."""
        self._cache.turn()

    def landed(self, frozen: Frozen) -> None:
        """The unit is in the local store."""
        self._flying.remove(frozen)

    def _decoded(self, key: bytes, raw: bytes | None) -> object | None:
        if raw is None:
            return None
        value = self._codec.decode(key, raw)
        self._cache.loaded(key, value, len(raw))
        return value

    def _current(self, key: bytes, raw: bytes | None) -> object | None:
        value = self._cache.get(key)
        if value is not None:
            return value
        if raw is None or key in self.dirty or any(key in f.payloads for f in self._flying):
            return self.get(key)
        return self._decoded(key, raw)

    def _index(self, key: bytes) -> None:
        keys = self._sorted.get(key[0])
        if keys is not None:
            insort(keys, key)

    def _changed_keys(self, prefix: bytes, stop: bytes | None) -> list[bytes]:
        kind = prefix[0]
        keys = self._sorted.get(kind)
        if keys is None:
            keys = self._sorted[kind] = sorted(k for k in self.dirty if k[0] == kind)
        found = set(_range(keys, prefix, stop))
        for frozen in self._flying:
            found.update(_range(frozen.keys_of(kind), prefix, stop))
        return sorted(found)


def _first(pair: tuple[bytes, bytes | None]) -> bytes:
    return pair[0]


def _range(keys: list[bytes], prefix: bytes, stop: bytes | None) -> list[bytes]:
    start = bisect_left(keys, prefix)
    end = start
    while end < len(keys) and keys[end].startswith(prefix) and (stop is None or keys[end] < stop):
        end += 1
    return keys[start:end]
