"""Record batches to Kafka, built by hand: one batch or nothing. Not for: what goes into them, or positions (``commit``)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from streamer.engine import failpoints
from streamer.engine.exits import Exit, Refusal
from streamer.engine.unit import Message, Queue, message_bytes

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer


class Appender:
    """Appends through an idempotent ``acks=all`` producer; every call returns only when the broker has acknowledged."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._turns: dict[tuple[str, int], asyncio.Lock] = {}

    async def batch(
        self, topic: str, partition: int, messages: Collection[Message], limit_bytes: int, failpoint: str | None = None
    ) -> int:
        """One record batch: Kafka appends it whole or not at all. The offset of its first record, or -1 when the broker
        does not tell. Raises Refusal(TOO_LARGE) beyond ``limit_bytes``; nothing is sent then."""
        builder = self._built(topic, partition, messages, limit_bytes)
        if builder.size() > limit_bytes:
            raise _too_large(topic, partition, len(messages), limit_bytes)
        sent = await self._hand_in(builder, topic, partition)
        if failpoint is not None:
            await failpoints.hit_on_the_wire(failpoint)
        return _offset(await sent)

    async def all(self, topic: str, partition: int, queue: list[Message], batch_bytes: int) -> None:
        """Any number of messages in order, in as many batches as they need."""
        sent: list[asyncio.Future[Any]] = []
        for part in self.parts(queue, batch_bytes):
            builder = self._built(topic, partition, part, batch_bytes)
            sent.append(await self._hand_in(builder, topic, partition))
        await failpoints.hit_on_the_wire("in_outputs")
        for future in sent:
            await future

    def _built(self, topic: str, partition: int, messages: Collection[Message], limit_bytes: int) -> Any:
        """A closed batch of all ``messages``. Raises Refusal(TOO_LARGE) where aiokafka takes no more."""
        builder = self._producer.create_batch()
        append = builder._builder.append  # two Python layers less per record
        none: list[tuple[str, bytes]] = []
        for i, (timestamp_ms, key, value, headers) in enumerate(messages):
            if append(i, timestamp_ms, key, value, list(headers) if headers else none) is None:
                raise _too_large(topic, partition, len(messages), limit_bytes)
        builder._relative_offset = len(messages)
        builder.close()
        return builder

    async def _hand_in(self, builder: Any, topic: str, partition: int) -> asyncio.Future[Any]:
        """Queues a batch, one caller of a partition at a time and in turn.

        aiokafka takes one batch a partition and wakes all who wait, so many lanes with one output starve each other; and it
        counts their waiting again at each wake-up, so that they time out long before their time.
        """
        turn = self._turns.get((topic, partition))
        if turn is None:
            turn = self._turns[topic, partition] = asyncio.Lock()
        async with turn:
            sent: asyncio.Future[Any] = await self._producer.send_batch(builder, topic, partition=partition)
        return sent

    @staticmethod
    def parts(queue: list[Message], batch_bytes: int) -> Iterator[list[Message]]:
        """The queue cut into batches below ``batch_bytes``; a single larger message goes alone."""
        if isinstance(queue, Queue) and queue.size <= batch_bytes:  # nearly all: nothing is measured again
            if queue:
                yield queue
            return
        part: list[Message] = []
        size = 0
        for message in queue:
            more = message_bytes(message)
            if part and size + more > batch_bytes:
                yield part
                part, size = [], 0
            part.append(message)
            size += more
        if part:
            yield part

    def partition_for(self, topic: str, key: bytes) -> int:
        """By Kafka's default partitioner; the topic's metadata must be known (``load``)."""
        return int(self._producer._partition(topic, None, None, None, key, None))

    async def load(self, topic: str) -> None:
        """Fetches a topic's metadata."""
        await self._producer.client._wait_on_metadata(topic)


def _offset(metadata: Any) -> int:
    return int(metadata.offset)


def _too_large(topic: str, partition: int, records: int, limit_bytes: int) -> Refusal:
    return Refusal(
        Exit.TOO_LARGE, f"{records} records for {topic}-{partition} do not fit one batch of {limit_bytes} bytes"
    )
