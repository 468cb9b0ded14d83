"""A subscriber as the contract tells one to be: what stands first, then what changes; the highest revision counts.

Not for: acting on an alert. It begins from nothing at any moment, and holds no offsets.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamer.domain.messages import AlertData, decode_alert
from tests.faults.waiting import until

FETCH_WAIT_MS: Final = 200
END_TIMEOUT_S: Final = 120.0


class Subscriber:
    """``alerts``: the highest revision of each alert; ``reached``: the offset after the last alert read, a partition."""

    def __init__(self, bootstrap: str, domains: list[str], partitions: int, began_at: int) -> None:
        self.bootstrap, self.began_at = bootstrap, began_at
        self.changes = [TopicPartition(f"credit.alerts.{d}", p) for d in domains for p in range(partitions)]
        self.standing = [TopicPartition(f"credit.standing.{d}", p) for d in domains for p in range(partitions)]
        self.alerts: dict[str, AlertData] = {}
        self.from_standing = 0
        self.reached: dict[TopicPartition, int] = {}
        self.restarts = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def finish(self, ends: dict[TopicPartition, int]) -> dict[str, int]:
        """Read up to ``ends`` of the alerts; revision by id of what is open."""
        assert self._task is not None
        try:
            await until(
                f"the subscriber of event {self.began_at} to read to the end",
                lambda: self._failed() or all(self.reached.get(tp, -1) >= end for tp, end in ends.items()),
                END_TIMEOUT_S,
            )
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return {alert.alert_id: alert.revision for alert in self.alerts.values() if alert.action != "lifted"}

    def _failed(self) -> bool:
        assert self._task is not None
        if self._task.done():
            self._task.result()
        return False

    async def _run(self) -> None:
        """A broker that dies while standing is read: begin again, from nothing."""
        while True:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None, auto_offset_reset="earliest")
            try:
                await consumer.start()
                await self._subscribe(consumer)
            except (KafkaError, OSError):
                self.restarts += 1
                self.alerts, self.reached = {}, {}
                await asyncio.sleep(1)
            finally:
                await consumer.stop()

    async def _subscribe(self, consumer: Any) -> None:
        """First where the alerts end now, then standing to its end, then the alerts from there."""
        since = await consumer.end_offsets(self.changes)
        ends = await consumer.end_offsets(self.standing)
        consumer.assign(self.standing)
        for tp in self.standing:
            consumer.seek(tp, 0)
        while [tp for tp in self.standing if await consumer.position(tp) < ends[tp]]:
            await self._take(consumer)
        self.from_standing = len(self.alerts)
        consumer.assign(self.changes)
        for tp in self.changes:
            consumer.seek(tp, since[tp])
            self.reached[tp] = since[tp]
        while True:
            await self._take(consumer)
            for tp in self.changes:
                self.reached[tp] = await consumer.position(tp)

    async def _take(self, consumer: Any) -> None:
        for messages in (await consumer.getmany(timeout_ms=FETCH_WAIT_MS)).values():
            for message in messages:
                alert = decode_alert(message.value).data
                known = self.alerts.get(alert.alert_id)
                if known is None or known.revision < alert.revision:
                    self.alerts[alert.alert_id] = alert
