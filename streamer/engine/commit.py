"""The commit of a unit: the one function that the guarantee rests on. Not for: deciding when (``lane``).

Killed during or after the outputs: state is unchanged, redelivery computes the same bytes again. Inside the changelog
append: all of it happened or nothing. Before the local store: that is behind and catches up. Before the offset commit:
redelivery is skipped, the partition row says what is included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from streamer.engine import failpoints
from streamer.engine.exits import Exit, Refusal
from streamer.engine.partition_row import PARTITION_KEY, encode_partition_row, origin
from streamer.engine.store import NOTHING, Deleted, Notes
from streamer.engine.tombstones import messages as tombstones
from streamer.engine.unit import Message, Outputs, Unit, raw_message

if TYPE_CHECKING:
    from streamer.engine.lane import Lane
    from streamer.engine.partition import OwnedPartition
    from streamer.engine.runtime import Runtime

#: An append whose offset the broker did not tell (a resend that it had already).
UNTOLD = -1


class RowMessages(Collection[Message]):
    """Changelog records of rows, each made when the batch takes it: thousands at a time would all leave the processor's
    caches before they are freed again. ``following``: the source offset not included; ``expected``: where the first lands."""

    __slots__ = ("_at", "_expected", "_following", "_rows")

    def __init__(
        self, timestamp_ms: int, following: int, expected: int, rows: Collection[tuple[bytes, bytes | None]]
    ) -> None:
        self._at, self._following, self._expected, self._rows = timestamp_ms, following, expected, rows

    def __iter__(self) -> Iterator[Message]:
        at, following = self._at, self._following
        for position, (key, payload) in enumerate(self._rows, self._expected):
            yield raw_message(Message, (at, key, origin(following, position) + (payload or b""), ()))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, message: object) -> bool:
        return any(message == mine for mine in self)

    def __add__(self, more: list[Message]) -> list[Message]:
        return [*self, *more]


class CommitSteps:
    """The steps of a commit; a process has one object of it. Each is a method, so that a test can break one and see the
    fault tests fail."""

    def __init__(self, runtime: Runtime, changelog: str | None) -> None:
        self.runtime = runtime
        self.changelog_topic = changelog

    async def run(self, lane: Lane, unit: Unit, previous: Unit | None) -> None:
        """outputs → changelog → local store → ledger; the offset goes to the broker later, by timer."""
        failpoints.hit("before_outputs")
        self.runtime.pause_check()
        if previous is not None:
            await previous.told.wait()
        await self.outputs(lane, unit)
        unit.told.set()
        if unit.sooner.messages or unit.later.messages:
            failpoints.hit("after_outputs")
        if unit.following == unit.first:
            failpoints.hit("in_sweep")
        if previous is not None and previous.task is not None:
            await previous.task
        if unit.steps:
            await self.external(unit)
        elif lane.owned is not None and unit.changes is not None:
            self.runtime.pause_check()
            failpoints.hit("before_changelog")
            await self.changelog(lane.owned, unit)
            failpoints.hit("after_changelog")
            self.local(lane.owned, unit)
            failpoints.hit("after_rocksdb")
        lane.landed(unit)

    async def outputs(self, lane: Lane, unit: Unit) -> None:
        """What goes out, acknowledged: first what must stand before the rest."""
        for batch in (unit.sooner, unit.later):
            if batch.messages:
                await self._send(lane.owned, batch)
                if batch is unit.sooner and unit.later.messages:
                    failpoints.hit("between_outputs")
        if lane.owned is not None:
            unit.positions = dict(lane.owned.outputs)

    async def external(self, unit: Unit) -> None:
        """A sink's own durable steps, in order; they wait for their server as long as it takes."""
        for step in unit.steps:
            await step()

    async def changelog(self, owned: OwnedPartition, unit: Unit) -> None:
        """All rows and the partition row, in one record batch, at the expected offset."""
        assert unit.changes is not None
        row = owned.row
        row.applied = max(row.applied, unit.following - 1)
        row.sequence += 1
        row.outputs = unit.positions
        if unit.schema:
            row.schema = unit.schema
        unit.due = owned.marks.take(self.runtime.now_ms(), unit.changes.payloads)
        if unit.due.settled:
            row.tombstoned = max(row.tombstoned, unit.due.settled[-1].offset)
        unit.changes.payloads[PARTITION_KEY] = encode_partition_row(row)
        await self.append_rows(owned, unit, unit.changes.payloads.items())

    async def append_rows(
        self, owned: OwnedPartition, unit: Unit, rows: Collection[tuple[bytes, bytes | None]]
    ) -> None:
        """One record batch of changelog records. Raises Refusal when it is too large, or did not land where it had to."""
        assert self.changelog_topic is not None
        expected = owned.position
        following = owned.row.applied + 1
        messages: Collection[Message] = RowMessages(unit.timestamp_ms, following, expected, rows)
        if unit.due.tombstones:
            messages = [*messages, *tombstones(unit.due, following, expected + len(rows), unit.timestamp_ms)]
        owned.position = await self.append(
            self.changelog_topic, owned.number, messages, expected, failpoint="in_changelog"
        )

    def local(self, owned: OwnedPartition, unit: Unit) -> None:
        """Rows and changelog position into the local store, in one batch."""
        assert unit.changes is not None
        payloads, due, now_ms = unit.changes.payloads, unit.due, self.runtime.now_ms()
        first = owned.position - len(due.tombstones) - len(payloads)
        deleted = [
            Deleted(at, now_ms, key) for at, (key, payload) in enumerate(payloads.items(), first) if payload is None
        ]
        notes = NOTHING
        if deleted or due.settled:
            notes = Notes(deleted, [(mark.offset, mark.key) for mark in due.settled])
        owned.stored.write(payloads, owned.position, notes)
        owned.marks.landed(deleted, due.settled)
        self.runtime.metrics.tombstones.inc(len(due.tombstones))
        owned.rows.landed(unit.changes)
        owned.known = owned.booked = True

    async def append(
        self, topic: str, partition: int, messages: Collection[Message], expected: int, *, failpoint: str | None = None
    ) -> int:
        """Single writer: one batch that must land at ``expected``; the position after it. Raises Refusal otherwise."""
        rt = self.runtime
        assert rt.appender is not None
        timeout = rt.settings.commit_step_timeout_s
        landed = await asyncio.wait_for(
            rt.appender.batch(topic, partition, messages, rt.settings.unit_max_bytes, failpoint), timeout
        )
        following = expected + len(messages)
        if landed == UNTOLD:
            end = await asyncio.wait_for(rt.end_offset(topic, partition), timeout)
            landed = expected if end == following else end
        if landed != expected:
            raise Refusal(
                Exit.FOREIGN,
                f"{topic}-{partition}: an append landed at {landed}, not at {expected}: somebody else writes",
            )
        rt.answered()
        return following

    async def _send(self, owned: OwnedPartition | None, batch: Outputs) -> None:
        """All queues of a batch, side by side."""
        rt, compacted = self.runtime, self.runtime.compacted
        assert rt.appender is not None
        plain: list[asyncio.Future[None]] = []
        single: list[Coroutine[Any, Any, None]] = []
        for (topic, partition), queue in batch.messages.items():
            if owned is not None and topic in compacted:
                single.append(self._send_owned(owned, topic, partition, queue))
            else:
                plain.append(rt.appender.all(topic, partition, queue, rt.settings.output_batch_bytes))
        if single:
            await asyncio.gather(self._told(plain), *single)
        else:
            await self._told(plain)

    async def _told(self, plain: list[asyncio.Future[None]]) -> None:
        """All of them are acknowledged."""
        if plain:
            all_told = plain[0] if len(plain) == 1 else asyncio.gather(*plain)
            await asyncio.wait_for(all_told, self.runtime.settings.commit_step_timeout_s)
            self.runtime.answered()

    async def _send_owned(self, owned: OwnedPartition, topic: str, partition: int, queue: list[Message]) -> None:
        """A compacted output: each batch at its expected position, one after the other."""
        assert self.runtime.appender is not None
        for part in self.runtime.appender.parts(queue, self.runtime.settings.output_batch_bytes):
            failpoints.hit("before_compacted")
            owned.outputs[topic] = await self.append(topic, partition, part, owned.outputs[topic])
