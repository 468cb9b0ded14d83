"""A unit: what one commit makes durable, whole slices or parts of them, cut between events. Not for: the order of the
commit (``commit``), or when it is time (``lane``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from streamer.engine.rows import Frozen
from streamer.engine.store import Deleted

Headers = Sequence[tuple[str, bytes]]
Step = Callable[[], Awaitable[None]]


class Message(NamedTuple):
    """One record on its way out."""

    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


#: ``raw_message(Message, (timestamp_ms, key, value, headers))``: a message at a third of the cost.
raw_message: Final[Callable[[type[Message], tuple[int, bytes, bytes, Headers]], Message]] = tuple.__new__


#: What a record costs in a batch beyond its key, value and headers.
RECORD_OVERHEAD_BYTES: Final = 32


def message_bytes(message: Message) -> int:
    """An upper estimate of a message's bytes in a batch."""
    _, key, payload, headers = message
    size = RECORD_OVERHEAD_BYTES + (len(key) if key else 0) + (len(payload) if payload else 0)
    for name, value in headers:
        size += len(name) + len(value) + 10
    return size


class Queue(list[Message]):
    """Messages for one partition of a topic, in order, and what they need in a batch (an upper estimate)."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        super().__init__()
        self.size = 0


class Outputs:
    """Messages of one unit by (topic, partition), in order."""

    __slots__ = ("messages", "size")

    def __init__(self) -> None:
        self.messages: dict[tuple[str, int], Queue] = {}
        self.size = 0

    def add(self, topic: str, partition: int, message: Message) -> None:
        where = (topic, partition)
        queue = self.messages.get(where)
        if queue is None:
            queue = self.messages[where] = Queue()
        queue.append(message)
        size = message_bytes(message)
        queue.size += size
        self.size += size


class Due(NamedTuple):
    """Delete marks that a unit settles, and those of them whose key gets a tombstone."""

    settled: list[Deleted]
    tombstones: list[Deleted]


NONE_DUE: Final = Due([], [])


class Unit:
    """[first, following) of one source partition; the range is empty when a sweep alone made it."""

    __slots__ = (
        "born",
        "changes",
        "due",
        "first",
        "following",
        "held_bytes",
        "later",
        "positions",
        "schema",
        "sooner",
        "steps",
        "task",
        "timestamp_ms",
        "told",
    )

    def __init__(self, first: int, now: float) -> None:
        self.first = first
        self.following = first
        self.born = now
        #: Messages acknowledged before any of ``later`` is sent.
        self.sooner = Outputs()
        self.later = Outputs()
        #: A sink's durable steps; with them there is no changelog.
        self.steps: list[Step] = []
        #: Rows, once the unit is under way; None: no table.
        self.changes: Frozen | None = None
        #: Delete marks that it settles, once it is under way.
        self.due = NONE_DUE
        #: Compacted output topic → next position, after this unit's outputs.
        self.positions: dict[str, int] = {}
        self.timestamp_ms = 0
        #: What its rows and outputs cost while it is under way, estimated.
        self.held_bytes = 0
        #: All rows have this schema once the unit is durable; 0: nothing to say.
        self.schema = 0
        #: Set when its outputs are acknowledged: the next unit's may follow.
        self.told = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
