"""What the engine's parts share in one process: settings, metrics, producer, steps. Not for: Faust (``app`` wires it)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from streamer.engine import wall
from streamer.engine.exits import Exit, Refusal, fatal
from streamer.engine.memory import shares
from streamer.engine.metrics import Metrics
from streamer.engine.pace import Pace
from streamer.engine.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.engine.commit import CommitSteps
    from streamer.engine.producer import Appender

#: Kafka counts as answering if something came back within this time.
KAFKA_SILENT_S: Final = 5.0


class Runtime:
    """One process. ``steps`` and ``appender`` are set while the app starts."""

    def __init__(self, settings: EngineSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        #: What each part may hold; once the source topics are known, for their number of partitions.
        self.memory = shares(settings, 1)
        self.clock: Callable[[], float] = time.monotonic
        #: How quick the handlers are.
        self.pace = Pace(settings.slice_target_s)
        #: The worker's wall clock: for what a wrong one may make dearer, never wrong.
        self.now_ms: Callable[[], int] = wall.now_ms
        self.steps: CommitSteps | None = None
        self.appender: Appender | None = None
        #: Wakes the fetch loop: a partition may have room again.
        self.wakeup: Callable[[], None] = _nothing
        #: What readers of whole topics hold at the moment, by the part of the budget that it counts to.
        self.reading: dict[str, Callable[[], int]] = {}
        #: Whether all partitions together hold less than may be in flight.
        self.has_room: Callable[[], bool] = _always
        #: The log end offset of a partition, from the broker.
        self.end_offset: Callable[[str, int], Awaitable[int]] = _no_offsets
        #: Output topics that the owner of a partition alone writes, at known positions.
        self.compacted: set[str] = set()
        #: The event loop's last turn, and the last answer of Kafka, on ``clock``.
        self.loop_turned_at = self.clock()
        self.kafka_answered_at = self.clock()
        self.guarding = False
        self.stopping = False
        self._waiting: dict[str, float] = {}
        #: Partitions by (topic, key); a look-up saves 3 to 8 µs.
        self._remembered: dict[tuple[str, bytes], int] = {}

    # -- partitions of outputs

    def partition_for(self, topic: str, key: bytes) -> int:
        """The partition that Kafka's default partitioner gives ``key``."""
        where = (topic, key)
        partition = self._remembered.get(where)
        if partition is None:
            if len(self._remembered) >= self.memory.keys:
                self._remembered.clear()
            assert self.appender is not None
            partition = self._remembered[where] = self.appender.partition_for(topic, key)
        return partition

    # -- life

    def answered(self) -> None:
        """Kafka answered something."""
        self.kafka_answered_at = self.clock()

    def kafka_is_silent(self) -> bool:
        return self.clock() - self.kafka_answered_at > KAFKA_SILENT_S

    def pause_check(self) -> None:
        """Ends a process that slept longer than half its session before it writes: it may have lost its partitions."""
        slept = self.clock() - self.loop_turned_at
        if self.guarding and slept > self.settings.session_timeout_s / 2:
            fatal(Exit.PAUSE, f"the event loop did not turn for {slept:.1f} s")

    @contextmanager
    def waiting_on(self, name: str) -> Iterator[None]:
        """Something outside (``kafka``, ``postgres``) is being waited for: that is no stall, and it is shown."""
        self._waiting[name] = self._waiting.get(name, 0) + 1
        self.metrics.waiting.labels(name).set(1)
        try:
            yield
        finally:
            self._waiting[name] -= 1
            if not self._waiting[name]:
                del self._waiting[name]
                self.metrics.waiting.labels(name).set(0)

    @property
    def waits(self) -> list[str]:
        """What is being waited for."""
        return sorted(self._waiting)


def _nothing() -> None:
    return None


def _always() -> bool:
    return True


async def _no_offsets(topic: str, partition: int) -> int:
    raise Refusal(Exit.GAP, f"log end of {topic}-{partition} asked for before the consumer was started")
