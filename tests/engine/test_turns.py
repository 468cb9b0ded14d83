"""Many lanes that write to one partition hand in their batches one at a time, in the order they asked."""

from __future__ import annotations

import asyncio
from typing import Any

from streamer.engine.producer import Appender
from streamer.engine.unit import Message

BATCH_BYTES = 100_000


class Builder:
    """Takes every record."""

    def __init__(self) -> None:
        self._builder = self
        self.values: list[bytes | None] = []

    def append(self, _offset: int, _timestamp: int, _key: bytes, value: bytes, _headers: Any) -> object:
        self.values.append(value)
        return object()

    def close(self) -> None:
        pass


class OneAtATime:
    """A producer whose accumulator has room for one waiting caller a partition, as aiokafka's has without starving any."""

    def __init__(self) -> None:
        self.waiting: set[int] = set()
        self.sent: list[tuple[int, list[bytes | None]]] = []

    def create_batch(self) -> Builder:
        return Builder()

    async def send_batch(self, batch: Builder, _topic: str, *, partition: int) -> asyncio.Future[None]:
        assert partition not in self.waiting, "a second caller waits for the same partition"
        self.waiting.add(partition)
        await asyncio.sleep(0)
        self.waiting.remove(partition)
        self.sent.append((partition, batch.values))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def test_batches_of_one_partition_are_handed_in_in_turn() -> None:
    producer = OneAtATime()
    appender = Appender(producer)  # type: ignore[arg-type]
    lanes = [
        appender.all("records", partition, [Message(0, b"key", bytes([lane]), ())], BATCH_BYTES)
        for lane in range(40)
        for partition in range(2)
    ]
    await asyncio.gather(*lanes)
    for partition in range(2):
        assert [values for p, values in producer.sent if p == partition] == [[bytes([lane])] for lane in range(40)]
