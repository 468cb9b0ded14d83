"""State of very many entities with one fact each, as our kernel job would have it. Not for: events.

``python -m bench.kernel.seed FOLDER ENTITIES`` lays it into a local store; ``changelog`` writes it as changelog records.
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

FACT_ID: Final = "s00|0123456789abcdef"
BATCH_ROWS: Final = 50_000
_FACT: Final = ours.encode_row(ours.Fact(10_000, 1))
_HEAD: Final = ours.encode_row(ours.Head(False, 1, [FACT_ID]))


def name(number: int) -> str:
    """An entity; names sort like their numbers."""
    return f"91{number:016d}"


def rows(partition: int, entities: int) -> Iterator[tuple[bytes, bytes]]:
    """Of one partition, in the order of their keys: entity n lies in partition n % 4."""
    suffix = b"/" + FACT_ID.encode()
    for number in range(partition, entities, PARTITIONS):
        yield ours.FACT + name(number).encode() + suffix, _FACT
    for number in range(partition, entities, PARTITIONS):
        yield ours.HEAD + name(number).encode(), _HEAD


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
