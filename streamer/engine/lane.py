"""One assigned source partition: its open unit, its units under way, and when one is committed. Not for: how (``commit``).

While there is a backlog slices are merged into larger units; a caught-up partition commits at once, within a smallest gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from streamer.engine import wall
from streamer.engine.exits import Exit, Refusal, fatal
from streamer.engine.memory import UNIT_FACTOR, records_bytes
from streamer.engine.unit import Headers, Message, Step, Unit, raw_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamer.engine.chores import Chores
    from streamer.engine.ledger import Ledger
    from streamer.engine.partition import OwnedPartition
    from streamer.engine.runtime import Runtime
    from streamer.engine.slices import Slice

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class Lane:
    """One source partition in one assignment; a new assignment makes new lanes, and what is of an old one is dropped."""

    def __init__(
        self, runtime: Runtime, topic: str, partition: int, ledger: Ledger, owned: OwnedPartition | None = None
    ) -> None:
        self.runtime = runtime
        self.topic = topic
        self.partition = partition
        self.ledger = ledger
        #: The table's partition; None: this role keeps no table.
        self.owned = owned
        #: Source offsets below are in the state already.
        self.floor = 0 if owned is None else owned.following
        self.sweep: Callable[[], bool] | None = None
        #: The engine's own work between units.
        self.chores: Chores | None = None
        self.open: Unit | None = None
        self.units: deque[Unit] = deque()
        #: Slices handed over and not yet handled.
        self.queued = 0
        #: Slices not yet durable: where each ends, what its records cost.
        self._slices: deque[tuple[int, int]] = deque()
        self._slices_bytes = 0
        #: Of these, what each that waits for the agent costs, in order.
        self._waiting: deque[int] = deque()
        self.handling: Slice | None = None
        #: False once the assignment is gone, or about to.
        self.live = True
        #: There is more, but a gate holds it back: no stall.
        self.held = False
        #: The source's log end as last seen.
        self.end = ledger.next
        self.timestamp_ms = 0
        self.progress_at = runtime.clock()
        self._committed_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.Handle | None = None
        self._tidying: asyncio.Handle | None = None
        #: Something may be due: a slice was handled, or the last sweep said so.
        self._due = False
        #: What was to be done between units waits for memory (``go_on``).
        self._starved = False
        self._abandoned = False
        self.redelivered = runtime.metrics.redelivered.labels(topic)
        self._target_bytes = runtime.settings.unit_target_bytes

    # -- slices

    @property
    def held_bytes(self) -> int:
        """What is in memory of records handed over and not yet durable, estimated."""
        held = self._slices_bytes + sum([unit.held_bytes for unit in self.units])
        return held if self.open is None else held + self._cost(self.open)

    @property
    def claimed_bytes(self) -> int:
        """The same with what will come of records that wait for the agent: about as much again."""
        return self.held_bytes + sum(self._waiting)

    def _cost(self, unit: Unit) -> int:
        grown = 0 if self.owned is None else self.owned.rows.grown
        return UNIT_FACTOR * (grown + unit.sooner.size + unit.later.size)

    @property
    def busy(self) -> bool:
        return bool(self.queued or self.units or self.open)

    def hand_over(self, part: Slice) -> int:
        """A fetched slice goes to the agent; what it costs. Ends the process when it does not follow the one before."""
        try:
            self.ledger.hand_over(part.first, part.following, len(part.records))
        except Refusal as exc:
            fatal(Exit.GAP, "hand-over", exc)
        self.queued += 1
        cost = records_bytes(part.records)
        self._slices.append((part.following, cost))
        self._slices_bytes += cost
        self._waiting.append(cost)
        self.end = max(self.end, part.end)
        return cost

    def begin(self, part: Slice) -> bool:
        """The handler starts on a slice; False: it is of a gone assignment."""
        if not self.live:
            return False
        if self.handling is not None and self.handling is not part:
            fatal(Exit.HANDLER, f"{self.ledger.name}: a slice was begun before done() of the one before")
        self.handling = part
        self.turn()
        self.unit()
        return True

    def turn(self) -> None:
        """Between two events: rows that were not used lately may be forgotten."""
        if self.owned is not None:
            self.owned.rows.turn()

    def full(self) -> bool:
        """Whether the open unit must be cut before the next event."""
        unit, owned = self.open, self.owned
        if unit is None:
            unit = self.unit()
        limit = self._target_bytes
        if unit.sooner.size + unit.later.size >= limit:
            return True
        return owned is not None and owned.rows.grown >= limit

    def cut(self, following: int) -> None:
        """Commits what is open; its last event is the one before ``following``."""
        self.unit().following = following
        self.commit("size")

    def done(self, part: Slice) -> None:
        """The handler is through with a slice."""
        if not self.live:
            return
        if self.handling is not part:
            fatal(Exit.HANDLER, f"{self.ledger.name}: done() of a slice that was not begun")
        self.handling = None
        self.queued -= 1
        self._waiting.popleft()
        unit = self.unit()
        unit.following = part.following
        if unit.steps:
            self.commit("step")
        else:
            self.sweep_soon()
            if self.chores is not None and self.chores.pending:
                self.tidy_soon()
            self.consider()
        self.runtime.wakeup()

    def dropped(self, _part: Slice) -> None:
        """A slice of this lane was thrown away unread (the assignment went)."""
        self.queued -= 1

    # -- the open unit

    def unit(self) -> Unit:
        """The open unit, or a new one."""
        unit = self.open
        if unit is None:
            first = self.units[-1].following if self.units else self.ledger.done
            unit = self.open = Unit(first, self.runtime.clock())
            self._arm(self.runtime.settings.unit_max_age_s)
        return unit

    def send(
        self,
        topic: str,
        partition: int | None,
        key: bytes,
        value: bytes,
        headers: Headers = (),
        timestamp_ms: int | None = None,
        first: bool = False,
    ) -> None:
        """Adds a message to the open unit. ``partition=None``: by key. ``timestamp_ms=None``: the record's. ``first``: acknowledged
        before what is not first is sent. Raises ValueError for another partition of a compacted output."""
        if partition is None:
            partition = self.runtime.partition_for(topic, key)
        if topic in self.runtime.compacted and partition != self.partition:
            raise ValueError(f"{topic} is compacted: only partition {self.partition} may be written here")
        unit = self.open or self.unit()
        if timestamp_ms is None:
            timestamp_ms = self.timestamp_ms or wall.now_ms()  # a sweep before the first record
        message = raw_message(Message, (timestamp_ms, key, value, headers))
        (unit.sooner if first else unit.later).add(topic, partition, message)

    def commit_with(self, step: Step) -> None:
        """The open unit's durable step, instead of a changelog."""
        if self.owned is not None:
            raise RuntimeError("commit_with is for roles without a table")
        self.unit().steps.append(step)

    # -- when

    def consider(self) -> None:
        """Commits the open unit if it is time."""
        unit, settings = self.open, self.runtime.settings
        if unit is None or self.handling is not None or not self.live:
            return
        if self._is_empty(unit):
            self.open = None
            self._disarm()
            return
        now = self.runtime.clock()
        if self.full():
            self.commit("size")
        elif now - unit.born >= settings.unit_max_age_s:
            self.commit("age")
        elif not self.units and not self.queued and self.end <= unit.following:
            wait = self._committed_at + settings.unit_min_gap_s - now
            if wait <= 0:
                self.commit("caught up")
            else:
                self._arm(wait)

    def relieve(self) -> None:
        """Memory is short: what is open and whole goes on its way without waiting for more."""
        if self.open is not None and self.live and not self.queued and not self._is_empty(self.open):
            self.commit("memory")

    def commit(self, why: str) -> None:
        """Sends the open unit on its way."""
        unit, owned = self.open, self.owned
        if unit is None:
            return
        self.open = None
        self._disarm()
        unit.timestamp_ms = self.timestamp_ms
        unit.held_bytes = self._cost(unit)
        if owned is not None and (owned.rows.dirty or unit.following > self.floor or unit.schema or not owned.booked):
            self.runtime.metrics.unit_bytes.observe(owned.rows.grown)
            unit.changes = owned.rows.freeze()
        previous = self.units[-1] if self.units else None
        self.units.append(unit)
        self._committed_at = self.runtime.clock()
        self.runtime.metrics.units.labels(why).inc()
        assert self.runtime.steps is not None
        unit.task = asyncio.ensure_future(self.runtime.steps.run(self, unit, previous))
        unit.task.add_done_callback(self._ended)

    def landed(self, unit: Unit) -> None:
        """The unit is durable. Raises Refusal(GAP) when it is not the oldest."""
        if not self.units or self.units[0] is not unit:
            raise Refusal(Exit.GAP, f"{self.ledger.name}: the unit [{unit.first}, {unit.following}) overtook another")
        self.units.popleft()
        self.ledger.finish(unit.first, unit.following)
        while self._slices and self._slices[0][0] <= unit.following:
            self._slices_bytes -= self._slices.popleft()[1]
        self._measure(unit)
        self.progress_at = self.runtime.clock()

    def settle(self) -> list[asyncio.Task[None]]:
        """Before the assignment goes: commits what is whole and takes nothing more; the tasks to wait for."""
        if self.live and self.handling is None and self.open is not None and not self._is_empty(self.open):
            self.commit("quiesce")
        self.close()
        return [u.task for u in self.units if u.task is not None]

    def abandon(self) -> None:
        """Gives up units that wait for a sink's server: they are not acknowledged and come again."""
        self._abandoned = True
        for unit in self.units:
            if unit.task is not None:
                unit.task.cancel()

    def close(self) -> None:
        """Nothing more is begun, swept or committed here; units under way go on."""
        self.live = False
        self.open = None
        self._disarm()
        for handle in (self._sweeping, self._tidying):
            if handle is not None:
                handle.cancel()

    # -- sweeps

    def sweep_soon(self) -> None:
        """Lets the role work off what is due, as soon as nothing is being handled."""
        self._due = True
        if self.sweep is not None and self._sweeping is None and self.live:
            self._sweeping = asyncio.get_running_loop().call_soon(self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        if self.sweep is None or not self._may_work():
            return
        self.turn()  # a day with much due reads many rows, and no record may come meanwhile
        try:
            more = self.sweep()
        except Exception as exc:  # noqa: BLE001 - whatever a role raises ends the process
            fatal(Exit.HANDLER, f"sweep of {self.ledger.name}", exc)
        self.unit()  # for rows changed without a record; consider() drops it if there are none
        self._due = more
        self.consider()
        if more:
            self.sweep_soon()

    def tidy_soon(self) -> None:
        """Lets the engine do its own work, as soon as nothing is being handled."""
        if self.chores is not None and self._tidying is None and self.live:
            self._tidying = asyncio.get_running_loop().call_soon(self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        if self.chores is None or not self._may_work():
            return
        self.turn()
        try:
            self.chores.work(self.unit())
        except Exception as exc:  # noqa: BLE001 - as for a role's sweep: a codec raised
            fatal(Exit.HANDLER, f"upgrade of {self.ledger.name}", exc)
        self.consider()
        if self.chores.pending:
            self.tidy_soon()

    def go_on(self) -> None:
        """Memory may have become free, of this lane or another: what waited for it is asked again."""
        if self._starved:
            self._starved = False
            if self._due:
                self.sweep_soon()
            self.tidy_soon()

    def _may_work(self) -> bool:
        """Whether a piece of work between units may begin; done(), landed units and ``go_on`` ask again."""
        if not self.live or self.handling is not None or len(self.units) >= self.runtime.settings.slices_in_flight:
            return False
        if self.runtime.has_room():
            return True
        self._starved = True
        return False

    # -- inside

    def _is_empty(self, unit: Unit) -> bool:
        if unit.following > unit.first or unit.schema or unit.steps or unit.sooner.messages or unit.later.messages:
            return False
        return self.owned is None or (not self.owned.rows.dirty and self.owned.booked)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            if not self._abandoned:
                fatal(Exit.REVOKE, f"{self.ledger.name}: a commit was cancelled")
            return
        exc = task.exception()
        if exc is not None:
            fatal(_code(exc), f"commit of {self.ledger.name} from {self.ledger.done} on", exc)
        self.consider()
        if self._due:
            self.sweep_soon()
        self.tidy_soon()
        self.runtime.wakeup()

    def _measure(self, unit: Unit) -> None:
        m = self.runtime.metrics
        m.records.labels(self.topic).inc(unit.following - unit.first)
        m.unit_records.observe(unit.following - unit.first)
        m.unit_seconds.observe(self.runtime.clock() - unit.born)
        for outputs in (unit.sooner, unit.later):
            for (topic, _), queue in outputs.messages.items():
                m.sent.labels(topic).inc(len(queue))
        if unit.changes is not None:
            m.changelog_rows.inc(len(unit.changes.payloads))

    def _arm(self, delay_s: float) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._timed)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed(self) -> None:
        self._timer = None
        self.consider()
        if self.open is not None and self._timer is None:
            self._arm(self.runtime.settings.unit_max_age_s)


def _code(exc: BaseException) -> Exit:
    if isinstance(exc, _TOO_LARGE):
        return Exit.TOO_LARGE
    return Exit.STALL if isinstance(exc, KafkaError | TimeoutError) else Exit.HANDLER
