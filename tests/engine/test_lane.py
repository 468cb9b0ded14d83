"""When units are cut and commit. No Kafka."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streamer.engine.exits import Exit, Refusal
from streamer.engine.memory import UNIT_FACTOR, records_bytes
from streamer.engine.partition_row import PARTITION_KEY, decode_partition_row, read_origin
from streamer.engine.slices import Slice
from streamer.engine.unit import Message
from tests.engine.conftest import EndedError
from tests.engine.lane_bench import ROW_BYTES, Bench, Rec


async def test_a_caught_up_partition_commits_at_once_and_all_rows_lie_in_one_batch(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.handle(bench.slice(3))
    await bench.settle()
    assert [m.key for m in bench.rows] == [b"r0", b"r1", b"r2", PARTITION_KEY]
    assert [read_origin(m.value or b"") for m in bench.rows] == [(3, 0), (3, 1), (3, 2), (3, 3)]
    row = decode_partition_row((bench.rows[-1].value or b"")[16:])
    assert (row.applied, row.sequence, row.epoch) == (2, 1, 1)
    assert bench.owned is not None
    assert bench.owned.stored.position() == 4
    assert bench.owned.stored.get(b"r1") == b"1"
    assert bench.lane.ledger.done == 3


async def test_while_there_is_a_backlog_slices_are_merged_until_the_size_or_age_is_reached(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.handle(bench.slice(4, end=100))
    bench.handle(bench.slice(4, end=100))
    await bench.settle()
    assert bench.rows == []
    bench.handle(bench.slice(4, end=100))
    await bench.settle()
    assert len(bench.rows) == 10 + 1, "cut at 1,000 bytes, between two events"
    assert bench.lane.ledger.done == 10
    bench.now = 101.0
    bench.lane.consider()
    await bench.settle()
    assert bench.lane.ledger.done == 12


async def test_a_caught_up_partition_commits_at_most_once_a_gap(tmp_path: Path) -> None:
    bench = Bench(tmp_path, unit_min_gap_s=10.0)
    for records in (1, 1):
        bench.handle(bench.slice(records))
        await bench.settle()
    assert bench.lane.ledger.done == 1
    bench.now = 10.0
    bench.lane.consider()
    await bench.settle()
    assert bench.lane.ledger.done == 2


async def test_one_event_larger_than_a_unit_is_never_split(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def many(part: Slice, record: Any) -> None:
        for i in range(30):
            part.rows.put(b"r%d/%d" % (record.offset, i), [i], ROW_BYTES)

    bench.handle(bench.slice(2), many)
    await bench.settle()
    keys = [m.key for m in bench.rows]
    assert [k for k in keys if k == PARTITION_KEY] == [PARTITION_KEY] * 2
    assert keys.index(PARTITION_KEY) == 30


async def test_what_is_included_already_is_skipped_counted_and_not_written_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.owned is not None
    bench.owned.row.applied = 4
    bench.lane.floor = 5
    assert bench.handle(bench.slice(5)) == []
    await bench.settle()
    assert bench.rows == []
    assert bench.lane.ledger.done == 5
    assert bench.handle(bench.slice(2)) == [5, 6]
    await bench.settle()
    assert decode_partition_row((bench.rows[-1].value or b"")[16:]).applied == 6
    redelivered = bench.runtime.metrics.redelivered.labels("source")._value.get()
    assert redelivered == 5


async def test_outputs_come_before_the_changelog_and_first_ones_before_the_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def tell(part: Slice, record: Any) -> None:
        part.send("alerts", 2, b"k", b"v")
        part.send("standing", 0, b"k", b"s", first=True)
        part.send("by key", None, b"abc", b"v")
        part.rows.put(b"r", [1], ROW_BYTES)

    bench.handle(bench.slice(1), tell)
    await bench.settle()
    assert bench.appends.order == ["standing", "alerts", "by key", "changelog"]
    assert ("by key", 3) in bench.appends.log
    assert decode_partition_row((bench.rows[-1].value or b"")[16:]).outputs == {"standing": 1}
    assert bench.appends.log["alerts", 2][0].timestamp_ms == 5


async def test_units_of_a_partition_are_durable_in_order_while_the_next_is_computed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.appends.gate.clear()
    bench.handle(bench.slice(25, end=1_000))
    await bench.settle()
    assert len(bench.lane.units) == 2
    assert bench.lane.ledger.done == 0
    assert bench.lane.unit().first == 20
    bench.appends.gate.set()
    await bench.settle()
    assert bench.lane.ledger.done == 20
    positions = [read_origin(m.value or b"")[1] for m in bench.rows]
    assert positions == list(range(len(bench.rows)))


async def test_an_append_that_lands_elsewhere_ends_the_process(tmp_path: Path, ends: list[int]) -> None:
    bench = Bench(tmp_path)
    bench.appends.log["changelog", 0] = [Message(0, b"z", b"zombie", ())]
    bench.handle(bench.slice(1))
    unit = bench.lane.units[0]
    with pytest.raises(Refusal, match="landed at 1, not at 0") as refused:
        await unit.task  # type: ignore[misc]
    assert refused.value.code is Exit.FOREIGN
    assert bench.owned is not None
    assert bench.owned.stored.position() is None, "nothing of it is in the local store"
    assert bench.lane.ledger.done == 0


@pytest.mark.parametrize(("end", "lands"), [(4, True), (9, False)])
async def test_an_append_of_unknown_offset_is_asked_for(tmp_path: Path, ends: list[int], end: int, lands: bool) -> None:
    bench = Bench(tmp_path)
    bench.appends.untold = True

    async def end_offset(topic: str, partition: int) -> int:
        return end

    bench.runtime.end_offset = end_offset
    bench.handle(bench.slice(3))
    task = bench.lane.units[0].task
    assert task is not None
    await asyncio.wait([task])
    assert (task.exception() is None) is lands
    assert (bench.lane.ledger.done == 3) is lands


async def test_a_sink_commits_each_slice_by_its_own_step_in_order(tmp_path: Path) -> None:
    bench, done, gate = Bench(tmp_path, table=False), [], asyncio.Event()

    def sink(number: int) -> None:
        part = bench.slice(2, end=100)
        list(part.fresh())

        async def step() -> None:
            await gate.wait()
            done.append(number)

        part.commit_with(step)
        part.done()

    sink(1)
    sink(2)
    await bench.settle()
    assert (bench.lane.ledger.done, len(bench.lane.units)) == (0, 2)
    gate.set()
    await bench.settle()
    assert (done, bench.lane.ledger.done) == ([1, 2], 4)


async def test_an_assignment_that_went_takes_nothing_more(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first, second = bench.slice(1, end=9), bench.slice(1, end=9)
    bench.handle(first)
    tasks = bench.lane.settle()
    await asyncio.gather(*tasks)
    assert bench.lane.ledger.done == 1, "what was whole is committed"
    assert not second.begun()
    assert bench.handle(second) == []
    await bench.settle()
    assert bench.lane.ledger.done == 1


async def test_only_its_own_partition_of_a_compacted_output_is_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    part = bench.slice(1)
    list(part.fresh())
    with pytest.raises(ValueError, match="only partition 0"):
        part.send("standing", 1, b"k", b"v")


async def test_misuse_by_a_role_is_told(tmp_path: Path, ends: list[int]) -> None:
    bench = Bench(tmp_path, table=False)
    part, other = bench.slice(1), bench.slice(1)
    with pytest.raises(RuntimeError, match="keeps no table"):
        _ = part.rows
    list(part.fresh())
    with pytest.raises(EndedError):
        list(other.fresh())
    assert ends == [Exit.HANDLER]
    with pytest.raises(RuntimeError, match="without a table"):
        Bench(tmp_path / "t").lane.commit_with(asyncio.sleep)  # type: ignore[arg-type]


async def test_a_gap_in_the_hand_over_ends_the_process(tmp_path: Path, ends: list[int]) -> None:
    bench = Bench(tmp_path)
    with pytest.raises(EndedError):
        bench.lane.hand_over(Slice(bench.lane, [Rec(1)], 1, 2, 2))
    assert ends == [Exit.GAP]


async def test_an_accepted_loss_is_written_even_without_records(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.owned is not None
    bench.owned.row.lose(0, 7)
    bench.owned.booked = False
    bench.lane.unit()
    bench.lane.consider()
    await bench.settle()
    assert decode_partition_row((bench.rows[-1].value or b"")[16:]).losses == [(0, 7)]
    assert bench.owned.booked


async def test_a_process_that_slept_ends_before_it_writes(tmp_path: Path, ends: list[int]) -> None:
    bench = Bench(tmp_path)
    bench.runtime.guarding = True
    bench.now = 6.0  # the session is 10 s
    bench.handle(bench.slice(1))
    task = bench.lane.units[0].task
    assert task is not None
    await asyncio.wait([task])
    assert ends[0] == Exit.PAUSE
    assert bench.rows == []


async def test_a_unit_lies_in_the_changelog_in_the_order_of_its_keys(tmp_path: Path) -> None:
    """The local store takes neighbours one after the other; the partition row comes last, each record with its origin."""
    bench = Bench(tmp_path)
    keys = [b"c", b"a", b"b"]

    def each(part: Slice, record: Any) -> None:
        part.rows.put(keys[record.offset], [record.offset], 10, keep=record.offset > 0)

    bench.handle(bench.slice(3), each)
    await bench.settle()
    assert [m.key for m in bench.rows] == [b"a", b"b", b"c", PARTITION_KEY]
    assert [read_origin(m.value or b"") for m in bench.rows] == [(3, 0), (3, 1), (3, 2), (3, 3)]
    assert [key for key, _ in bench.owned.stored.scan(b"c", None)] == [b"c"]  # type: ignore[union-attr]


async def test_what_a_lane_holds_is_counted_from_the_hand_over_until_it_is_durable(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    lane = bench.lane
    first, second = bench.slice(3, end=10), bench.slice(2, end=10)
    waiting = records_bytes(first.records) + records_bytes(second.records)
    assert (lane.held_bytes, lane.claimed_bytes) == (waiting, 2 * waiting)
    bench.handle(first)
    assert lane.held_bytes == waiting + UNIT_FACTOR * 3 * ROW_BYTES
    assert lane.claimed_bytes == lane.held_bytes + records_bytes(second.records)
    bench.handle(second)
    assert lane.claimed_bytes == lane.held_bytes
    bench.appends.gate.clear()
    lane.relieve()
    await bench.settle()
    assert lane.open is None, "memory is short: a backlog does not wait for more"
    assert lane.held_bytes == waiting + UNIT_FACTOR * 5 * ROW_BYTES
    bench.appends.gate.set()
    await bench.settle()
    assert (lane.held_bytes, lane.claimed_bytes, lane.ledger.done) == (0, 0, 5)


async def test_a_slice_that_is_being_handled_is_never_cut_for_want_of_memory(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.handle(bench.slice(3, end=10))
    for record in (second := bench.slice(2, end=10)).fresh():
        second.rows.put(b"r%d" % record.offset, [record.offset], ROW_BYTES)
        bench.lane.relieve()
    assert not bench.lane.units, "its rows would be durable without its offsets"
    assert bench.lane.open is not None
