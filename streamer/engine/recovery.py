"""State from the changelog, in bulk, before a partition is handed over. Not for: what a record means (``replay``).

From the position stored beside the rows to the end; then void last records are rewritten, then compacted outputs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError
from aiokafka.structs import TopicPartition
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service

from streamer.engine import failpoints
from streamer.engine.exits import Exit, fatal
from streamer.engine.fetch import fetch
from streamer.engine.outputs import repair_outputs
from streamer.engine.partition_row import ORIGIN_BYTES, origin
from streamer.engine.replay import Replay
from streamer.engine.unit import Message

if TYPE_CHECKING:
    from streamer.engine.table import KeyedTable

_FETCH_BYTES = 8 << 20
_FETCH_S = 0.5
_ROUND_RECORDS = 50_000


class BulkRecovery(Recovery):
    """Faust decides when and what; this reads."""

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Nothing: read in bulk."""

    @Service.task
    async def _publish_stats(self) -> None:
        """Nothing: the metrics say it."""

    def flush_buffers(self) -> None:
        """Nothing is buffered."""

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):
                break
            self.signal_recovery_start.clear()
            generation = self._generation_id
            try:
                self._set_recovery_started()
                if self.active_tps:
                    await self._wait(self._recover(set(self.active_tps)))
                await self._wait(self.on_recovery_completed(generation))
            except (RebalanceAgain, IllegalStateError):
                continue
            except ServiceStopped:
                break
            except Exception as exc:  # noqa: BLE001 - Faust's own swallows it and retries for ever
                if not (self.app.should_stop or self.app.runtime.stopping):
                    fatal(Exit.RECOVERY, "recovery", exc)

    async def _recover(self, tps: set[TP]) -> None:
        app, runtime = self.app, self.app.runtime
        began = runtime.clock()
        async with reader(runtime.settings.bootstrap_servers) as consumer:
            replays = await self._read(consumer, tps)
            share = runtime.memory.rows_bytes // max(1, len(tps))
            for tp, replay in replays.items():
                table = self.tp_to_table[TP(*tp)]
                table.own(tp.partition, replay.position, share)
                await self._rewrite(table, tp, replay)
                await repair_outputs(app, consumer, table, table.owned[tp.partition])
        runtime.metrics.recovery_seconds.set(runtime.clock() - began)
        app.recovered()

    async def _read(self, consumer: Any, tps: Iterable[TP]) -> dict[TopicPartition, Replay]:
        tables = {TopicPartition(*tp): self.tp_to_table[tp] for tp in tps}
        consumer.assign(list(tables))
        begin, end = await consumer.beginning_offsets(list(tables)), await consumer.end_offsets(list(tables))
        replays = {}
        for tp, table in tables.items():
            replays[tp] = Replay(self._first(table, tp, begin[tp], end[tp]))
            consumer.seek(tp, replays[tp].position)
        pending = {tp for tp, replay in replays.items() if replay.position < end[tp]}
        while pending:
            fetched = await fetch(consumer, list(pending), _FETCH_S, _ROUND_RECORDS)
            for tp, part in fetched.items():
                replay = replays[tp]
                void = replay.void
                rows = replay.rows(part.records, part.following)
                tables[tp].stored(tp.partition).write(rows, part.following)
                self._count(len(part.records), replay.void - void)
                if part.following >= end[tp]:
                    pending.discard(tp)
                failpoints.hit("in_recovery")
            await asyncio.sleep(0)
        return replays

    def _first(self, table: KeyedTable, tp: TopicPartition, begin: int, end: int) -> int:
        """The stored position, or the begin of the log with nothing stored."""
        stored = table.stored(tp.partition)
        position = stored.position()
        if position is not None and begin <= position <= end:
            return position
        if position is not None:
            self.log.warning("state of %s-%s at %s outside [%s, %s]: rebuilt", *tp, position, begin, end)
        stored.wipe()
        return begin

    def _count(self, records: int, void: int) -> None:
        runtime = self.app.runtime
        runtime.metrics.recovered.inc(records)
        runtime.metrics.void.inc(void)
        runtime.answered()
        self.app.recovery_moved()

    async def _rewrite(self, table: KeyedTable, tp: TopicPartition, replay: Replay) -> None:
        """Puts the row that counts last again, where a void record is last."""
        if not replay.spoiled:
            return
        runtime, owned = self.app.runtime, table.owned[tp.partition]
        self.log.warning("%s-%s: %d keys had a void last record, written again", *tp, len(replay.spoiled))
        now = self.app.now_ms()
        messages = [
            Message(now, key, origin(owned.following, 0) + (owned.stored.get(key) or b""), ())
            for key in sorted(replay.spoiled)
        ]
        for part in runtime.appender.parts(messages, runtime.settings.output_batch_bytes):
            landing = [
                m._replace(value=origin(owned.following, owned.position + i) + (m.value or b"")[ORIGIN_BYTES:])
                for i, m in enumerate(part)
            ]
            owned.position = await runtime.steps.append(tp.topic, tp.partition, landing, owned.position)
            owned.stored.write({}, owned.position)


class BulkTableManager(TableManager):
    """Faust's, with the recovery above and without its first second of waiting."""

    _recovery: Any = None

    async def on_start(self) -> None:
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()

    @property
    def recovery(self) -> BulkRecovery:
        made: BulkRecovery | None = self._recovery
        if made is None:
            made = self._recovery = BulkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return made


@asynccontextmanager
async def reader(bootstrap_servers: str) -> AsyncIterator[Any]:
    """A consumer without a group, for reading topics from a position to their end."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_bytes=8 * _FETCH_BYTES,
        max_partition_fetch_bytes=_FETCH_BYTES,
        check_crcs=True,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
