"""Faust's consumer, handing one partition's slice of a fetch to the agent as one value. Not for: when a unit commits (``lane``).

Faust keeps the group, its rebalances and the life cycle; its own acknowledging is out of the game.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode import Service

from streamer.engine import failpoints
from streamer.engine.exits import Exit, Refusal, fatal
from streamer.engine.gate import Turns
from streamer.engine.gathering import Gathering
from streamer.engine.kafka_errors import forbidden
from streamer.engine.lane import Lane
from streamer.engine.memory import InFlight
from streamer.engine.slices import Slice
from streamer.engine.starts import lane_for
from streamer.engine.thread import SliceThread

if TYPE_CHECKING:
    from streamer.engine.fetch import Fetched
    from streamer.engine.runtime import Runtime

_FETCH_BUSY_S = 0.01
_FETCH_IDLE_S = 0.5
_TICK_S = 0.25
_BROKER_CALL_S = 30.0


class SliceMessage(ConsumerMessage):
    """What carries a slice through Faust's conductor; acknowledging it does nothing."""

    def ack(self, consumer: Any, n: int = 1) -> bool:  # noqa: ARG002 - Faust's signature
        self.acked = True
        return False


def left_in_kafka(lanes: Iterable[Lane]) -> int:
    """Offsets that are known to follow what was handed over, in lanes that no gate holds back."""
    return sum([max(0, lane.end - lane.ledger.next) for lane in lanes if not lane.held])


