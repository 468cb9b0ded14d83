"""Every part of Faust and aiokafka that the engine leans on is there, with its signature, and behaves as it did."""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from pathlib import Path
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import fetcher, group_coordinator, subscription_state
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.protocol.api import Request
from aiokafka.record.memory_records import MemoryRecords
from faust.app.base import App
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores.base import Store
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ConsumerMessage
from mode import Service

from streamer.engine import EngineApp, EngineSettings
from streamer.engine import app as engine_app
from streamer.engine.fetch import _take

PINNED = {"faust": "0.15.3", "aiokafka": "0.14.0"}

SIGNATURES = [
    (consumer.Consumer, "_drain_messages", "(self, fetcher)"),
    (consumer.Consumer, "ack", "(self, message)"),
    (consumer.Consumer, "track_message", "(self, message)"),
    (consumer.Consumer, "commit", "(self, topics=None, start_new_transaction=True)"),
    (consumer.Consumer, "force_commit", "(self, topics=None, start_new_transaction=True)"),
    (consumer.Consumer, "perform_seek", "(self)"),
    (consumer.Consumer, "wait_empty", "(self)"),
    (consumer.Consumer, "commit_and_end_transactions", "(self)"),
    (consumer.Consumer, "on_partitions_revoked", "(self, revoked)"),
    (consumer.Consumer, "on_task_error", "(self, exc)"),
    (consumer.Consumer, "_commit_livelock_detector", "(self)"),
    (consumer.Consumer, "verify_event_path", "(self, now, tp)"),
    (consumer.Consumer, "verify_recovery_event_path", "(self, now, tp)"),
    (consumer.Consumer, "_get_active_partitions", "(self)"),
    (consumer.Consumer, "stop_flow", "(self)"),
    (driver.Consumer, "_new_consumer_thread", "(self)"),
    (driver.AIOKafkaConsumerThread, "_commit", "(self, offsets)"),
    (driver.AIOKafkaConsumerThread, "_create_worker_consumer", "(self, transport)"),
    (driver.AIOKafkaConsumerThread, "_ensure_consumer", "(self)"),
    (driver.AIOKafkaConsumerThread, "on_start", "(self)"),
    (driver.Producer, "_settings_extra", "(self)"),
    (driver.Producer, "on_start", "(self)"),
    (ConsumerMessage, "ack", "(self, consumer, n=1)"),
    (Collection, "_new_store", "(self)"),
    (Collection, "reset_state", "(self)"),
    (Store, "persisted_offset", "(self, tp)"),
    (TableManager, "on_start", "(self)"),
    (TableManager, "_update_channels", "(self)"),
    (TableManager, "add", "(self, table)"),
    (Recovery, "_slurp_changelogs", "(self)"),
    (Recovery, "_publish_stats", "(self)"),
    (Recovery, "_restart_recovery", "(self)"),
    (Recovery, "flush_buffers", "(self)"),
    (Recovery, "on_recovery_completed", "(self, generation_id=0)"),
    (Recovery, "_set_recovery_started", "(self)"),
    (Recovery, "_wait", "(self, coro, timeout=None)"),
    (App, "_new_transport", "(self)"),
    (App, "_new_producer_transport", "(self)"),
    (App, "_on_agent_error", "(self, agent, exc)"),
    (App, "stream", "(self, channel, beacon=None, **kwargs)"),
    (App, "on_start", "(self)"),
    (App, "on_started", "(self)"),
    (faust.Worker, "install_signal_handlers", "(self)"),
    (faust.Worker, "execute_from_commandline", "(self)"),
    (Service, "start", "(self)"),
    (Service, "crash", "(self, reason)"),
    (Service, "_crash", "(self, reason)"),
    (App, "_update_assignment", "(self, assigned)"),
    (driver.AIOKafkaConsumerThread, "call_thread", "(self, fun, *args, **kwargs)"),
    (driver.AIOKafkaConsumerThread, "on_crash", "(self, msg, *fmt, **kwargs)"),
    (Recovery, "on_stop", "(self)"),
    (fetcher.FetchResult, "check_assignment", "(self, tp)"),
    (fetcher.FetchResult, "has_more", "(self)"),
    (fetcher.FetchResult, "_update_position", "(self)"),
    (fetcher.FetchError, "check_raise", "(self)"),
    (fetcher.Fetcher, "_create_fetch_waiter", "(self)"),
    (fetcher.Fetcher, "_notify", "(self, future)"),
    (fetcher.Fetcher, "_proc_fetch_request", "(self, assignment, node_id, request)"),
    (fetcher.Fetcher, "_select_read_replica", "(self, tp)"),
    (fetcher.PartitionRecords, "_consume_aborted_up_to", "(self, batch_offset)"),
    (fetcher.PartitionRecords, "_contains_abort_marker", "(self, next_batch)"),
    (subscription_state.SubscriptionState, "fetch_context", "(self)"),
    (group_coordinator.GroupCoordinator, "reset_generation", "(self)"),
    (group_coordinator.GroupCoordinator, "fetch_committed_offsets", "(self, partitions)"),
    (AIOKafkaClient, "bootstrap", "(self)"),
    (AIOKafkaClient, "get_random_node", "(self)"),
    (Request, "prepare", "(self, versions)"),
    (PartitionAssignor, "assigned_standbys", "(self)"),
    (Recovery, "on_rebalance", "(self, assigned, revoked, newly_assigned, generation_id=0)"),
    (aiokafka.AIOKafkaProducer, "create_batch", "(self)"),
    (aiokafka.AIOKafkaProducer, "send_batch", "(self, batch, topic, *, partition)"),
    (
        aiokafka.AIOKafkaProducer,
        "_partition",
        "(self, topic, partition, key, value, serialized_key, serialized_value)",
    ),
    (MessageAccumulator, "add_batch", "(self, builder, tp, timeout)"),
]


