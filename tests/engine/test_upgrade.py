"""Rows of an older schema, and marks that are due, between a lane's units. No Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.engine.chores import Chores
from streamer.engine.exits import Exit, Refusal
from streamer.engine.metrics import Metrics
from streamer.engine.partition import OwnedPartition
from streamer.engine.partition_row import PARTITION_KEY, PartitionRow, decode_partition_row, encode_partition_row
from streamer.engine.progress import LINE_S, LONG_RECORDS, Progress
from streamer.engine.starts import same_topic
from streamer.engine.thread import Start
from streamer.engine.upgrade import STEP_BYTES, STEP_ROWS, Upgrade, check_schema
from tests.engine.lane_bench import Bench
from tests.engine.toy import SECOND, Fact, ToyCodec


class Known:
    """What check_schema asks of an owned partition."""

    def __init__(self, schema: int, newest: int = 0, *, known: bool = True) -> None:
        self.row = PartitionRow(schema=schema, newest=newest)
        self.known = known


@pytest.mark.parametrize(
    ("have", "want", "upgrade"),
    [
        (Known(0), 1, False),
        (Known(0), 2, True),
        (Known(2, 2), 2, False),
        (Known(1, 2), 2, True),  # killed in the middle
        (Known(0, known=False), 7, False),
    ],
)
def test_which_rows_are_upgraded(have: Any, want: int, upgrade: bool) -> None:
    assert check_schema("t-0", have, want) is upgrade
    assert have.row.newest == want


@pytest.mark.parametrize(
    ("have", "want", "text"),
    [
        (Known(2, 2), 1, "holds rows of schema 2, this program knows 1"),
        (Known(1, 2), 1, "holds rows of schema 2, this program knows 1"),
        (Known(1, 2), 3, "start the program of schema 2 first"),
        (Known(0), 3, "start the program of schema 2 first"),
    ],
)
def test_rows_that_cannot_be_read_are_refused(have: Any, want: int, text: str) -> None:
    with pytest.raises(Refusal, match=text) as refused:
        check_schema("t-0", have, want)
    assert refused.value.code is Exit.CONFIG


def old(bench: Bench, rows: int) -> OwnedPartition:
    """The bench's partition, full of rows of schema 1."""
    assert bench.owned is not None
    codec = ToyCodec(1)
    stored = {b"f%05d" % i: codec.encode(b"f", Fact(i)) for i in range(rows)}
    bench.owned.stored.write({**stored, PARTITION_KEY: encode_partition_row(PartitionRow(applied=-1))}, 0)
    bench.owned.known = True
    bench.owned.rows._codec = ToyCodec(2)
    return bench.owned


def with_chores(bench: Bench, owned: OwnedPartition) -> None:
    upgrade = Upgrade("t-0", owned, ToyCodec(2), 2, bench.runtime.metrics)
    bench.lane.chores = Chores(owned, upgrade, bench.runtime.now_ms)


