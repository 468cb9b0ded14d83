"""The books of a partition (账目): every item in exactly one column, by source.

Not for: reading Kafka (``streamer audit`` does and compares). messages of the partition = control + resent + items.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streamer.domain import messages
from streamer.domain.records import Origin
from streamer.domain.state import Counts, Partition

MAX_INBOUND: Final = 4096  # inbound partitions that a records partition may know


class Books:
    """One source's page."""

    __slots__ = ("_counts", "_partition")

    def __init__(self, partition: Partition, source: str) -> None:
        counts = partition.books.get(source)
        if counts is None:
            counts = partition.books[source] = Counts()
        self._partition, self._counts = partition, counts

    def inbound(self, origin: Origin) -> int:
        """The index under which event rows name this inbound partition."""
        name = f"{origin.topic}|{origin.partition}"
        known = self._partition.inbound
        try:
            return known.index(name)
        except ValueError:
            pass  # seen for the first time
        if len(known) >= MAX_INBOUND:
            raise OverflowError(f"more than {MAX_INBOUND} inbound partitions feed one records partition")
        known.append(name)
        return len(known) - 1

    def duplicate(self) -> None:
        self._counts.duplicate += 1

    def dead_letter(self) -> None:
        self._counts.dead_lettered += 1

    def count(self, outcome: str) -> None:
        """``outcome``: applied, witness (applied, too), duplicate, superseded, dead_lettered."""
        if outcome == "witness":
            self._counts.applied += 1
        setattr(self._counts, outcome, getattr(self._counts, outcome) + 1)

    @staticmethod
    def report(partition: Partition, until: str) -> Iterator[tuple[str, bytes]]:
        """What became of each source's items since the last report, as messages; marks them reported."""
        for source, counts in partition.books.items():
            now = [counts.applied, counts.duplicate, counts.superseded]
            last = partition.reported.get(source, [0, 0, 0])
            if now != last:
                change = dict(
                    zip(
                        ("applied", "duplicate", "superseded"),
                        (a - b for a, b in zip(now, last, strict=True)),
                        strict=True,
                    )
                )
                partition.reported[source] = now
                yield source, messages.encode(messages.OutcomeCounts(period_until=until, counts=change))
