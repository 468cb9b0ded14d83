"""What a role and the engine work off between records, and the room that it needs. No Kafka."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from streamer.engine.cache import DECODED_FACTOR, ROW_OVERHEAD_BYTES, Cache
from streamer.engine.consumer import SliceConsumer
from streamer.engine.memory import UNIT_FACTOR
from streamer.engine.partition_row import PARTITION_KEY, decode_partition_row
from streamer.engine.slices import SweepContext
from tests.engine.lane_bench import ROW_BYTES, Bench


async def test_a_sweep_commits_without_moving_the_source(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    context, left = SweepContext(bench.lane), [3]

    def sweep() -> bool:
        context.rows.put(b"s%d" % left[0], [left[0]], ROW_BYTES)
        left[0] -= 1
        return left[0] > 0

    bench.lane.sweep = sweep
    bench.lane.sweep_soon()
    await bench.settle()
    assert left == [0]
    assert {m.key for m in bench.rows} == {b"s3", b"s2", b"s1", PARTITION_KEY}
    assert decode_partition_row((bench.rows[-1].value or b"")[16:]).applied == -1
    assert bench.lane.ledger.done == 0


async def test_a_sweep_does_not_fill_the_cache_beyond_its_bound(tmp_path: Path) -> None:
    """A day with much due reads row after row, and no record comes that would let the cache age."""
    bench = Bench(tmp_path)
    assert bench.owned is not None
    limit_bytes, row_bytes, left = 20_000, 1_000, [200]
    bench.owned.rows._cache = Cache(limit_bytes)
    bench.owned.stored.write({b"s%03d" % n: b"x" * row_bytes for n in range(200)}, 0)
    bench.owned.rows._codec = Plain()
    context, most = SweepContext(bench.lane), [0]

    def sweep() -> bool:
        left[0] -= 1
        assert context.rows.get(b"s%03d" % left[0]) is not None
        most[0] = max(most[0], context.rows.held_bytes)
        return left[0] > 0

    bench.lane.sweep = sweep
    bench.lane.sweep_soon()
    while left[0]:
        await bench.settle()
    one = row_bytes * DECODED_FACTOR + ROW_OVERHEAD_BYTES
    assert most[0] <= limit_bytes + 2 * one


class Plain:
    """Rows as they are."""

    def encode(self, key: bytes, value: object) -> bytes:
        assert isinstance(value, bytes)
        return value

    def decode(self, key: bytes, raw: bytes | memoryview) -> object:
        return bytes(raw)


async def test_a_sweep_and_the_engines_own_work_wait_while_memory_is_short(tmp_path: Path, ends: list[int]) -> None:
    """A day on which much is due fills no more than what may be in flight, in all partitions together."""
    bench = Bench(tmp_path, unit_target_bytes=3 * ROW_BYTES, slices_in_flight=10)
    assert bench.owned is not None
    lane, rows, swept = bench.lane, bench.owned.rows, 0
    bench.runtime.has_room = lambda: lane.claimed_bytes < 5 * UNIT_FACTOR * ROW_BYTES
    worked: list[int] = []
    lane.chores = SimpleNamespace(pending=False, work=lambda _unit: worked.append(swept))  # type: ignore[assignment]

    def sweep() -> bool:
        nonlocal swept
        rows.put(b"r%d" % swept, [swept], ROW_BYTES)
        swept += 1
        return swept < 20

    lane.sweep = sweep
    bench.appends.gate.clear()
    lane.sweep_soon()
    await bench.settle()
    assert swept == 5, "units under way and an open one, together below the bound and a piece"
    lane.tidy_soon()
    await bench.settle()
    assert worked == []
    lane.go_on()
    await bench.settle()
    assert swept == 5, "asked again, and there is none yet"
    lane.relieve()
    assert lane.open is None, "it needs no record to be sent on its way"
    bench.appends.gate.set()
    await bench.settle()
    bench.runtime.has_room = lambda: True  # another partition's unit has landed
    lane.go_on()
    await bench.settle()
    await bench.settle()
    assert (swept, bool(worked)) == (20, True)


async def test_room_is_shared_by_all_lanes_of_a_process(tmp_path: Path) -> None:
    lanes = {TP("source", n): Bench(tmp_path / str(n)).lane for n in range(2)}
    runtime = lanes[TP("source", 0)].runtime
    consumer: Any = SimpleNamespace(lanes=lanes, runtime=runtime)
    bound = runtime.memory.in_flight_bytes
    assert SliceConsumer.has_room(consumer)
    for lane in lanes.values():
        lane._slices_bytes = bound // 2
    assert SliceConsumer.has_room(consumer)
    lanes[TP("source", 1)]._slices_bytes += bound % 2
    assert not SliceConsumer.has_room(consumer)


async def test_no_sweep_runs_while_a_slice_is_being_handled(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    runs: list[int] = []

    def sweep() -> bool:
        runs.append(1)
        return False

    bench.lane.sweep = sweep
    part = bench.slice(1)
    records = part.fresh()
    next(records)
    bench.lane.sweep_soon()
    await bench.settle()
    assert runs == []
    list(records)
    part.done()
    await bench.settle()
    assert runs
