"""A budget is shared out whole, refused when it is too small, and what is counted is what is there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from aiokafka.consumer.fetcher import FetchResult

from streamer.engine import memory, reader
from streamer.engine.cache import Cache
from streamer.engine.exits import Exit, Refusal
from streamer.engine.memory import MIB, InFlight, needed_bytes, records_bytes, resident_bytes, shares
from streamer.engine.metrics import Metrics
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.store import BLOOM_BITS, Store


class Rec(NamedTuple):
    value: bytes | None


def settings(budget_mib: float, standbys: int = 0) -> EngineSettings:
    return EngineSettings(
        app_id="a",
        bootstrap_servers="b",
        state_dir=Path("c"),
        memory_budget_bytes=int(budget_mib * MIB),
        num_standby_replicas=standbys,
    )


def test_the_shares_are_the_whole() -> None:
    parts = [value for name, value in vars(memory).items() if name.endswith("_SHARE")]
    assert len(parts) == 7
    assert sum(parts) == pytest.approx(1.0)


@pytest.mark.parametrize("partitions", [1, 4, 64, 1024])
def test_what_the_parts_may_hold_stays_within_the_budget(partitions: int) -> None:
    budget = needed_bytes(partitions, 3 * MIB) / MIB + 100
    found = shares(settings(budget), partitions)
    assert sum(found.bounds().values()) + memory.PROGRAM_BYTES < budget * MIB
    assert partitions * found.fetch_partition_bytes <= found.fetch_bytes
    assert found.fetch_partition_bytes >= memory.FETCH_PARTITION_LEAST_BYTES
    assert found.rows_bytes // partitions >= memory.ROWS_PARTITION_LEAST_BYTES


@pytest.mark.parametrize("partitions", [1, 4, 64, 1024])
def test_a_budget_that_is_too_small_is_refused_with_the_figures(partitions: int) -> None:
    needed = -(-needed_bytes(partitions, 3 * MIB) // MIB)
    shares(settings(needed), partitions)
    with pytest.raises(Refusal, match=f"{needed - 1} MiB is too small for {partitions} .* at least {needed} MiB") as no:
        shares(settings(needed - 1), partitions)
    assert no.value.code is Exit.CONFIG


@pytest.mark.parametrize("partitions", [1, 4, 64, 1024])
@pytest.mark.parametrize("standbys", [0, 2])
def test_what_reads_changelogs_is_within_the_budget_too(partitions: int, standbys: int) -> None:
    """Recovery has the share of what is in flight, for then nothing is; standbys have a reserve."""
    reserve = memory.standby_bytes(settings(200, standbys), partitions)
    assert (reserve > 0) is (standbys > 0)
    needed = -(-needed_bytes(partitions, 3 * MIB, reserve) // MIB)
    with pytest.raises(Refusal, match=f"standbys {reserve // MIB} MiB, .* at least {needed} MiB"):
        shares(settings(needed - 1, standbys), partitions)
    found = shares(settings(needed, standbys), partitions)
    assert sum(found.bounds().values()) + memory.PROGRAM_BYTES < needed * MIB
    assert found.bounds()["standbys"] == reserve
    readers = [(found.recovery(partitions), found.in_flight_bytes), (found.standbys(partitions), reserve)]
    for bounds, bound in readers[: 1 + (standbys > 0)]:
        assert partitions * bounds.partition_bytes + bounds.round_bytes <= bound
        assert bounds.partition_bytes >= memory.FETCH_PARTITION_LEAST_BYTES
        assert bounds.partition_bytes <= bounds.answer_bytes <= bound


def test_a_round_takes_what_fits_by_what_records_cost() -> None:
    rounds = memory.Rounds(memory.reading(4 * MIB, 1), most=1_000)
    first = rounds.records
    assert 0 < first < 1_000
    for _ in range(50):
        rounds.saw([Rec(b"x" * 100)] * 500)
    assert rounds.records == 1_000
    for _ in range(50):
        rounds.saw([Rec(b"x" * MIB)] * 2)
    assert rounds.records == 1
    rounds.saw([])


async def test_a_reader_has_its_bounds_and_shows_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    class Consumer:
        def __init__(self, **options: Any) -> None:
            made.update(options)
            answer = FetchResult.__new__(FetchResult)
            self._fetcher = SimpleNamespace(_records={1: answer, 2: answer, 3: KeyError()})

        async def start(self) -> None: ...

        async def stop(self) -> None: ...

    monkeypatch.setattr(reader, "AIOKafkaConsumer", Consumer)
    runtime = Runtime(settings(200), Metrics())
    bounds = memory.reading(2 * MIB, 4)
    async with reader.reader(runtime, "standbys", bounds):
        assert runtime.reading["standbys"]() == 2 * bounds.partition_bytes
    assert runtime.reading == {}
    assert (made["max_partition_fetch_bytes"], made["fetch_max_bytes"]) == (MIB // 4, MIB)


def test_room_is_what_the_average_record_leaves_and_never_less_than_one() -> None:
    flight = InFlight()
    for _ in range(100):
        flight.saw(100, 100_000)
    assert 499 <= flight.room(0, 1_000_000) <= 500, "a record costs as much again when it is handled"
    assert flight.room(999_999, 1_000_000) == 1
    assert flight.room(1_000_000, 1_000_000) == 0
    flight.saw(0, 0)
    assert records_bytes([Rec(b"x" * 100), Rec(None)]) == 2 * memory.RECORD_BYTES + 200


def test_remembered_partitions_are_bounded(tmp_path: Path) -> None:
    runtime = Runtime(settings(200), Metrics())
    runtime.appender = type("Appender", (), {"partition_for": staticmethod(lambda _topic, key: len(key))})()
    most = runtime.memory.keys
    for number in range(2 * most + 10):
        assert runtime.partition_for("t", b"%d" % number) == len(b"%d" % number)
    assert len(runtime._remembered) <= most


def test_the_cache_counts_both_of_its_generations() -> None:
    cache = Cache(100_000)
    for number in range(1_000):
        cache.loaded(b"%d" % number, object(), 50)
        cache.turn()
    assert 50_000 < cache.held_bytes <= 101_000
    assert len(cache.young.keys() | cache.old.keys()) * (50 * 6 + 400) <= 101_000


def test_the_store_tells_what_it_holds(tmp_path: Path) -> None:
    store = Store(tmp_path, blocks_bytes=1 * MIB, memtables_bytes=2 * MIB)
    part = store.partition(0, 0)
    for number in range(200):
        part.write({b"k%d-%d" % (number, i): b"v" * 1_000 for i in range(100)}, number)
    held = store.held_bytes()
    assert 0 < held["memtables"] <= 4 * MIB, "20 MB were written"
    store.close()


def test_this_process_is_resident() -> None:
    assert resident_bytes() > 10 * MIB


def test_a_store_that_exists_is_opened_with_the_limits_of_today(tmp_path: Path) -> None:
    """rocksdict takes the options in the folder for its family, unless that is named: a cache of 8 MB, whatever was asked for."""
    for blocks in (16 * MIB, 32 * MIB):
        store = Store(tmp_path, blocks_bytes=blocks, memtables_bytes=2 * MIB)
        assert store._db.property_int_value("rocksdb.block-cache-capacity") == blocks
        store.close()


def test_one_look_up_brings_no_whole_filter_into_memory(tmp_path: Path) -> None:
    """A file's whole filter fits no shard of the cache: with ten million rows it was read again for every key."""
    store = Store(tmp_path, memtables_bytes=64 * MIB)
    stored = store.partition(store.table_id("t"), 0)
    stored.write([(b"k%09d" % n, b"") for n in range(100_000)], 0)
    store.flush(wait=True)
    store._db.compact_range(None, None)  # out of the youngest level, whose filters are kept
    store.close()
    store = Store(tmp_path)
    assert store.partition(0, 0).get(b"k%09d" % 5) == b""
    assert 0 < store.held_bytes()["blocks"] < 100_000 * BLOOM_BITS // 8
    store.close()
