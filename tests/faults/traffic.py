"""The departments of a run: generated events, published as far as the driver grants and the dossier keeps up.

Not for: events or their truth (``streamer.demo.generator``). Paced, so that a kill falls in the middle of traffic.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer

from streamer import ticks
from streamer.demo import messages
from streamer.demo.truth import Truth
from tests.faults.stage import Stage
from tests.faults.waiting import until
from tests.faults.watch import Watch

CHUNK: Final = 50  # messages sent before anything is asked again
SETTLE_TIMEOUT_S: Final = 240.0
SEND_TIMEOUT_MS: Final = 180_000  # of the producer's own resends: longer than any broker is away
GRANT_TIMEOUT_S: Final = 600.0  # the driver's own limits are shorter
REST_PER_SECOND: Final = 3_000
ROOM_POLL_S: Final = 0.02
TICK_TRIES: Final = 20


class Traffic:
    """``granted`` messages may be out; ``published`` are acknowledged."""

    def __init__(
        self, stage: Stage, watch: Watch, truth: Truth, folder: Path, *, per_second: int, backlog: int
    ) -> None:
        self.stage, self.watch, self.truth, self.folder = stage, watch, truth, folder
        self.granted = 0
        self.published = 0
        self.per_second = per_second
        self.backlog = backlog  # published and not yet applied, at most
        self.done = False
        self._empty = 0

    @property
    def total(self) -> int:
        return self.truth.messages

    @property
    def remaining(self) -> int:
        """Events that the intake has not been through."""
        return self.total - self.watch.now.applied("intake")

    def grant(self, more: int) -> None:
        self.granted = min(self.total, max(self.granted, self.published + more))

    def flow(self) -> None:
        """All of it may go out, as fast as ``per_second`` says."""
        self.granted = self.total

    def grant_all(self) -> None:
        """The rest, faster: nothing happens to it any more."""
        self.granted = self.total
        self.per_second = max(self.per_second, REST_PER_SECOND)
        self.backlog = max(self.backlog, REST_PER_SECOND)

    async def run(self) -> None:
        """All phases; returns when the last is settled."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.stage.bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            request_timeout_ms=SEND_TIMEOUT_MS,
        )
        await producer.start()
        try:
            for phase in self.truth.phases:
                if phase.tick is not None:
                    await until(f"everything before tick {phase.tick} applied", self.settled, SETTLE_TIMEOUT_S)
                    await self._tick(phase.tick)
                await self._publish(producer, self.folder / phase.file)
            await until("the last tick applied", self.settled, SETTLE_TIMEOUT_S)
            self.done = True
        finally:
            await producer.stop()

    def settled(self) -> bool:
        """Intake and dossier have committed all there is."""
        now = self.watch.now
        return now.applied("intake") >= self.published and now.applied("dossier") >= now.records_end > 0

    def outstanding(self) -> int:
        """Events published and not yet through the dossier (control records and refusals count for nothing here)."""
        now = self.watch.now
        return (self.published - now.applied("intake")) + (now.records_end - now.applied("dossier"))

    def lag(self, role: str) -> int:
        """Events published, or records of them, that a role has not committed."""
        now = self.watch.now
        if role == "intake":
            return self.published - now.applied("intake")
        if role == "dossier":
            return self.outstanding()
        taken = sum(offset for (topic, _), offset in now.done.get("sink", {}).items() if topic == "credit.records")
        return self.published - now.applied("intake") + now.records_end - taken

    async def _publish(self, producer: AIOKafkaProducer, path: Path) -> None:
        chunk: list[messages.Message] = []
        for message in messages.read(path):
            chunk.append(message)
            if len(chunk) == CHUNK:
                await self._send(producer, chunk)
                chunk = []
        await self._send(producer, chunk)

    async def _send(self, producer: AIOKafkaProducer, chunk: list[messages.Message]) -> None:
        await until("room for more traffic", lambda: self._room(len(chunk)), GRANT_TIMEOUT_S, ROOM_POLL_S)
        waiting = [await producer.send(m.topic, self._value(m), key=m.key, headers=list(m.headers)) for m in chunk]
        await asyncio.gather(*waiting, asyncio.sleep(len(chunk) / self.per_second))
        self.published += len(chunk)

    def _value(self, message: messages.Message) -> bytes | None:
        """Of messages without content every second has no value at all."""
        if message.value:
            return message.value
        self._empty += 1
        return b"" if self._empty % 2 else None

    def _room(self, more: int) -> bool:
        return self.published + more <= self.granted and self.outstanding() <= self.backlog

    async def _tick(self, date: str) -> None:
        """A tick twice moves the clock once: after a broker's death it is simply sent again."""
        for _ in range(TICK_TRIES):
            try:
                await ticks.send(self.stage.bootstrap, date)
                break
            except Exception:  # noqa: BLE001 - the broker is away
                await asyncio.sleep(1)
        before = self.watch.turns
        await until("a look at the offsets after the tick", lambda: self.watch.turns > before + 1, SETTLE_TIMEOUT_S)