class SliceConsumer(driver.Consumer):
    """One process's consumer; ``lanes`` are the source partitions of the present assignment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runtime: Runtime = self.app.runtime
        self._thread.runtime = self.runtime
        self.lanes: dict[TP, Lane] = {}
        #: How often partitions were taken away: what began before is of a gone assignment.
        self._revocations = 0
        self._turns = Turns()
        self._in_flight = InFlight()
        self._gathering = Gathering(self.runtime.settings.fetch_gap_s)
        self.committed_at = self.runtime.clock()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._committing = asyncio.Lock()
        self.runtime.wakeup = self._room.set
        self.runtime.has_room = self.has_room
        self.runtime.end_offset = self._end_offset

    def _new_consumer_thread(self) -> SliceThread:
        return SliceThread(self, loop=self.loop, beacon=self.beacon)

    # -- hand-over

    async def _drain_messages(self, fetcher: Any) -> None:
        stopped, fetcher_stopped = self._stopped.is_set, fetcher._stopped.is_set
        try:
            while not (stopped() or fetcher_stopped()):
                if self.flow_active:
                    await self._hand_over_once()
                else:
                    await self.wait_first(self.can_resume_flow.wait(), timeout=1.0)
        except asyncio.CancelledError:
            if not (fetcher.should_stop or self.should_stop or self.app.should_stop or self.runtime.stopping):
                raise
        except Exception as exc:  # noqa: BLE001 - records that were unpacked are lost: never go on
            if not (self.app.should_stop or self.runtime.stopping):
                fatal(Exit.GAP, "hand-over", exc)

    async def _hand_over_once(self) -> None:
        await self._gather()
        self._room.clear()
        lanes, most = self.lanes, self.runtime.settings.slices_in_flight
        for lane in lanes.values():
            lane.go_on()
        active = self._get_active_partitions()
        ready = [tp for tp, lane in lanes.items() if lane.queued < most and len(lane.units) < most and tp in active]
        wanted = self._turns.choose(lanes, ready, self.app.gates)
        room = self._room_for(lanes)
        if not wanted or not room:
            await self._wait_for_room()
            return
        wanted.sort(key=lambda tp: lanes[tp].queued + len(lanes[tp].units))  # where room is short, all get some
        busy = any(lane.busy for lane in lanes.values())
        self._idle.clear()
        try:
            fetched = await self._thread.call_thread(
                self._thread.slices, wanted, _FETCH_BUSY_S if busy else _FETCH_IDLE_S, room
            )
        finally:
            self._idle.set()
        if not fetched:
            await asyncio.sleep(0)
            return
        self.runtime.answered()
        for tp, part in fetched.items():
            if lanes is not self.lanes or not self.flow_active:
                return  # fetched for an assignment that is gone: read again from the committed offset
            await self._hand_over(ensure_TP(tp), part)
        records = sum([len(part.records) for part in fetched.values()])
        self._gathering.handed(records, left_in_kafka(lanes.values()), self.runtime.clock())

    async def _gather(self) -> None:
        """Lets records come together, where there is no backlog."""
        while True:
            under_way = any(lane.queued or lane.units for lane in self.lanes.values())
            wait_s = self._gathering.wait_s(self.runtime.clock(), under_way=under_way)
            if not wait_s:
                return
            await asyncio.sleep(wait_s)

    async def _hand_over(self, tp: TP, fetched: Fetched) -> None:
        lane = self.lanes[tp]
        part = Slice(lane, fetched.records, fetched.first, fetched.following, fetched.end)
        self._in_flight.saw(len(part.records), lane.hand_over(part))
        gate = self.app.gates.get(tp.topic)
        if gate is not None:
            gate.took(len(part.records))
        message = SliceMessage(
            tp.topic, tp.partition, fetched.following - 1, 0.0, 0, None, None, part, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip
        await self.callback(message)

    def _room_for(self, lanes: dict[TP, Lane]) -> int:
        """How many records may be handed over; when none, what is open is sent on its way."""
        claimed = sum([lane.claimed_bytes for lane in lanes.values()])
        room = self._in_flight.room(claimed, self.runtime.memory.in_flight_bytes)
        if not room:
            for lane in lanes.values():
                lane.relieve()
        return self.runtime.pace.room(min(room, self.runtime.settings.max_poll_records))

    def has_room(self) -> bool:
        """Whether all lanes together claim less than may be in flight: asked before work that no record brings, too."""
        claimed = sum([lane.claimed_bytes for lane in self.lanes.values()])
        return bool(claimed < self.runtime.memory.in_flight_bytes)

    async def _wait_for_room(self) -> None:
        try:
            await asyncio.wait_for(self._room.wait(), _FETCH_IDLE_S)
        except TimeoutError:
            return

    # -- Faust's acknowledging

    def ack(self, message: Any) -> bool:  # noqa: ARG002 - Faust's signature
        return False

    def track_message(self, message: Any) -> None:
        """Nothing: the ledger counts."""

    async def on_task_error(self, exc: BaseException) -> None:
        """Nothing. (Faust's own commits here.)"""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: the watchdog judges."""

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """Nothing: the watchdog judges."""

    @Service.task
    async def _commit_livelock_detector(self) -> None:
        """Nothing: the watchdog judges."""

    # -- offsets

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        """Tells the broker what is durable; True if it has it."""
        async with self._committing:
            lanes = self.lanes
            todo = {tp: lane.ledger.uncommitted for tp, lane in lanes.items() if lane.ledger.uncommitted is not None}
            if not todo:
                self.committed_at = self.runtime.clock()
                return False
            failpoints.hit("before_offset_commit")
            try:
                accepted = await asyncio.wait_for(self._thread.call_thread(self._thread._commit, todo), _BROKER_CALL_S)
            except TimeoutError:
                self.log.warning("offset commit: no answer from Kafka within %s s", _BROKER_CALL_S)
                accepted = False
            except KafkaError as exc:
                if forbidden(exc) is not None:
                    fatal(Exit.CONFIG, f"offset commit of the group {self.runtime.settings.app_id}", exc)
                raise
            self.runtime.metrics.commits.labels("accepted" if accepted else "refused").inc()
            if accepted:
                failpoints.hit("after_offset_commit")
                self.runtime.answered()
                self.committed_at = self.runtime.clock()
                for tp, offset in todo.items():
                    lanes[tp].ledger.committed = offset
            return bool(accepted)

    force_commit = commit

    async def perform_seek(self) -> None:
        """After recovery: where each source partition starts, checked against its state, then explicit seeks."""
        revocations = self._revocations
        self.drop_lanes()
        await asyncio.wait_for(self._idle.wait(), _BROKER_CALL_S)
        assigned = self.assignment()
        sources = {tp for tp in assigned if tp.topic in self.app.sources}
        starts = await self._thread.call_thread(self._thread.starts, sources) if sources else {}
        try:
            lanes = {tp: lane_for(self.app, tp.topic, tp.partition, start) for tp, start in starts.items()}
        except Refusal as exc:
            fatal(exc.code, "start", exc)
        offsets = {tp: lane.ledger.next for tp, lane in lanes.items()}
        await self._thread.call_thread(self._thread.start_at, offsets, assigned - sources)
        await self.app.load_outputs()
        if revocations != self._revocations:
            return
        self.lanes = lanes
        self._show(lanes)
        self.runtime.guarding = bool(lanes)
        self.committed_at = self.runtime.clock()
        for lane in lanes.values():
            if lane.owned is not None and not lane.owned.booked:
                lane.unit()
            lane.sweep_soon()
            lane.tidy_soon()
        self._room.set()

    # -- the end of an assignment

    async def quiesce(self, why: str, timeout_s: float) -> None:
        """Drops what was not begun, waits a bounded time for what was, commits its offsets."""
        lanes = list(self.lanes.values())
        tasks = [task for lane in lanes for task in lane.settle()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            if late and (self.runtime.stopping or self._only_steps_wait(lanes)):
                for lane in lanes:
                    lane.abandon()
            elif late:
                fatal(Exit.REVOKE, f"{why}: {len(late)} units did not finish in {timeout_s} s")
        try:
            await self.commit()
        except Exception as exc:  # noqa: BLE001 - not committing is safe: the records come again and are recognised
            self.log.warning("%s: last offset commit failed: %s", why, type(exc).__name__)

    def _only_steps_wait(self, lanes: Iterable[Lane]) -> bool:
        """Whether all late units are a sink's that waits for its server: they may be given up."""
        return bool(self.runtime.waits) and all(unit.steps for lane in lanes for unit in lane.units)

    def drop_lanes(self) -> None:
        for (topic, partition), lane in self.lanes.items():
            lane.close()
            self.runtime.metrics.forget(topic, partition)
        self.lanes = {}
        self.runtime.guarding = False

    async def wait_empty(self) -> None:
        """Faust asks before it gives partitions back, and when it stops."""
        await self.quiesce("revoked", self._patience())
        self.drop_lanes()

    commit_and_end_transactions = wait_empty

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._revocations += 1
        self.stop_flow()
        try:
            await self.app.tables.recovery.give_back()
            await self.quiesce("revoked", self._patience())
        except Exception as exc:  # noqa: BLE001 - aiokafka logs it and gives the partitions back all the same
            fatal(Exit.REVOKE, "revoked", exc)
        self.drop_lanes()
        self.app.release_partitions()
        await super().on_partitions_revoked(revoked)

    def _patience(self) -> float:
        settings = self.runtime.settings
        return settings.session_timeout_s / 2 if self.runtime.waits else settings.revoke_timeout_s

    # -- life signs

    @Service.task
    async def _tick(self) -> None:
        while not self.should_stop:
            self.runtime.pause_check()
            self.runtime.loop_turned_at = self.runtime.clock()
            await asyncio.sleep(_TICK_S)

    @Service.task
    async def _watch_positions(self) -> None:
        while not self.should_stop:
            await self.sleep(self.runtime.settings.lag_poll_s)
            if (fault := self._thread.forsaken()) is not None:
                fatal(Exit.BROKER, "aiokafka's own task that keeps the metadata ended", fault)
            try:
                await asyncio.wait_for(self._poll_positions(), _BROKER_CALL_S)
                await asyncio.wait_for(self._poll_topics(), _BROKER_CALL_S)
            except Refusal as exc:
                fatal(exc.code, "while running", exc)
            except Exception as exc:  # noqa: BLE001 - a broker that is away shows in the lag and the watchdog's view
                if forbidden(exc) is not None:
                    fatal(Exit.CONFIG, "while running", exc)
                self.log.warning("positions not read: %s", type(exc).__name__)

    async def _poll_topics(self) -> None:
        """A source made anew under a running process: its offsets would go on where those of the old one ended."""
        if self.app.topic_ids:
            self.app.topics_seen(await self._thread.call_thread(self._thread.topic_ids, self.app.sources))

    async def _poll_positions(self) -> None:
        lanes = self.lanes
        if not lanes:
            return
        ends = await self._thread.call_thread(self._thread.ends, list(lanes))
        if lanes is not self.lanes:
            return
        self.runtime.answered()
        for tp, end in ends.items():
            lanes[tp].end = max(lanes[tp].end, end)
            lanes[tp].tidy_soon()
        self._show(lanes)
        await self._poll_single_writer(lanes)

    def _show(self, lanes: dict[TP, Lane]) -> None:
        for (topic, partition), lane in lanes.items():
            ledger, end = lane.ledger, lane.end
            marks = (ledger.next, ledger.done, ledger.committed or 0, end)
            self.runtime.metrics.at(topic, partition, marks, max(0, end - ledger.done))

    async def _poll_single_writer(self, lanes: dict[TP, Lane]) -> None:
        """A foreign append is noticed while idle, too. Only a partition that was quiet before *and* after, its position
        unmoved, tells anything: else its own append may have landed meanwhile."""
        quiet = {lane.owned.number: lane for lane in lanes.values() if lane.owned is not None and not lane.busy}
        expected = {TP(t, n): p for n, lane in quiet.items() for t, p in self.app.own_positions(lane.owned).items()}
        if not expected:
            return
        ends = await self._thread.call_thread(self._thread.ends, list(expected))
        if lanes is not self.lanes:
            return
        for number, lane in quiet.items():
            for topic, position in self.app.own_positions(lane.owned).items():
                tp = TP(topic, number)
                if not lane.busy and expected.get(tp) == position and ends[tp] != position:
                    raise Refusal(
                        Exit.FOREIGN, f"{topic}-{number} ends at {ends[tp]}, not at {position}: somebody else writes"
                    )

    async def _end_offset(self, topic: str, partition: int) -> int:
        tp = TP(topic, partition)
        ends = await self._thread.call_thread(self._thread.ends, [tp])
        return int(ends[tp])
