"""On real Kafka: tombstones, stores that were away, topics made anew and longer, rows of an older schema."""

from __future__ import annotations

import shutil
from typing import Any

from streamer.engine.exits import Exit
from streamer.engine.partition_row import (
    PARTITION_KEY,
    TOMBSTONE_HEADER,
    PartitionRow,
    decode_partition_row,
    tombstone_header,
)
from tests.engine import cluster, oracle
from tests.engine.workshop import Workshop

KILLED = -9
SLOW: dict[str, Any] = {"slow_ms": 5, "commit": 0.2, "poll": 100, "unit_target": 20_000}


async def partition_rows(workshop: Workshop) -> list[PartitionRow]:
    log = await cluster.read(workshop.bootstrap, workshop.changelog, workshop.partitions)
    return [decode_partition_row(rows[PARTITION_KEY]) for rows in oracle.counted(log)]


async def tombstones(workshop: Workshop) -> int:
    log = await cluster.read(workshop.bootstrap, workshop.changelog, workshop.partitions)
    return sum(r.value is None for records in log for r in records)


def marks(workshop: Workshop) -> int:
    """Delete marks without a tombstone in the local store, whose process has ended."""
    from rocksdict import AccessType, Options, Rdict

    db = Rdict(str(workshop.folder / "w0" / "db"), Options(raw_mode=True), access_type=AccessType.read_only())
    found = sum(key[:1] == b"\xfd" for key, _ in db.items())
    db.close()
    return found


async def test_deletes_become_tombstones_whatever_dies_and_a_late_one_does_not_count(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(1, 6_000))
    process = workshop.spawn(**SLOW)
    await workshop.until_applied(2_000, process)
    assert await workshop.stop(process) == 0
    assert marks(workshop) > 0
    assert await tombstones(workshop) == 0, "they are young"
    for failpoint in ("in_changelog:3", "after_changelog:6"):
        assert await workshop.wait(workshop.spawn(failpoint, tombstone_after=0.0, **SLOW)) == KILLED, workshop.tail()
    workshop.wipe()
    assert await workshop.finish(tombstone_after=0.0) == {}
    assert await tombstones(workshop) > 500
    assert marks(workshop) == 0

    log = await cluster.read(workshop.bootstrap, workshop.changelog, workshop.partitions)
    head = next(r.key for r in log[0] if r.key is not None and r.key[:1] == b"h")
    late = [(TOMBSTONE_HEADER, tombstone_header(1, log[0][-1].offset - 3, 1))]
    for headers in (late, []):
        await cluster.publish_one(workshop.bootstrap, workshop.changelog, 0, head, None, headers)
        assert await workshop.finish(tombstone_after=0.0) == {}, "a paused worker's tombstone deletes nothing"


async def test_a_state_folder_from_before_a_tombstone_is_built_anew(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(2, 3_000))
    assert await workshop.finish() == {}
    shutil.copytree(workshop.folder / "w0" / "db", workshop.folder / "old")
    await workshop.publish(oracle.events(3, 2_000))
    assert await workshop.finish(tombstone_after=0.0) == {}
    shutil.rmtree(workshop.folder / "w0" / "db")
    shutil.copytree(workshop.folder / "old", workshop.folder / "w0" / "db")
    assert await workshop.finish() == {}
    assert "built anew" in workshop.tail()


async def test_a_source_made_anew_and_longer_is_refused(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(4, 1_000))
    assert await workshop.finish() == {}
    await cluster.made_anew(workshop.bootstrap, workshop.config.source, workshop.partitions)
    await workshop.publish(oracle.events(5, 4_000))
    assert await workshop.wait(workshop.spawn()) == Exit.CONFIG
    assert "deleted and made anew" in workshop.tail()
    assert all(row.source_id for row in await partition_rows(workshop))
    assert all(await cluster.committed_notes(workshop.bootstrap, workshop.name, workshop.config.source))


async def test_a_changelog_made_anew_and_longer_is_refused(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(6, 500))
    assert await workshop.finish() == {}
    compacted = {**cluster.COMPACTED, "message.timestamp.type": "LogAppendTime"}
    await cluster.made_anew(workshop.bootstrap, workshop.changelog, workshop.partitions, compacted)
    ends = await cluster.end_offsets(workshop.bootstrap, workshop.config.source, workshop.partitions)
    await cluster.publish(
        workshop.bootstrap, workshop.changelog, ((b"k%d" % i, b"v" * 20) for i in range(8 * sum(ends)))
    )
    assert await workshop.wait(workshop.spawn()) == Exit.CONFIG
    assert "the changelog was deleted or made anew" in workshop.tail()


async def test_rows_of_an_older_schema_are_upgraded_in_place_and_a_kill_in_the_middle_is_no_harm(
    workshop: Workshop,
) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(7, 6_000))
    assert await workshop.finish() == {}
    assert [(row.schema, row.newest) for row in await partition_rows(workshop)] == [(1, 1)] * 4
    await workshop.publish(oracle.events(8, 500))
    workshop.config.schema = 2
    assert await workshop.wait(workshop.spawn("after_changelog:6", **SLOW)) == KILLED, workshop.tail()
    assert (1, 2) in [(row.schema, row.newest) for row in await partition_rows(workshop)], "killed in the middle"
    assert await workshop.wait(workshop.spawn(schema=1)) == Exit.CONFIG
    assert "this program knows 1" in workshop.tail()
    assert await workshop.finish() == {}
    assert [(row.schema, row.newest) for row in await partition_rows(workshop)] == [(2, 2)] * 4
    assert await workshop.wait(workshop.spawn(schema=4)) == Exit.CONFIG
    assert "start the program of schema 3 first" in workshop.tail()
