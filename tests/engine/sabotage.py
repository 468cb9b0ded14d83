"""Commits that break the guarantee on purpose: what cannot fail proves nothing. Named in ``ToyConfig.steps``."""

from __future__ import annotations

from typing import Any

from streamer.engine import CommitSteps, failpoints
from streamer.engine.partition_row import PARTITION_KEY, encode_partition_row


class OutputsLast(CommitSteps):
    """Wrong order: the changelog before the outputs; what is killed between has told nobody."""

    async def run(self, lane: Any, unit: Any, previous: Any) -> None:
        if previous is not None:
            await previous.told.wait()
            if previous.task is not None:
                await previous.task
        unit.positions = dict(lane.owned.outputs)
        if unit.changes is not None:
            await self.changelog(lane.owned, unit)
            failpoints.hit("after_changelog")
            self.local(lane.owned, unit)
        await self.outputs(lane, unit)
        unit.told.set()
        lane.landed(unit)


class Torn(CommitSteps):
    """Two record batches: heads and the partition row, then the rest; a kill between them leaves facts behind."""

    async def changelog(self, owned: Any, unit: Any) -> None:
        row = owned.row
        row.applied, row.sequence, row.outputs = max(row.applied, unit.following - 1), row.sequence + 1, unit.positions
        payloads = unit.changes.payloads
        payloads[PARTITION_KEY] = encode_partition_row(row)
        heads = [(k, v) for k, v in payloads.items() if k[:1] in (b"h", PARTITION_KEY)]
        rest = [(k, v) for k, v in payloads.items() if k[:1] not in (b"h", PARTITION_KEY)]
        await self.append_rows(owned, unit, heads)
        failpoints.hit("in_changelog")
        if rest:
            await self.append_rows(owned, unit, rest)

    async def append(self, topic: str, partition: int, messages: Any, expected: int, *, failpoint: Any = None) -> int:
        return await super().append(topic, partition, messages, expected)
