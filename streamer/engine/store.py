"""The local store: one RocksDB database a process, behind the changelog and never ahead of it. Not for: the truth (that is
the changelog), so nothing here is synced: what a power cut takes is read again.

Keys: table id (1 byte, persisted by name) + partition (2 bytes) + row key. Each partition's changelog position, its delete
marks that no tombstone follows yet (in their order, and the latest of each key), and its keys whose last record is void are
written in the same batch as the rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from streamer.engine.exits import Exit, Refusal

#: RocksDB's name of the only column family.
_FAMILY: Final = "default"
_PREFIX: Final = struct.Struct(">BH")
_U64: Final = struct.Struct(">Q")
#: position, verified, rebuilding since (ms), changelog's topic id.
_MARK: Final = struct.Struct(">QQQ16s")
_POSITION_MARK: Final = b"\xff"
_TABLE_MARK: Final = b"\xfe"
_DELETED_MARK: Final = b"\xfd"
_SPOILED_MARK: Final = b"\xfc"
#: Followed by nothing: all marks are in this index, too (a store from before it has none).
_LATEST_MARK: Final = b"\xfb"
#: The topic id of a changelog whose broker does not tell.
NO_ID: Final = bytes(16)
#: Table ids above are the store's own marks.
MAX_TABLES: Final = 0xF0

#: Marks of an older store that are indexed at a time.
_INDEX_BATCH: Final = 10_000

#: As the budget of a process shares them out by default.
MEMTABLES_BYTES: Final = 80 << 20
BLOCK_CACHE_BYTES: Final = 64 << 20
#: Memtables at once: one is written to, the others are on their way to files.
MEMTABLES: Final = 2
BLOOM_BITS: Final = 10
METADATA_BLOCK_BYTES: Final = 4 << 10
#: A look-up of a missing key: 6.4 µs as shipped, 0.55 µs with filters on files and memtable.
MEMTABLE_BLOOM_RATIO: Final = 0.1


class Deleted(NamedTuple):
    """A delete mark in the changelog: its offset, when it was written, the key."""

    offset: int
    time_ms: int
    key: bytes


class Position(NamedTuple):
    """How far the rows of a partition go.

    ``position``: the changelog offset up to which (exclusive) they include everything that was read. ``verified``: up to
    where nothing can have been missed by reading late. ``since_ms``: when a rebuild began that is not through; 0: none.
    """

    position: int
    verified: int
    since_ms: int = 0
    topic_id: bytes = NO_ID


class Notes(NamedTuple):
    """What is written with rows beside them: ``deleted`` marks in order, offset and key of those ``settled``, keys ``spoiled``
    (their last record is void) and ``healed``. ``verified`` None: the position."""

    deleted: Iterable[Deleted] = ()
    settled: Iterable[tuple[int, bytes]] = ()
    spoiled: Iterable[bytes] = ()
    healed: Iterable[bytes] = ()
    verified: int | None = None
    since_ms: int = 0


NOTHING: Final = Notes()


class Store:
    """All tables of one process. Raises Refusal(CONFIG) when the folder cannot be opened."""

    def __init__(
        self, folder: Path, *, blocks_bytes: int = BLOCK_CACHE_BYTES, memtables_bytes: int = MEMTABLES_BYTES
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            options = _options(blocks_bytes, memtables_bytes)
            # Named for the family, too: a database that exists is opened with the options in its folder else, its cache 8 MB.
            self._db = Rdict(str(folder / "db"), options, column_families={_FAMILY: options})
        except Exception as exc:
            raise Refusal(Exit.CONFIG, f"state folder {folder} cannot be opened ({type(exc).__name__}: {exc})") from exc
        self._writing = WriteOptions()
        self._writing.disable_wal = True  # type: ignore[method-assign,assignment]  # a property, whatever its stub says

    def table_id(self, name: str) -> int:
        """The id of a table, the same for ever in this folder."""
        key = _TABLE_MARK + name.encode()
        raw = self._db.get(key)
        if raw is not None:
            return int(raw[0])
        marks = self._db.items(from_key=_TABLE_MARK)
        taken = [raw[0] for mark, raw in marks if isinstance(mark, bytes) and mark.startswith(_TABLE_MARK)]
        number = max(taken, default=-1) + 1
        if number >= MAX_TABLES:
            raise Refusal(Exit.CONFIG, f"more than {MAX_TABLES} tables in one state folder")
        self._db[key] = bytes([number])
        return number

    def partition(self, table_id: int, partition: int) -> StoredPartition:
        stored = StoredPartition(self._db, self._writing, _PREFIX.pack(table_id, partition))
        stored.index_marks()
        return stored

    def flush(self, *, wait: bool) -> None:
        """Moves what is in memory to files; without it a restart reads more of the changelog."""
        self._db.flush(wait)

    def held_bytes(self) -> dict[str, int]:
        """Memory by part, as RocksDB counts it."""
        names = {"blocks": "rocksdb.block-cache-usage", "memtables": "rocksdb.size-all-mem-tables"}
        return {part: self._db.property_int_value(name) or 0 for part, name in names.items()}

    def close(self) -> None:
        self._db.flush(True)
        self._db.close()


class StoredPartition:
    """The durable rows of one partition of one table: a ``rows.Reader``, and the writing side of commit and recovery."""

    __slots__ = ("_db", "_deleted", "_latest", "_mark", "_prefix", "_spoiled", "_writing", "topic_id")

    def __init__(self, db: Rdict, writing: WriteOptions, prefix: bytes) -> None:
        self._db = db
        self._writing = writing
        self._prefix = prefix
        self._mark = _POSITION_MARK + prefix
        self._deleted = _DELETED_MARK + prefix
        self._spoiled = _SPOILED_MARK + prefix
        self._latest = _LATEST_MARK + prefix
        #: The changelog that positions are written for.
        self.topic_id = NO_ID

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._db.get(self._prefix + key)
        return value

    def scan(self, prefix: bytes, stop: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """Rows from ``prefix`` on that begin with it and are below ``stop``, in order."""
        own, begin = len(self._prefix), self._prefix + prefix
        end = None if stop is None else self._prefix + stop
        for key, value in self._from(begin, begin):
            if end is not None and key >= end:
                return
            yield key[own:], value

    def after(self, cursor: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All rows whose key is greater than ``cursor``, in order."""
        own = len(self._prefix)
        for key, value in self._from(self._prefix + cursor + b"\x00", self._prefix):
            yield key[own:], value

    def deleted(self, start: int = 0) -> Iterator[Deleted]:
        """Delete marks from the changelog offset ``start`` on that no tombstone follows yet, in order."""
        own = len(self._deleted)
        for mark, value in self._from(self._deleted + _U64.pack(start), self._deleted):
            yield Deleted(_U64.unpack_from(mark, own)[0], _U64.unpack_from(value)[0], value[_U64.size :])

    def latest_mark(self, key: bytes) -> int | None:
        """The offset of a key's last delete mark, if no tombstone follows it yet."""
        raw = self._db.get(self._latest + key)
        return None if raw is None else int(_U64.unpack(raw)[0])

    def index_marks(self) -> None:
        """Once for a store from before marks were found by their keys."""
        if self._db.get(self._latest) is not None:
            return
        batch = WriteBatch(raw_mode=True)
        for mark in self.deleted():
            batch.put(self._latest + mark.key, _U64.pack(mark.offset))
            if batch.len() >= _INDEX_BATCH:
                self._db.write(batch, self._writing)
                batch = WriteBatch(raw_mode=True)
        batch.put(self._latest, b"")
        self._db.write(batch, self._writing)

    def spoiled(self) -> set[bytes]:
        """Keys whose last changelog record is void."""
        return {key[len(self._spoiled) :] for key, _ in self._from(self._spoiled, self._spoiled)}

    def _from(self, start: bytes, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        options = ReadOptions()
        options.set_total_order_seek(True)
        it = self._db.iter(options)
        it.seek(start)
        while it.valid():
            key: bytes = it.key()
            if not key.startswith(prefix):
                return
            yield key, it.value()
            it.next()
        it.status()

    def mark(self) -> Position | None:
        """How far the rows go; None: nothing is stored."""
        raw = self._db.get(self._mark)
        if raw is None:
            return None
        if len(raw) == _U64.size:  # written before there were tombstones
            position = int(_U64.unpack(raw)[0])
            return Position(position, position)
        return Position(*_MARK.unpack(raw))

    def position(self) -> int | None:
        """The changelog offset up to which (exclusive) the rows include everything; None: nothing is stored."""
        mark = self.mark()
        return None if mark is None else mark.position

    def write(
        self,
        rows: Mapping[bytes, bytes | None] | Iterable[tuple[bytes, bytes | None]],
        position: int,
        notes: Notes = NOTHING,
    ) -> None:
        """Rows (None: deleted), position and notes, in one batch."""
        batch, prefix = WriteBatch(raw_mode=True), self._prefix
        # In the order of the keys: neighbours lie near each other in memory, which halves what an insertion costs.
        values = rows if isinstance(rows, Mapping) else dict(rows)
        for key in sorted(values):
            value = values[key]
            if value is None:
                batch.delete(prefix + key)
            else:
                batch.put(prefix + key, value)
        if notes is not NOTHING:
            self._note(batch, notes)
        verified = position if notes.verified is None else notes.verified
        batch.put(self._mark, _MARK.pack(position, verified, notes.since_ms, self.topic_id))
        self._db.write(batch, self._writing)

    def _note(self, batch: WriteBatch, notes: Notes) -> None:
        latest: dict[bytes, int] = {}
        for offset, time_ms, key in notes.deleted:
            batch.put(self._deleted + _U64.pack(offset), _U64.pack(time_ms) + key)
            batch.put(self._latest + key, _U64.pack(offset))
            latest[key] = offset
        for offset, key in notes.settled:
            batch.delete(self._deleted + _U64.pack(offset))
            if offset == (latest[key] if key in latest else self.latest_mark(key)):
                batch.delete(self._latest + key)
        for key in notes.spoiled:
            batch.put(self._spoiled + key, b"")
        for key in notes.healed:
            batch.delete(self._spoiled + key)

    def wipe(self) -> None:
        """Forgets the partition."""
        batch = WriteBatch(raw_mode=True)
        batch.delete(self._mark)
        for prefix in (self._prefix, self._deleted, self._spoiled, self._latest):
            batch.delete_range(prefix, _after(prefix))
        batch.put(self._latest, b"")
        self._db.write(batch, self._writing)


def _after(prefix: bytes) -> bytes:
    return (int.from_bytes(prefix, "big") + 1).to_bytes(len(prefix), "big")


def _options(blocks_bytes: int, memtables_bytes: int) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(memtables_bytes // MEMTABLES)
    options.set_max_write_buffer_number(MEMTABLES)
    options.set_db_write_buffer_size(memtables_bytes)
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(BLOOM_BITS, False)
    blocks.set_block_cache(Cache(blocks_bytes))
    # Index and filters grow with the state: counted among the blocks, in parts of a block's size (a file's whole filter, 1 MB and
    # more, fits no shard of the cache, and was read again for nearly every key), what leads to the parts always kept.
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    blocks.set_index_type(BlockBasedIndexType.two_level_index_search())
    blocks.set_partition_filters(True)
    blocks.set_metadata_block_size(METADATA_BLOCK_BYTES)
    blocks.set_pin_top_level_index_and_filter(True)
    options.set_block_based_table_factory(blocks)
    options.set_memtable_whole_key_filtering(True)
    options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM_RATIO)
    options.set_max_open_files(256)
    options.set_keep_log_file_num(2)
    return options
