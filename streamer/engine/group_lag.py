"""A gate that closes while a consumer group is behind on a topic. Not for: this process's own lag (``lane``)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAuthorizationFailedError, for_code
from faust.types import TP

from streamer.engine.exits import Exit, Refusal, fatal
from streamer.engine.gate import Bound
from streamer.engine.kafka_errors import advice, forbidden

log = logging.getLogger(__name__)

#: How often the lag is measured; what passes meanwhile is counted.
POLL_S: Final = 1.0
#: A measure that takes longer has failed; the next one asks again.
MEASURE_TIMEOUT_S: Final = 5.0
_REQUEST_TIMEOUT_MS: Final = 5_000


class LagUnknownError(Exception):
    """The broker's answer does not tell of every partition."""


class GroupLag(Bound):
    """Records of ``topic`` that ``group`` has not committed, over all partitions, measured every second."""

    def __init__(self, app: Any, *, topic: str, group: str, max_lag_records: int) -> None:
        super().__init__(max_lag_records, app.runtime.clock, self._unwritten)
        self._app = app
        self.topic = topic
        self.group = group
        self._admin: AIOKafkaAdminClient | None = None
        self._failed = False

    async def run(self) -> None:
        """Measures until the process ends; Kafka away leaves the lag unknown, and the gate closed."""
        while not self._app.should_stop:
            try:
                await asyncio.wait_for(self.measure(), MEASURE_TIMEOUT_S)
                self._failed = False
            except Exception as exc:  # noqa: BLE001 - whatever it was, nothing is known: the gate closes, and it is asked again
                if forbidden(exc) is not None:
                    text = f"lag of {self.group} on {self.topic}: {advice(exc, topic=self.topic, group=self.group)}"
                    fatal(Exit.CONFIG, "gate", Refusal(Exit.CONFIG, text))
                if not self._failed:
                    log.warning("lag of %s on %s not measured: %s", self.group, self.topic, type(exc).__name__)
                self._failed = True
                await self._forget_admin()
            self._show()
            await asyncio.sleep(POLL_S)

    async def measure(self) -> None:
        """A partition that the group has never committed counts from its beginning at 0. Raises what keeps the lag unknown."""
        begun = self.begin()
        admin = await self._connected()
        partitions = _partitions(self.topic, await admin.describe_topics([self.topic]))
        done = await admin.list_consumer_group_offsets(self.group)
        committed = {tp.partition: max(0, meta.offset) for tp, meta in done.items() if tp.topic == self.topic}
        thread = self._app.consumer._thread
        ends = await thread.call_thread(thread.ends, [TP(self.topic, number) for number in partitions])
        if len(ends) != len(partitions):
            raise LagUnknownError(f"{len(ends)} ends of {len(partitions)} partitions")
        self.measured(sum(max(0, end - committed.get(tp.partition, 0)) for tp, end in ends.items()), begun)

    def _unwritten(self) -> int:
        """Records of this gate's topics that were handed over and are not yet durable."""
        gates = self._app.gates
        ledgers = [lane.ledger for tp, lane in self._app.lanes.items() if gates.get(tp.topic) is self]
        return sum([ledger.next - ledger.done for ledger in ledgers])

    async def _connected(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            admin = AIOKafkaAdminClient(
                bootstrap_servers=self._app.settings.bootstrap_servers, request_timeout_ms=_REQUEST_TIMEOUT_MS
            )
            await admin.start()
            self._admin = admin
        return self._admin

    async def _forget_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    def _show(self) -> None:
        value = self.value
        self._app.metrics.gate_lag.labels(self.topic).set(float("nan") if value is None else value)


def _partitions(topic: str, described: list[Any]) -> list[int]:
    """All partitions of the topic. Raises LagUnknownError for an answer with an error, or with a hole: a lag without some
    partition would be too small, without all of them 0."""
    for entry in described:
        if entry["topic"] == topic:
            code = next(filter(None, [entry["error_code"], *[p["error_code"] for p in entry["partitions"]]]), 0)
            if code == TopicAuthorizationFailedError.errno:
                raise TopicAuthorizationFailedError(topic)
            if code:
                raise LagUnknownError(f"{topic}: {for_code(code).__name__}")
            numbers = sorted(p["partition"] for p in entry["partitions"])
            if numbers and numbers == list(range(len(numbers))):
                return numbers
    raise LagUnknownError(f"{topic}: the answer does not name all of its partitions")
