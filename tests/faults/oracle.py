"""Replay of a run's records, with the alerts counted by the record that brought them: how many copies kills may have made.

Not for: comparing (``verdict``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from streamer.domain.dossier import Meta
from streamer.domain.records import Origin
from streamer.domain.replay import ExportedRecord, ExportedRulebook, Replay


class Cut(NamedTuple):
    """A dossier's end: by partition, the next record that its state did not include, and the log's end."""

    following: dict[int, int]
    end: dict[int, int]


class Oracle:
    """``replay`` is the outcome; ``raised[p]``: offsets in order, one for each alert or notice message."""

    def __init__(self) -> None:
        self.replay = Replay({})
        self.raised: dict[int, list[int]] = defaultdict(list)

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        rulebooks, began = {}, False
        async for line in lines:
            if line.startswith(b'{"rulebook"'):
                head = msgspec.json.decode(line, type=ExportedRulebook)
                rulebooks[head.rulebook] = head.body
                continue
            if not began:
                self.replay, began = Replay(rulebooks), True
            record = msgspec.json.decode(line, type=ExportedRecord)
            origin = Origin.parse(record.origin) if record.origin else None
            meta = Meta(record.offset, record.append_ms, origin, bytes.fromhex(record.content))
            before = self._messages()
            self.replay.record(record.partition, bytes(record.value), meta)
            self.raised[record.partition] += [record.offset] * (self._messages() - before)
        self.replay.finish()

    def _messages(self) -> int:
        return len(self.replay.effects.alerts) + len(self.replay.effects.notices)

    def in_flight(self, cuts: list[Cut]) -> int:
        """Messages of the records that were there and not in the state at each cut (and of the one that follows, where
        replay does what a sweep did before it)."""
        total = 0
        for cut in cuts:
            for partition, following in cut.following.items():
                offsets, end = self.raised[partition], cut.end.get(partition, following)
                total += bisect_left(offsets, end + 1) - bisect_left(offsets, following)
        return total
