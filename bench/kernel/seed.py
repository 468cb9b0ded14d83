"""State of very many entities with one fact each, as our kernel job would have it. Not for: events.

``python -m bench.kernel.seed FOLDER ENTITIES`` lays it into a local store; ``changelog`` writes it as changelog records. Names
and fact ids are scattered like real ones: neighbours in the store are strangers, and nothing of them can be compressed away.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.cluster import Cluster
from bench.kernel import ours
from bench.kernel.workload import PARTITIONS
from bench.raw import Clock, answer
from streamer.engine.partition_row import origin
from streamer.engine.store import Store

BATCH_ROWS: Final = 50_000
_BITS: Final = (1 << 64) - 1
#: Odd, so that multiplying by them (mod 2^64) gives every number another one; of splitmix64.
_NAMES: Final = 0x9E3779B97F4A7C15
_FACTS: Final = 0xBF58476D1CE4E5B9


def name(number: int) -> str:
    """An entity; 18 characters, as a unified code has."""
    return f"91{number * _NAMES & _BITS:016X}"


def fact_id(number: int) -> str:
    """The fact that it has."""
    mixed = (number + 1) * _FACTS & _BITS
    return f"s{number % 8:02d}|{mixed ^ mixed >> 29:016x}"


def rows(partition: int, entities: int) -> Iterator[tuple[bytes, bytes]]:
    """Of one partition, in the order of their keys: entity n lies in partition n % 4."""
    numbers = sorted(range(partition, entities, PARTITIONS), key=lambda number: number * _NAMES & _BITS)
    for number in numbers:
        row = ours.encode_row(ours.Fact(fine(number), 1))
        yield b"%b%b/%b" % (ours.FACT, name(number).encode(), fact_id(number).encode()), row
    for number in numbers:
        yield ours.HEAD + name(number).encode(), ours.encode_row(ours.Head(False, 1, [fact_id(number)]))


def fine(number: int) -> int:
    return 1_000 + number * 7_919 % 499_000


def local(folder: Path, entities: int) -> int:
    """Into a new local store, which then is at the begin of an empty changelog; how many rows."""
    store = Store(folder)
    table, count = store.table_id(ours.TABLE), 0
    for partition in range(PARTITIONS):
        stored = store.partition(table, partition)
        batch: list[tuple[bytes, bytes]] = []
        for row in rows(partition, entities):
            batch.append(row)
            if len(batch) == BATCH_ROWS:
                stored.write(batch, 0)
                count += len(batch)
                batch = []
        stored.write(batch, 0)
        count += len(batch)
    store.flush(wait=True)
    store._db.compact_range(None, None)  # so that no run pays for the loading
    store.close()
    return count


async def changelog(cluster: Cluster, topic: str, entities: int) -> int:
    """As records with their origins; how many."""
    await cluster.create(topic, ours.CHANGELOG_SETTINGS)
    async with cluster.filling(topic) as fill:
        for partition in range(PARTITIONS):
            for position, (key, value) in enumerate(rows(partition, entities)):
                await fill.add(partition, key, origin(0, position) + value)
    return sum(fill.following)


if __name__ == "__main__":
    clock = Clock()
    with clock:
        made = local(Path(sys.argv[1]), int(sys.argv[2]))
    answer(clock, rows=made)