async def test_all_rows_are_written_again_in_units_and_the_row_says_so_last(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    owned = old(bench, 3 * STEP_ROWS)
    with_chores(bench, owned)
    bench.lane.tidy_soon()
    for _ in range(10):
        await bench.settle()
    facts = dict(owned.stored.scan(b"f", None))
    assert len(facts) == 3 * STEP_ROWS
    assert all(raw[:1] == SECOND for raw in facts.values())
    said = [decode_partition_row((m.value or b"")[16:]) for m in bench.rows if m.key == PARTITION_KEY]
    assert len(said) >= 4, "bounded pieces, not one unit"
    assert [(row.schema, row.newest) for row in said] == [(1, 2)] * (len(said) - 1) + [(2, 2)]
    assert not bench.lane.chores.pending  # type: ignore[union-attr]


async def test_a_piece_of_the_upgrade_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    """Large rows, as those of alerts: else one piece would not fit a batch, at every start again."""
    bench = Bench(tmp_path)
    owned = old(bench, 0)
    large = STEP_BYTES // 4
    owned.stored.write({b"f%05d" % i: b"x" * large for i in range(20)}, 0)
    owned.rows._codec = Other()
    bench.lane.chores = Chores(owned, Upgrade("t-0", owned, Other(), 2, bench.runtime.metrics), bench.runtime.now_ms)
    grown = list[int]()
    work = bench.lane.chores.work

    def watched(unit: Any) -> None:
        before = owned.rows.grown
        work(unit)
        grown.append(owned.rows.grown - before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chores, "work", lambda _self, unit: watched(unit))
        bench.lane.tidy_soon()
        while bench.lane.chores.pending:
            await bench.settle()
    for _ in range(10):
        await bench.settle()
    assert max(grown) < STEP_BYTES + 2 * large
    assert all(raw == b"y" * large for _, raw in owned.stored.scan(b"f", None))


class Other:
    """A codec whose schema 2 writes other bytes than 1 did."""

    def encode(self, key: bytes, value: object) -> bytes:
        assert isinstance(value, bytes)
        return value

    def decode(self, key: bytes, raw: bytes | memoryview) -> object:
        return b"y" * len(raw)


async def test_a_row_that_a_unit_under_way_changed_or_deleted_is_not_brought_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    owned = old(bench, 10)
    with_chores(bench, owned)
    bench.appends.gate.clear()

    def change(part: Any, _record: Any) -> None:
        part.rows.delete(b"f00001")
        part.rows.put(b"f00002", Fact(99), 50)

    bench.handle(bench.slice(1), change)
    await bench.settle()
    assert bench.lane.units, "its append is on its way"
    bench.lane.tidy_soon()
    await bench.settle()
    bench.appends.gate.set()
    for _ in range(10):
        await bench.settle()
    assert owned.stored.get(b"f00001") is None
    assert ToyCodec(2).decode(b"f", owned.stored.get(b"f00002") or b"") == Fact(99)
    assert owned.row.schema == 2


async def test_marks_that_are_due_make_a_unit_of_their_own_while_idle(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    owned = bench.owned
    assert owned is not None
    with_chores(bench, owned)
    clock = [1_000_000]
    bench.runtime.now_ms = lambda: clock[0]
    bench.lane.chores._now_ms = bench.runtime.now_ms  # type: ignore[union-attr]
    bench.handle(bench.slice(1), lambda part, _: part.rows.delete(b"gone"))
    await bench.settle()
    assert [m.key for m in bench.rows] == [b"gone", PARTITION_KEY]
    bench.lane.tidy_soon()
    await bench.settle()
    assert len(bench.rows) == 2, "it is young"
    clock[0] += 6 * 3600 * 1000
    bench.lane.tidy_soon()
    await bench.settle()
    tail = bench.rows[2:]
    assert [(m.key, m.value) for m in tail[1:]] == [(b"gone", None)]
    assert decode_partition_row((tail[0].value or b"")[16:]).tombstoned == 0
    assert list(owned.stored.deleted()) == []
    assert owned.stored.position() == owned.position == 4
    bench.lane.tidy_soon()
    await bench.settle()
    assert len(bench.rows) == 4


@pytest.mark.parametrize(
    ("topic_id", "start", "source_id", "refused"),
    [
        ("aa", Start(0, 9, 5, "aa"), "aa", False),
        ("aa", Start(0, 9, 5, "bb"), "", True),
        ("aa", Start(0, 9, None, ""), "bb", True),
        ("", Start(0, 9, 5, "bb"), "bb", False),
        ("aa", Start(0, 9, 5, ""), "", False),
    ],
)
def test_offsets_of_another_topic_of_the_same_name_are_refused(
    topic_id: str, start: Start, source_id: str, refused: bool
) -> None:
    owned: Any = Known(1)
    owned.row.source_id = source_id
    if not refused:
        same_topic("t-0", topic_id, start, owned)
        same_topic("t-0", topic_id, start, None)
        return
    with pytest.raises(Refusal, match="deleted and made anew") as ended:
        same_topic("t-0", topic_id, start, owned)
    assert ended.value.code is Exit.CONFIG


def test_a_recovery_says_how_far_it_is_and_how_long_it_will_take(caplog: pytest.LogCaptureFixture) -> None:
    now, metrics = [100.0], Metrics()
    progress = Progress(metrics, lambda: now[0])
    progress.begin({("c", 0): LONG_RECORDS, ("c", 1): 1000})
    assert progress.body() == {"records_done": 0, "records_left": LONG_RECORDS + 1000, "seconds_left": None}
    now[0] += LINE_S
    progress.moved(("c", 0), LONG_RECORDS // 2)
    progress.shown()
    assert progress.body() == {"records_done": 50_000, "records_left": 51_000, "seconds_left": 5.1}

    def value(name: str, labels: dict[str, str] | None = None) -> float | None:
        return metrics.registry.get_sample_value(name, labels or {})

    assert value("streamer_recovery_remaining_records", {"topic": "c", "partition": "0"}) == 50_000
    assert value("streamer_recovery_seconds_left") == pytest.approx(5.1)
    progress.moved(("c", 0), LONG_RECORDS)  # to be read anew
    assert progress.done == 50_000
    progress.end()
    assert value("streamer_recovery_remaining_records", {"topic": "c", "partition": "0"}) == 0
    assert [r.message for r in caplog.records] == [
        "recovery begins: 101000 records of 2 partitions to read",
        "recovery: 50000 records read, 51000 left, 10000 a second, done in 5 s",
        "recovery done: 151000 records in 5.0 s",
    ]
    progress.begin({("c", 1): 0})
    assert value("streamer_recovery_remaining_records", {"topic": "c", "partition": "0"}) is None
