"""What roles had written when they died, against what they had committed: what will be delivered again.

Not for: the verdict. Reads each topic once, from where it stopped the last time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from streamer import kafka_io
from streamer.domain.records import HEADER_ORIGIN, Origin
from streamer.engine.partition_row import ORIGIN_BYTES, PARTITION_KEY, PartitionRow, decode_partition_row, is_void
from tests.faults.in_flight import Offsets
from tests.faults.stage import Stage
from tests.faults.watch import Watch

RECORDS: Final = "credit.records"
SINK_QUERY: Final = "SELECT records_partition, max(records_offset) + 1 FROM enterprise.record GROUP BY 1"


class Tails:
    """One reader of the changelog, the records and Postgres."""

    def __init__(self, stage: Stage, watch: Watch) -> None:
        self.stage, self.watch = stage, watch
        self._read: dict[str, Offsets] = {}
        self.rows: dict[int, PartitionRow] = {}
        self.intake_wrote: Offsets = {}

    async def applied(self) -> int:
        """Records that the changelog includes."""
        async for message in self._new(self.stage.changelog):
            if message.key == PARTITION_KEY and not is_void(message.value, message.offset):
                self.rows[message.partition] = decode_partition_row((message.value or b"")[ORIGIN_BYTES:])
        return sum(row.applied + 1 for row in self.rows.values())

    async def redelivered(self, role: str) -> int:
        """What is durable of a role's work beyond what it has committed, at least."""
        done = await kafka_io.committed(self.stage.bootstrap, self.stage.group(role))
        if role == "dossier":
            await self.applied()
            wrote: Offsets = {(RECORDS, p): row.applied + 1 for p, row in self.rows.items()}
        elif role == "intake":
            async for message in self._new(RECORDS):
                header = message.header(HEADER_ORIGIN)
                if header is not None:
                    origin = Origin.parse(header.decode())
                    where = (origin.topic, origin.partition)
                    self.intake_wrote[where] = max(self.intake_wrote.get(where, 0), origin.offset + 1)
            wrote = self.intake_wrote
        else:
            connection = await asyncpg.connect(self.stage.database)
            try:
                wrote = {(RECORDS, row[0]): row[1] for row in await connection.fetch(SINK_QUERY)}
            finally:
                await connection.close()
        return sum(max(0, offset - done.get(where, 0)) for where, offset in wrote.items())

    async def _new(self, topic: str) -> AsyncIterator[kafka_io.Message]:
        begin, end = await kafka_io.bounds(self.stage.bootstrap, [topic], committed_only=False)
        start = self._read.get(topic, begin)
        async for message in kafka_io.read(self.stage.bootstrap, start, end, committed_only=False):
            yield message
        self._read[topic] = end
