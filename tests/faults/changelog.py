"""What changelogs add up to: rows by partition, when each alert landed, and what local stores must hold at their positions.

Not for: the engine's own reading of it (``streamer.engine.replay``), which is one of the things judged here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

from streamer import kafka_io
from streamer.domain.replay import Replay
from streamer.domain.state import Codec
from streamer.engine.partition_row import ORIGIN_BYTES, PARTITION_KEY, is_void
from streamer.engine.store import Store
from tests.faults.in_flight import Landings

TABLE: Final = "dossier"

Rows = dict[bytes, bytes]


class Stored(NamedTuple):
    """One partition in the local store of one worker that has ended: its rows up to a changelog position (exclusive)."""

    folder: Path
    partition: int
    position: int
    rows: Rows


def stored(folder: Path, partitions: int) -> list[Stored]:
    """What a worker's state folder holds; nothing where there is none."""
    if not (folder / "db").exists():
        return []
    store, found = Store(folder), []
    try:
        table = store.table_id(TABLE)
        for partition in range(partitions):
            kept = store.partition(table, partition)
            position = kept.position()
            if position is not None:
                found.append(Stored(folder, partition, position, dict(kept.after(b""))))
    finally:
        store.close()
    return found


class Fold:
    """Reads one changelog from its begin to its end. ``differ``: rows of a local store that are not those of the changelog up to
    its position; ``level``: partitions of which a store holds everything."""

    def __init__(self, topic: str, partitions: int, stores: list[Stored]) -> None:
        self.topic = topic
        self.rows: dict[int, Rows] = {p: {} for p in range(partitions)}
        self.void = 0
        self.differ: list[tuple[str, int, bytes]] = []
        self.compared = 0
        self.level: set[int] = set()
        self._waiting = sorted(stores, key=lambda store: store.position)
        self._records: Counter[int] = Counter()

    async def read(self, messages: AsyncIterator[kafka_io.Message], ends: dict[int, int], landings: Landings) -> None:
        """``ends``: where the log ended when reading began."""
        async for message in messages:
            self._compare(message.partition, message.offset)
            self._take(message, landings)
        for store in [*self._waiting]:
            if store.position == ends[store.partition]:
                self.level.add(store.partition)
                self._look(store)
            elif store.position > ends[store.partition]:
                self.differ.append((str(store.folder), store.partition, b"beyond the changelog's end"))

    def _take(self, message: kafka_io.Message, landings: Landings) -> None:
        self._records[message.partition] += 1
        key, value = message.key or b"", message.value
        if is_void(value, message.offset, message.headers):
            self.void += 1
            return
        payload = (value or b"")[ORIGIN_BYTES:]
        if payload and value:
            self.rows[message.partition][key] = payload
            landings.row(self.topic, message.partition, message.offset, key, value)
        else:
            self.rows[message.partition].pop(key, None)

    def _compare(self, partition: int, offset: int) -> None:
        """Stores whose position is the record that comes next; in a log with holes nothing can be said of the past."""
        for store in [s for s in self._waiting if s.partition == partition and s.position <= offset]:
            self._waiting.remove(store)
            if self._records[partition] == store.position:
                self._look(store)

    def _look(self, store: Stored) -> None:
        wanted = self.rows[store.partition]
        self.compared += len(wanted)
        for key in wanted.keys() | store.rows.keys():
            if wanted.get(key) != store.rows.get(key):
                self.differ.append((store.folder.name, store.partition, key))


async def fold(bootstrap: str, topic: str, stores: list[Stored], landings: Landings) -> Fold:
    begin, end = await kafka_io.bounds(bootstrap, [topic], committed_only=False)
    found = Fold(topic, len(end), stores)
    messages = kafka_io.read(bootstrap, begin, end, committed_only=False)
    await found.read(messages, {p: offset for (_, p), offset in end.items()}, landings)
    return found


def against_replay(rows: dict[int, Rows], replay: Replay) -> list[tuple[int, str, bytes]]:
    """Rows that are not replay's: other bytes, and other values, too."""
    codec, wrong = Codec(), []
    for partition, all_rows in rows.items():
        found = {key: raw for key, raw in all_rows.items() if key != PARTITION_KEY}
        wanted = replay.rows[partition].raw
        for key in found.keys() | wanted.keys():
            a, b = found.get(key), wanted.get(key)
            if a != b and (a is None or b is None or codec.decode(key, a) != codec.decode(key, b)):
                wrong.append((partition, key[:1].decode(), key[1:10]))
    return wrong
