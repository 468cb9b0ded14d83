"""Standby partitions: their changelogs are followed into the local store, so that a promotion reads the small rest. Not for:
owning one (``recovery``), nor deciding which (Faust's assignor).

Followed between two assignments; a partition that becomes this process's own is let go before its recovery begins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from streamer.engine.exits import Exit, fatal
from streamer.engine.fetch import fetch
from streamer.engine.kafka_errors import passes
from streamer.engine.memory import Rounds
from streamer.engine.reader import reader
from streamer.engine.tasks import end

if TYPE_CHECKING:
    from faust.types import TP

    from streamer.engine.restore import Restore
    from streamer.engine.table import KeyedTable

log = logging.getLogger(__name__)

#: Fewer than a recovery's: a standby shares its process with partitions at work.
_ROUND_RECORDS: Final = 2_000
_FETCH_S: Final = 0.5
_RETRY_S: Final = 1.0
#: Longer than a clean stop of the process may take: that one goes first, and needs no standbys.
STOP_TIMEOUT_S: Final = 10.0


class Standbys:
    """The standby partitions of one process, in a task of their own."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._tables: dict[TopicPartition, KeyedTable] = {}
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._tables)

    def start(self, tables: Mapping[TP, KeyedTable]) -> None:
        """Follows these partitions until ``stop``."""
        if self._task is not None:
            raise RuntimeError("standbys are being followed already")
        self._tables = {TopicPartition(*tp): table for tp, table in tables.items()}
        if self._tables:
            self._task = asyncio.ensure_future(self._run())
            self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Lets go of all; nothing is written to the store any more when this returns. Ends the process where that takes
        longer than ``STOP_TIMEOUT_S``."""
        tables, self._tables = self._tables, {}
        try:
            if self._task is not None and not await end(self._task, STOP_TIMEOUT_S):
                fatal(Exit.RECOVERY, f"standbys did not let go within {STOP_TIMEOUT_S:.0f} s")
        finally:
            for tp in tables:
                self._app.metrics.standby_lag.remove(*tp)
        self._task = None  # not before: who stops may be stopped, and the next one must wait again

    def _ended(self, task: asyncio.Future[None]) -> None:
        """Whatever it was: a store that is written wrongly must not be promoted, nor one that nobody follows any more."""
        if self._tables and not self._app.runtime.stopping:
            exc = asyncio.CancelledError() if task.cancelled() else task.exception()
            fatal(Exit.RECOVERY, "standbys ended without being told to", exc)

    async def _run(self) -> None:
        while self._tables:  # a cancellation may be swallowed: then this is what ends it
            try:
                bounds = self._app.runtime.memory.standbys(len(self._tables))
                async with reader(self._app.runtime, "standbys", bounds) as consumer:
                    await self._follow(consumer, Rounds(bounds, _ROUND_RECORDS))
            except (KafkaError, OSError, TimeoutError) as exc:
                if self._tables and not (passes(exc) or isinstance(exc, OffsetOutOfRangeError)):  # that one begins anew
                    fatal(Exit.RECOVERY, f"standbys: {', '.join(sorted({tp.topic for tp in self._tables}))}", exc)
                log.warning("standbys: %s, trying again in %.0f s", type(exc).__name__, _RETRY_S)
                await asyncio.sleep(_RETRY_S)

    async def _follow(self, consumer: Any, rounds: Rounds) -> None:
        tps = list(self._tables)
        consumer.assign(tps)
        begin, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        restores = {tp: table.restore(tp.partition) for tp, table in self._tables.items()}
        for tp, restore in restores.items():
            consumer.seek(tp, restore.begin(begin[tp], end[tp]))
            await self._reached(consumer, tp, restore, end[tp])
        while self._tables:
            for tp, part in (await fetch(consumer, tps, _FETCH_S, rounds.records)).items():
                rounds.saw(part.records)
                restores[tp].take(part)
                self._app.metrics.standby_records.inc(len(part.records))
                await self._reached(consumer, tp, restores[tp], part.end)
            await asyncio.sleep(0)

    async def _reached(self, consumer: Any, tp: TopicPartition, restore: Restore, end: int) -> None:
        """Shows the lag; at the log's end checks that nothing was missed."""
        if restore.position >= end and not restore.through():
            begin = (await consumer.beginning_offsets([tp]))[tp]
            consumer.seek(tp, restore.anew(begin))
        self._app.metrics.standby_lag.labels(*tp).set(max(0, end - restore.position))
