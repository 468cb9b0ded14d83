"""One lane with everything around it, over a clock and steps of the test's own. Not for: tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from streamer.engine.cache import Cache
from streamer.engine.commit import CommitSteps
from streamer.engine.lane import Lane
from streamer.engine.ledger import Ledger
from streamer.engine.metrics import Metrics
from streamer.engine.partition import OwnedPartition
from streamer.engine.rows import Rows
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.slices import Slice
from streamer.engine.store import Store
from streamer.engine.unit import Message
from tests.engine.test_rows import Boxes

ROW_BYTES = 100


class Rec(NamedTuple):
    offset: int
    timestamp: int = 5
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: tuple[tuple[str, bytes], ...] = ()


class Appends:
    """In place of the producer: what was appended, each after ``gate``; positions as a broker gives them."""

    def __init__(self) -> None:
        self.log: dict[tuple[str, int], list[Message]] = {}
        self.order: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.untold = False

    async def batch(
        self, topic: str, partition: int, messages: list[Message], limit: int, failpoint: Any = None
    ) -> int:
        await self.gate.wait()
        log = self.log.setdefault((topic, partition), [])
        first = len(log)
        log += messages
        self.order.append(topic)
        return -1 if self.untold else first

    def all(self, topic: str, partition: int, queue: list[Message], batch_bytes: int) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._all(topic, partition, queue))

    async def _all(self, topic: str, partition: int, queue: list[Message]) -> None:
        await self.gate.wait()
        self.log.setdefault((topic, partition), []).extend(queue)
        self.order.append(topic)

    @staticmethod
    def parts(queue: list[Message], batch_bytes: int) -> Any:
        yield queue

    def partition_for(self, topic: str, key: bytes) -> int:
        return len(key)


class Bench:
    """One lane with everything around it."""

    def __init__(self, tmp_path: Path, *, table: bool = True, **settings: Any) -> None:
        base: dict[str, Any] = {"unit_target_bytes": 1_000, "unit_max_age_s": 100.0, "unit_min_gap_s": 0.0}
        self.settings = EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path, **{**base, **settings})
        self.now = 0.0
        self.runtime = Runtime(self.settings, Metrics())
        self.runtime.clock = lambda: self.now
        self.runtime.loop_turned_at = 0.0
        self.appends = Appends()
        self.runtime.appender = self.appends  # type: ignore[assignment]
        self.runtime.steps = CommitSteps(self.runtime, "changelog")
        self.runtime.compacted = {"standing"}
        self.owned: OwnedPartition | None = None
        if table:
            stored = Store(tmp_path).partition(0, 0)
            self.owned = OwnedPartition(0, stored, Rows(Boxes(), stored, Cache(10_000)), 0)
            self.owned.outputs["standing"] = 0
        self.lane = Lane(self.runtime, "source", 0, Ledger("source-0", 0, None), self.owned)
        self.position = 0

    def slice(self, records: int, end: int | None = None) -> Slice:
        """The next records, handed over."""
        first, following = self.position, self.position + records
        self.position = following
        part = Slice(self.lane, [Rec(o) for o in range(first, following)], first, following, end or following)
        self.lane.hand_over(part)
        return part

    def handle(self, part: Slice, each: Callable[[Slice, Any], None] | None = None) -> list[int]:
        seen = []
        for record in part.fresh():
            seen.append(record.offset)
            if each is not None:
                each(part, record)
            elif self.owned is not None:
                part.rows.put(b"r%d" % record.offset, [record.offset], ROW_BYTES)
        part.done()
        return seen

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def rows(self) -> list[Message]:
        return self.appends.log.get(("changelog", 0), [])
