"""What an agent sees: one partition's slice of a fetch, as one value. Not for: single events as messages (forty times slower).

``async for s in stream: [handle(s, r) for r in s.fresh()]; s.done()``, synchronous between two awaits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from streamer.engine.rows import Rows
from streamer.engine.unit import Headers, Step

if TYPE_CHECKING:
    from streamer.engine.lane import Lane


#: Every 16 events the cache is looked at, so that it is not above its bound by more than they touch.
_TURN_MASK: Final = 15


class RecordIn(Protocol):
    """A source record as aiokafka's parser made it; nothing is copied."""

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970, UTC."""

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Slice:
    """[first, following) of one partition; ``records`` are what is visible of it."""

    __slots__ = ("_began", "_lane", "end", "first", "following", "partition", "records", "send", "topic")

    def __init__(self, lane: Lane, records: Sequence[RecordIn], first: int, following: int, end: int) -> None:
        self._lane = lane
        self._began = 0.0
        self.topic = lane.topic
        self.partition = lane.partition
        self.records = records
        self.first = first
        self.following = following
        #: The partition's log end when this was fetched.
        self.end = end
        #: Sends with this unit (``Lane.send``, itself: a role may send for every record).
        self.send = lane.send

    def fresh(self) -> Iterator[RecordIn]:
        """The records that the state does not include yet, in order. Cuts units between events while it runs."""
        lane = self._lane
        if not lane.begin(self):
            return
        self._began = lane.runtime.clock()
        floor, full, turn = lane.floor, lane.full, lane.turn
        for record in self.records:
            offset = record.offset
            if offset < floor:
                lane.redelivered.inc()
                continue
            if full():
                lane.cut(offset)
            if not offset & _TURN_MASK:
                turn()
            lane.timestamp_ms = record.timestamp
            yield record

    @property
    def rows(self) -> Rows:
        """The partition's rows. Raises RuntimeError in a role without a table."""
        return _rows(self._lane)

    @property
    def live(self) -> bool:
        """False once the partition is no longer this process's; what is done then is dropped."""
        return self._lane.live

    def commit_with(self, step: Step) -> None:
        """A sink: ``step`` is awaited after the outputs, before the offsets; it must be repeatable."""
        self._lane.commit_with(step)

    def done(self) -> None:
        """The slice is handled; the backlog decides when its unit commits."""
        runtime = self._lane.runtime
        runtime.pace.saw(len(self.records), runtime.clock() - self._began)
        self._lane.done(self)

    def begun(self) -> bool:
        """The engine's own: False drops the slice."""
        if self._lane.live:
            return True
        self._lane.dropped(self)
        return False

    def __len__(self) -> int:
        return len(self.records)


class SweepContext:
    """What a sweep may do with one partition, in a bounded piece of work."""

    __slots__ = ("_lane", "partition")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.partition = lane.partition

    @property
    def rows(self) -> Rows:
        return _rows(self._lane)

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
        """As ``Slice.send``; without a timestamp, that of the last record handled."""
        self._lane.send(topic, partition, key, value, headers, timestamp_ms, first)


#: Bounded work on what is due, called between slices and when idle; True: there is more.
Sweep = Callable[[SweepContext], bool]


def _rows(lane: Lane) -> Rows:
    if lane.owned is None:
        raise RuntimeError("this role keeps no table")
    return lane.owned.rows
