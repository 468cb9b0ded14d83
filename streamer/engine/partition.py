"""What a process knows about one partition of its table while it owns it. Not for: offsets of the source (``ledger``)."""

from __future__ import annotations

from streamer.engine.partition_row import PARTITION_KEY, PartitionRow, decode_partition_row
from streamer.engine.rows import Rows
from streamer.engine.store import StoredPartition


class OwnedPartition:
    """``row`` is as of the last unit handed to the changelog; ``position`` where the next changelog record must land."""

    __slots__ = ("booked", "known", "number", "outputs", "position", "row", "rows", "stored")

    def __init__(self, number: int, stored: StoredPartition, rows: Rows, position: int) -> None:
        self.number = number
        self.stored = stored
        self.rows = rows
        self.position = position
        raw = stored.get(PARTITION_KEY)
        #: False: this partition has never been committed.
        self.known = raw is not None
        self.row = PartitionRow() if raw is None else decode_partition_row(raw)
        self.row.epoch += 1
        #: Compacted output topic → where the next record must land: ahead of ``row.outputs`` while a unit is under way.
        self.outputs: dict[str, int] = {}
        #: False: the row holds something (an accepted loss) that must be written although nothing else is.
        self.booked = True

    @property
    def following(self) -> int:
        """The first source offset not included."""
        return self.row.applied + 1