def test_the_pinned_versions_are_installed() -> None:
    assert {"faust": faust.__version__, "aiokafka": aiokafka.__version__} == PINNED


@pytest.mark.parametrize(("owner", "name", "signature"), SIGNATURES, ids=lambda x: x if isinstance(x, str) else "")
def test_what_the_engine_replaces_or_calls_is_there(owner: Any, name: str, signature: str) -> None:
    function: Any = inspect.getattr_static(owner, name)
    function = getattr(function, "fun", None) or getattr(function, "__wrapped__", None) or function
    found = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    assert str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty)) == signature


def test_the_stream_asks_the_topic_whether_to_acknowledge() -> None:
    """The compiled stream inlines the acknowledgement: acks=False on the topic and SliceMessage.ack together stop it."""
    assert faust.streams._CStreamIterator is not None, "the compiled stream is the one in use"
    source = (Path(inspect.getfile(faust)).parent / "_cython" / "streams.pyx").read_text()
    assert "acks_enabled_for" in source
    assert "message.acked" in source


def test_a_batch_builder_takes_raw_appends_and_tells_its_size() -> None:
    builder = BatchBuilder(1_000, 0)
    assert builder._builder.append(0, 5, b"k", b"v", [("h", b"x")]) is not None
    builder._relative_offset = 1
    builder.close()
    assert builder.record_count() == 1
    assert builder.size() > 60
    assert builder._builder.append(1, 5, b"k", b"v" * 2_000, []) is None, "a full builder refuses"
    empty = BatchBuilder(1_000, 0)
    assert empty._builder.append(0, 5, b"k", b"v" * 2_000, []) is not None, "an empty one takes an oversized record"


class Buffered:
    """What _take needs of aiokafka's FetchResult, over real batches."""

    def __init__(self, data: bytes, position: int) -> None:
        self._partition_records: Any = fetcher.PartitionRecords(
            ("t", 0), MemoryRecords(data), [], position, None, None, True, fetcher.READ_UNCOMMITTED
        )
        state = type("State", (), {"lso": None, "highwater": 99})()
        self._assignment = type("Assignment", (), {"state_value": lambda self, tp: state})()

    def check_assignment(self, tp: Any) -> bool:
        return True

    def has_more(self) -> bool:
        return self._partition_records is not None

    def _update_position(self) -> None:
        """Nothing."""


def batches(*counts: int) -> bytes:
    data, base = b"", 0
    for count in counts:
        builder = BatchBuilder(10_000, 0)
        for i in range(count):
            builder.append(timestamp=1, key=b"k", value=b"%d" % (base + i))
        raw = bytearray(builder._build())
        raw[:8] = base.to_bytes(8, "big")  # the broker sets the base offset; it is outside the checksum
        data += bytes(raw)
        base += count
    return data


@pytest.mark.parametrize("room", [1, 2, 3, 5, 7, 100])
@pytest.mark.parametrize("start", [0, 2, 4])
def test_raw_batches_are_taken_in_parts_without_losing_or_repeating_a_record(room: int, start: int) -> None:
    buffered, offsets, position = Buffered(batches(3, 1, 5), start), [], start
    while buffered.has_more():
        part = _take(buffered, ("t", 0), room)  # type: ignore[arg-type]
        assert part is not None
        assert part.first == position
        assert len(part.records) <= room
        offsets += [r.offset for r in part.records]
        position = part.following
    assert offsets == list(range(start, 9))
    assert position == 9


def test_what_was_taken_is_freed_at_once() -> None:
    """aiokafka's answer is part of a cycle with its own iterator, which we never use, and full collections are rare."""
    buffered = Buffered(batches(3, 2), 0)
    gone = weakref.ref(buffered._partition_records)
    gc.disable()
    try:
        assert _take(buffered, ("t", 0), 100) is not None  # type: ignore[arg-type]
        assert gone() is None
    finally:
        gc.enable()


async def test_all_garbage_is_looked_for_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = EngineApp(EngineSettings(app_id="x", bootstrap_servers="127.0.0.1:1", state_dir=tmp_path))
    often, seen = asyncio.Event(), list[int]()

    def collect() -> None:
        seen.append(len(seen))
        if len(seen) == 2:
            often.set()

    monkeypatch.setattr(engine_app, "_GC_ALL_S", 0.0)
    monkeypatch.setattr(engine_app.gc, "collect", collect)
    task = asyncio.create_task(app._collect_often())
    await asyncio.wait_for(often.wait(), 10)
    task.cancel()


def test_what_a_table_of_ours_is_told_is_not_overwritten_by_faust_s(tmp_path: Path) -> None:
    app = EngineApp(EngineSettings(app_id="x", bootstrap_servers="127.0.0.1:1", state_dir=tmp_path))
    codec: Any = object()
    table = app.keyed_table("t", source="s", partitions=3, codec=codec, schema=2)
    assert (table.rows_schema, table.source, table.codec, table.restate, table.sweep) == (2, "s", codec, {}, None)


def test_an_app_is_declared_without_a_broker(tmp_path: Path) -> None:
    app = EngineApp(EngineSettings(app_id="x", bootstrap_servers="127.0.0.1:1,127.0.0.1:2", state_dir=tmp_path))
    app.slices("a", "b", read_committed=True)
    assert app.reads_committed
    assert app.conf.web_enabled is False
    assert app.conf.topic_allow_declare is False
    assert [u.port for u in app.conf.broker] == [1, 2]
    assert not app.topics.acks_enabled_for("a")
