"""What a process knows about one partition of its table while it owns it. Not for: offsets of the source (``ledger``)."""

from __future__ import annotations

from streamer.engine.partition_row import PARTITION_KEY, PartitionRow, decode_partition_row
from streamer.engine.rows import Rows
from streamer.engine.settings import TOMBSTONE_AFTER_S
from streamer.engine.store import StoredPartition
from streamer.engine.tombstones import Marks


class OwnedPartition:
    """``row`` is as of the last unit handed to the changelog; ``position`` where the next changelog record must land."""

    __slots__ = ("booked", "known", "marks", "number", "outputs", "position", "row", "rows", "stored")

    def __init__(
        self,
        number: int,
        stored: StoredPartition,
        rows: Rows,
        position: int,
        tombstone_after_s: float = TOMBSTONE_AFTER_S,
    ) -> None:
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
        #: Delete marks that no tombstone follows yet.
        self.marks = Marks(self, tombstone_after_s)

    @property
    def following(self) -> int:
        """The first source offset not included."""
        return self.row.applied + 1
