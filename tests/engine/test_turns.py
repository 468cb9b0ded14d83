"""Many lanes that write to one partition: one batch of it is on its way, what comes meanwhile goes together with the next."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from streamer.engine.producer import Appender
from streamer.engine.unit import Message, Queue, message_bytes

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
        self.acknowledged: list[asyncio.Future[None]] = []

    def create_batch(self) -> Builder:
        return Builder()

    async def send_batch(self, batch: Builder, _topic: str, *, partition: int) -> asyncio.Future[None]:
        assert partition not in self.waiting, "a second caller waits for the same partition"
        self.waiting.add(partition)
        await asyncio.sleep(0)
        self.waiting.remove(partition)
        self.sent.append((partition, batch.values))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.acknowledged.append(done)
        return done


def queue(*values: int) -> Queue:
    made = Queue()
    for value in values:
        message = Message(0, b"key", bytes([value]), ())
        made.append(message)
        made.size += message_bytes(message)
    return made


def values(*numbers: int) -> list[bytes]:
    return [bytes([number]) for number in numbers]


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_lanes_have_meanwhile_goes_in_one_batch_in_the_order_they_asked() -> None:
    producer = OneAtATime()
    appender = Appender(producer)  # type: ignore[arg-type]
    told = [
        appender.all("records", partition, queue(lane), BATCH_BYTES) for lane in range(40) for partition in range(2)
    ]
    await turns()
    assert sorted(producer.sent) == [(0, values(*range(40))), (1, values(*range(40)))]
    later = [appender.all("records", 0, queue(lane, lane + 1), BATCH_BYTES) for lane in (50, 60)]
    await turns()
    assert len(producer.sent) == 2, "a batch of this partition is on its way"
    assert not any(future.done() for future in told + later)
    for done in producer.acknowledged:
        done.set_result(None)
    await turns()
    assert producer.sent[2:] == [(0, values(50, 51, 60, 61))]
    assert all(future.done() for future in told)
    assert not any(future.done() for future in later), "what was only handed in is not acknowledged"
    producer.acknowledged[-1].set_result(None)
    await asyncio.gather(*told, *later)
    await turns()
    assert not appender._waiting


async def test_more_than_a_batch_takes_goes_in_several() -> None:
    producer = OneAtATime()
    appender = Appender(producer)  # type: ignore[arg-type]
    limit = 2 * queue(1).size
    told = [appender.all("records", 0, queue(lane), limit) for lane in range(5)]
    await turns()
    assert [sent for _, sent in producer.sent] == [values(0, 1), values(2, 3), values(4)]
    for done in producer.acknowledged:
        done.set_result(None)
    await asyncio.gather(*told)


async def test_all_whose_messages_a_lost_batch_has_are_told_and_the_next_goes_on() -> None:
    producer = OneAtATime()
    appender = Appender(producer)  # type: ignore[arg-type]
    lost = [appender.all("records", 0, queue(lane), BATCH_BYTES) for lane in range(3)]
    await turns()
    lost[1].cancel()  # its unit was given up
    following = appender.all("records", 0, queue(9), BATCH_BYTES)
    producer.acknowledged[0].set_exception(KafkaError("gone"))
    await turns()
    assert lost[0].done()
    assert lost[2].done()
    for future in (lost[0], lost[2]):
        with pytest.raises(KafkaError, match="gone"):
            await future
    producer.acknowledged[1].set_result(None)
    await following
    assert producer.sent[1] == (0, values(9))
