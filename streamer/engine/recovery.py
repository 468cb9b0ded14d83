"""State from the changelog, in bulk, before a partition is handed over. Not for: what is written of it (``restore``).

From the position stored beside the rows to the end; then void last records are rewritten, then compacted outputs.
A round (from the assignment to the flow of records) is one task, and is over before the partitions are given back: what it
appended later would end their rightful new owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiokafka.errors import IllegalStateError
from aiokafka.structs import TopicPartition
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service

from streamer.engine import failpoints
from streamer.engine.exits import Exit, fatal
from streamer.engine.fetch import fetch
from streamer.engine.memory import Rounds
from streamer.engine.outputs import repair_outputs
from streamer.engine.partition_row import ORIGIN_BYTES, origin
from streamer.engine.progress import Progress
from streamer.engine.reader import reader
from streamer.engine.restore import Restore
from streamer.engine.standby import Standbys
from streamer.engine.store import Deleted, Notes
from streamer.engine.tasks import end, unbroken
from streamer.engine.unit import Message

if TYPE_CHECKING:
    from streamer.engine.table import KeyedTable

_FETCH_S = 0.5
_ROUND_RECORDS = 50_000


class BulkRecovery(Recovery):
    """Faust decides when and what; this reads."""

    def __init__(self, app: Any, tables: Any, **options: Any) -> None:
        super().__init__(app, tables, **options)
        self.progress = Progress(app.metrics, app.runtime.clock)
        self.standbys = Standbys(app)
        self._going: asyncio.Task[None] | None = None
        #: The partitions were taken away, and none given yet.
        self._revoked = False

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
            await self.halt()
            if not self._revoked:
                self._going = asyncio.ensure_future(self._go_round(self._generation_id))
                self._going.add_done_callback(self._judge)

    async def _go_round(self, generation: int) -> None:
        self._set_recovery_started()
        await self.standbys.stop()
        self.progress.active = False
        await self.app.learn_topic_ids()
        if self.active_tps:
            await self._recover(set(self.active_tps))
        await self.on_recovery_completed(generation)
        self.standbys.start({tp: self.tp_to_table[tp] for tp in self.standby_tps - self.active_tps})

    def _judge(self, task: asyncio.Task[None]) -> None:
        """A round that failed ends the process. (Faust's own swallows it and retries for ever.)"""
        exc = None if task.cancelled() else task.exception()
        if exc is None or isinstance(exc, RebalanceAgain | IllegalStateError):
            return  # halted, or the assignment changed under it: another round comes
        if self.should_stop or self.app.should_stop or self.app.runtime.stopping:
            return
        if isinstance(exc, ServiceStopped):  # what Faust makes of its own timeout
            fatal(Exit.STALL, "recovery: Kafka did not tell the offsets of the source topics in time")
        fatal(Exit.RECOVERY, "recovery", exc)

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        self._revoked = False
        await super().on_rebalance(*args, **kwargs)

    async def on_stop(self) -> None:
        await self.halt()
        await super().on_stop()

    async def give_back(self) -> None:
        """The partitions are about to be taken away: the round is over when this returns, and none begins before others
        are given."""
        self._revoked = True
        await self.halt()

    async def halt(self) -> None:
        """Ends the round, an append under way included; ends the process where that takes too long."""
        task, limit = self._going, self.app.runtime.settings.revoke_timeout_s
        if task is not None and not await end(task, limit):
            fatal(Exit.REVOKE, f"a recovery did not end within {limit:.0f} s")
        self._going = None

    async def _recover(self, tps: set[TP]) -> None:
        app, runtime = self.app, self.app.runtime
        outputs = 0 if app.the_table is None else len(app.the_table.restate)
        bounds = runtime.memory.recovery(max(len(tps), outputs))
        async with reader(runtime, "in_flight", bounds) as consumer:
            restores = await self._read(consumer, tps)
            share = runtime.memory.rows_bytes // max(1, len(tps))
            for tp, restore in restores.items():
                table = self.tp_to_table[TP(*tp)]
                table.own(tp.partition, restore, share)
                await self._rewrite(table, tp, restore)
                await repair_outputs(app, consumer, table, table.owned[tp.partition])
        self.progress.end()
        app.recovered()

    async def _read(self, consumer: Any, tps: Iterable[TP]) -> dict[TopicPartition, Restore]:
        tables = {TopicPartition(*tp): self.tp_to_table[tp] for tp in tps}
        consumer.assign(list(tables))
        begin, end = await consumer.beginning_offsets(list(tables)), await consumer.end_offsets(list(tables))
        restores = {tp: table.restore(tp.partition) for tp, table in tables.items()}
        for tp, restore in restores.items():
            consumer.seek(tp, restore.begin(begin[tp], end[tp]))
        self.progress.begin({tp: end[tp] - restore.position for tp, restore in restores.items()})
        rounds = Rounds(self.app.runtime.memory.recovery(len(tables)), _ROUND_RECORDS)
        pending = set(restores)
        while pending:
            for tp in [tp for tp in pending if restores[tp].position >= end[tp]]:
                if restores[tp].through():
                    pending.discard(tp)
                else:
                    consumer.seek(tp, restores[tp].anew(begin[tp]))
                    self.progress.moved(tp, end[tp] - begin[tp])
            if pending:
                await self._round(consumer, {tp: restores[tp] for tp in pending}, end, rounds)
            await asyncio.sleep(0)
        return restores

    async def _round(
        self, consumer: Any, restores: dict[TopicPartition, Restore], end: dict[TopicPartition, int], rounds: Rounds
    ) -> None:
        for tp, part in (await fetch(consumer, list(restores), _FETCH_S, rounds.records)).items():
            rounds.saw(part.records)
            void = restores[tp].take(part)
            self._count(len(part.records), void)
            self.progress.moved(tp, max(0, end[tp] - part.following))
            failpoints.hit("in_recovery")
        self.progress.shown()

    def _count(self, records: int, void: int) -> None:
        runtime = self.app.runtime
        runtime.metrics.recovered.inc(records)
        runtime.metrics.void.inc(void)
        runtime.answered()
        self.app.recovery_moved()

    async def _rewrite(self, table: KeyedTable, tp: TopicPartition, restore: Restore) -> None:
        """Puts the row that counts last again, where a void record is last."""
        spoiled = restore.replay.spoiled
        if not spoiled:
            return
        runtime, owned = self.app.runtime, table.owned[tp.partition]
        self.log.warning("%s-%s: %d keys had a void last record, written again", *tp, len(spoiled))
        now = self.app.now_ms()
        messages = [
            Message(now, key, origin(owned.following, 0) + (owned.stored.get(key) or b""), ())
            for key in sorted(spoiled)
        ]
        for part in runtime.appender.parts(messages, runtime.settings.output_batch_bytes):
            first = owned.position
            landing = [
                m._replace(value=origin(owned.following, first + i) + (m.value or b"")[ORIGIN_BYTES:])
                for i, m in enumerate(part)
            ]
            owned.position = await unbroken(runtime.steps.append(tp.topic, tp.partition, landing, first))
            deleted = [
                Deleted(first + i, now, m.key or b"") for i, m in enumerate(part) if len(m.value or b"") == ORIGIN_BYTES
            ]
            owned.stored.write({}, owned.position, Notes(deleted, healed=[m.key or b"" for m in part]))
            owned.marks.landed(deleted, [])


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
