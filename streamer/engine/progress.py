"""How far a recovery is, in metrics, in the log and for /readyz. Not for: reading (``recovery``), nor standbys."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamer.engine.metrics import Metrics

log = logging.getLogger(__name__)

#: A line this often while a recovery goes on.
LINE_S: Final = 5.0
#: A recovery of fewer records is over before anybody looks: its lines are for the curious (INFO).
LONG_RECORDS: Final = 100_000


class Progress:
    """Records are counted by offsets: a compacted changelog holds fewer, so it is at most what is said."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._left: dict[tuple[str, int], int] = {}
        self._total = 0
        self._began = 0.0
        self._line_at = 0.0
        self.active = False

    def begin(self, left: Mapping[tuple[str, int], int]) -> None:
        """A recovery starts, with so many records to go by (topic, partition)."""
        self.forget()
        self._began = self._line_at = self._clock()
        self.active = True
        for where, records in left.items():
            self._set(where, records)
        self._total = self.left
        self._metrics.recovery_seconds_left.set(0)
        self._say("recovery begins: %d records of %d partitions to read", self._total, len(left))

    def moved(self, where: tuple[str, int], left: int) -> None:
        """One partition got further; more is left than before when it must be read anew. Nothing of one that is forgotten."""
        before = self._left.get(where)
        if before is None:
            return
        if left > before:
            self._total += left - before
        self._set(where, left)

    def shown(self) -> None:
        """After each round of reading."""
        seconds = self.seconds_left
        self._metrics.recovery_seconds_left.set(seconds or 0)
        now = self._clock()
        if now - self._line_at >= LINE_S:
            self._line_at = now
            rate = self.done / (now - self._began)
            estimate = "unknown" if seconds is None else f"{seconds:.0f} s"
            self._say(
                "recovery: %d records read, %d left, %.0f a second, done in %s", self.done, self.left, rate, estimate
            )

    def end(self) -> None:
        """All partitions are recovered."""
        for where in self._left:
            self._set(where, 0)
        self._metrics.recovery_seconds_left.set(0)
        took = self._clock() - self._began
        self._metrics.recovery_seconds.set(took)
        self._say("recovery done: %d records in %.1f s", self._total, took)
        self.active = False

    def forget(self) -> None:
        """The assignment is gone, and with it whatever is left."""
        for topic, partition in self._left:
            self._metrics.recovery_remaining.remove(topic, partition)
        self._left = {}
        self._total = 0

    @property
    def left(self) -> int:
        return sum(self._left.values())

    @property
    def done(self) -> int:
        return self._total - self.left

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None: nothing was read yet."""
        if not self.left:
            return 0.0
        spent = self._clock() - self._began
        return self.left * spent / self.done if self.done and spent > 0 else None

    def body(self) -> dict[str, object]:
        """For /readyz."""
        seconds = self.seconds_left
        left = None if seconds is None else round(seconds, 1)
        return {"records_done": self.done, "records_left": self.left, "seconds_left": left}

    def _set(self, where: tuple[str, int], left: int) -> None:
        self._left[where] = left
        self._metrics.recovery_remaining.labels(*where).set(left)

    def _say(self, text: str, *values: object) -> None:
        log.log(logging.WARNING if self._total >= LONG_RECORDS else logging.INFO, text, *values)
