"""How far a run is, from committed offsets alone, asked a few times a second. Not for: what was written (``verdict``)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.faults.in_flight import Cut, Offsets
from tests.faults.stage import Stage

PERIOD_S: Final = 0.15
ANSWER_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 2.0
ROLES: Final = ("intake", "dossier", "sink")
REMEMBERED: Final = 400  # looks: a minute at the least


class Snapshot(NamedTuple):
    """Committed offsets of each role, then the records' end (in this order, so that intake's are below the end)."""

    done: dict[str, Offsets]
    records_ends: dict[int, int]

    @property
    def records_end(self) -> int:
        return sum(self.records_ends.values())

    def applied(self, role: str) -> int:
        return sum(self.done.get(role, {}).values())


class Watch:
    """``now`` is the last snapshot; a broker that is away leaves it as it is. Cuts that could not be looked at when they happened
    get what they lack from the looks before and after."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.now = Snapshot({}, {})
        self.turns = 0
        self._looks: deque[tuple[float, Offsets]] = deque(maxlen=REMEMBERED)  # where the changelog ended, and when
        self._untold: list[Cut] = []
        self._admin: Any = None
        self._consumer: Any = None

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    async with asyncio.timeout(ANSWER_TIMEOUT_S):  # wait_for of Python 3.11 may swallow a cancellation
                        self.now = await self._look()
                    self.turns += 1
                except (KafkaError, OSError, TimeoutError):
                    await self.close()
                await asyncio.sleep(PERIOD_S)
        finally:
            await self.close()

    def before(self, since_s: float = 0.0) -> Cut:
        """A cut in the past: the state as it was at the last look that is so old; what is told, at the next look."""
        at = time.monotonic() - since_s
        looks = [ends for when, ends in self._looks if when <= at] or [ends for _, ends in self._looks][:1]
        cut = Cut(dict(looks[-1]) if looks else dict.fromkeys(self._state(), 0))
        self._untold.append(cut)
        return cut

    async def cut(self) -> Cut:
        """A cut now."""
        state = await self.ends([self.stage.changelog])
        return Cut(state, await self.ends(self.stage.told))

    def _state(self) -> list[tuple[str, int]]:
        return [(self.stage.changelog, p) for p in range(self.stage.partitions)]

    async def _look(self) -> Snapshot:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self.stage.bootstrap)
            await self._admin.start()
            self._consumer = AIOKafkaConsumer(bootstrap_servers=self.stage.bootstrap, group_id=None)
            await self._consumer.start()
        began, untold = time.monotonic(), [*self._untold]
        state = await self._consumer.end_offsets([TopicPartition(*where) for where in self._state()])
        self._looks.append((began, {(tp.topic, tp.partition): end for tp, end in state.items()}))
        if untold:
            ends = await self.ends(self.stage.told)
            for cut in untold:
                cut.told = ends
            self._untold = self._untold[len(untold) :]
        intake = await self._committed("intake")
        records = [TopicPartition("credit.records", p) for p in range(self.stage.partitions)]
        ends = {tp.partition: end for tp, end in (await self._consumer.end_offsets(records)).items()}
        return Snapshot(
            {"intake": intake, "dossier": await self._committed("dossier"), "sink": await self._committed("sink")}, ends
        )

    async def _committed(self, role: str) -> Offsets:
        found = await self._admin.list_consumer_group_offsets(self.stage.group(role))
        return {(tp.topic, tp.partition): meta.offset for tp, meta in found.items() if meta.offset >= 0}

    async def ends(self, topics: Iterable[str]) -> Offsets:
        """End offsets of all partitions of topics of ours."""
        wanted = [TopicPartition(topic, p) for topic in topics for p in range(self.stage.partitions)]
        async with plain_consumer(self.stage.bootstrap) as consumer:
            return {(tp.topic, tp.partition): o for tp, o in (await consumer.end_offsets(wanted)).items()}

    async def close(self) -> None:
        admin, consumer, self._admin, self._consumer = self._admin, self._consumer, None, None
        for end in [client.close for client in (admin,) if client] + [client.stop for client in (consumer,) if client]:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await end()


@contextlib.asynccontextmanager
async def plain_consumer(bootstrap: str, **options: Any) -> Any:
    """A consumer without a group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, **options)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
