"""The consumer's own thread: honest commits, explicit start offsets, raw fetches. Not for: what the offsets mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.utils.futures import maybe_async

from streamer.engine.asking import Asking
from streamer.engine.connections import forsaken
from streamer.engine.exits import Exit, fatal
from streamer.engine.fetch import Fetched, fetch
from streamer.engine.gathering import is_backlog
from streamer.engine.reader import waiting
from streamer.engine.topic_ids import Found, topic_ids

if TYPE_CHECKING:
    from streamer.engine.runtime import Runtime

#: What a commit may meet while the group changes; the records come again and are recognised.
REFUSED = (CommitFailedError, IllegalStateError, RebalanceInProgressError, UnknownMemberIdError, IllegalGenerationError)


class Start(NamedTuple):
    """Of one source partition: the log's begin and end, what the group committed (None: nothing), and the id of the topic that
    it counted in (empty: not known)."""

    begin: int
    end: int
    committed: int | None
    topic_id: str = ""


async def _call(fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Faust passes plain functions, too."""
    return await maybe_async(fun(*args, **kwargs))


class SliceThread(driver.AIOKafkaConsumerThread):
    """aiokafka in a thread of its own, so that heartbeats go on while a slice is being handled."""

    runtime: Runtime
    _asking: Asking
    #: What stood beside each committed offset: written again where the broker does not tell a topic's id any more.
    _noted: Mapping[TopicPartition, str] = MappingProxyType({})

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ARG002 - the signature of Faust
        """As Faust's, with the settings that Faust has no name for."""
        app = self.consumer.app
        self._assignor = app.assignor if app.tables.changelog_topics else RoundRobinPartitionAssignor
        settings = self.runtime.settings
        return AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            client_id=settings.instance_id or settings.app_id,
            group_id=settings.app_id,
            group_instance_id=settings.instance_id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_poll_records=settings.max_poll_records,
            max_poll_interval_ms=24 * 3600 * 1000,  # a sink may wait for its server for hours; the watchdog judges
            max_partition_fetch_bytes=self.runtime.memory.fetch_partition_bytes,
            fetch_max_bytes=self.runtime.memory.fetch_bytes,
            fetch_max_wait_ms=500,
            request_timeout_ms=30_000,
            check_crcs=True,
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            rebalance_timeout_ms=int(settings.rebalance_timeout_s * 1000),
            heartbeat_interval_ms=int(settings.heartbeat_s * 1000),
            isolation_level="read_committed" if app.reads_committed else "read_uncommitted",
        )

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Runs ``fun`` in the thread, beside whatever else was asked of it; a caller that gives up ends it there, too. (Faust's
        two workers take one call after the other: two look-ups that hang would keep every commit and fetch waiting.)"""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_call(fun, args, kwargs), self.thread_loop))

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Nothing: ``crash`` says it. (Faust's own prints it once more.)"""

    async def on_start(self) -> None:
        await super().on_start()
        self._asking = Asking(self._ensure_consumer()._fetcher, when_asked=bool(self.runtime.settings.fetch_gap_s))
        if self.runtime.settings.instance_id is not None:
            self._watch_membership()

    def _watch_membership(self) -> None:
        """A static member that the group does not know any more has been replaced, or slept: it must not go on."""
        coordinator = self._ensure_consumer()._coordinator
        reset = coordinator.reset_generation

        def lost() -> None:
            if coordinator.generation > 0 and not self.runtime.stopping:
                fatal(Exit.PAUSE, f"the group no longer knows the member {self.runtime.settings.instance_id}")
            reset()

        coordinator.reset_generation = lost

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """True only if the broker has them. (Faust's own crashes here, or says so although it has not.)"""
        consumer, ids, noted = self._ensure_consumer(), self.consumer.app.topic_ids, self._noted
        at = {TopicPartition(*tp): offset for tp, offset in offsets.items()}
        marks = {
            tp: OffsetAndMetadata(offset, ids.get(tp.topic, b"").hex() or noted.get(tp, ""))
            for tp, offset in at.items()
        }
        try:
            await consumer.commit(marks)
        except REFUSED as exc:
            self.log.warning("offset commit refused, the records come again: %s", type(exc).__name__)
            return False
        return True

    async def starts(self, tps: Iterable[TP]) -> dict[TP, Start]:
        """Begin, end, committed offset and its topic id of each."""
        consumer = self._ensure_consumer()
        wanted = [TopicPartition(*tp) for tp in tps]
        begin, end = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
        found = await consumer._coordinator.fetch_committed_offsets(wanted)
        committed = [found.get(tp, OffsetAndMetadata(None, "")) for tp in wanted]
        self._noted = {tp: mark.metadata for tp, mark in found.items()}
        return {ensure_TP(tp): Start(begin[tp], end[tp], *mark) for tp, mark in zip(wanted, committed, strict=True)}

    async def start_at(self, offsets: Mapping[TP, int], others: Iterable[TP]) -> None:
        """Seeks explicitly; partitions that only recovery reads are not fetched here."""
        consumer = self._ensure_consumer()
        for tp, offset in offsets.items():
            consumer.seek(TopicPartition(*tp), offset)
        consumer.pause(*[TopicPartition(*tp) for tp in others])

    async def slices(self, tps: Iterable[TP], timeout_s: float, most: int) -> dict[TopicPartition, Fetched]:
        """A fetch of exactly these partitions, ``most`` records; nothing while the flow is stopped."""
        if not self.consumer.flow_active:
            return {}
        self._asking.go()
        wanted = [TopicPartition(*tp) for tp in tps]
        found = await fetch(self._ensure_consumer(), wanted, timeout_s, most)
        if found:
            records = sum([len(part.records) for part in found.values()])
            left = sum([max(0, part.end - part.following) for part in found.values()])
            if not is_backlog(records, left):
                self._asking.hold()  # in time: the client's next request is made when the loop turns
        return found

    def buffered_bytes(self) -> int:
        """Answers that wait to be handed over, by their count and greatest size."""
        return waiting(self._consumer) * self.runtime.memory.fetch_partition_bytes

    def forsaken(self) -> BaseException | None:
        """What ended the client's own care for its metadata, if anything did."""
        return None if self._consumer is None else forsaken(self._consumer._client)

    async def ends(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Log ends, from the broker."""
        found = await self._ensure_consumer().end_offsets([TopicPartition(*tp) for tp in tps])
        return {ensure_TP(tp): int(end) for tp, end in found.items()}

    async def topic_ids(self, topics: Iterable[str]) -> Found | None:
        """As the broker tells them now, over this consumer's connection."""
        return await topic_ids(self._ensure_consumer()._client, topics)

    async def leave(self) -> None:
        """Stops the consumer; a dynamic member leaves the group so that others take over at once."""
        await self._ensure_consumer().stop()
