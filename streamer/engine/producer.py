"""Record batches to Kafka, built by hand: one batch or nothing. Not for: what goes into them, or positions (``commit``)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from streamer.engine import failpoints
from streamer.engine.exits import Exit, Refusal
from streamer.engine.unit import Message, Queue, message_bytes

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer


_Told = tuple[Queue, "asyncio.Future[None]"]


class Appender:
    """Appends through an idempotent ``acks=all`` producer; what is awaited is done only when the broker has acknowledged.

    One caller a partition at a time: aiokafka takes one batch of it and wakes all who wait, so that they starve each other. ``all``
    sees to it; a topic with positions has one writer.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        #: By output partition that something is being sent to: what waits for its turn, and who waits for that.
        self._waiting: dict[tuple[str, int], list[_Told]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def batch(
        self, topic: str, partition: int, messages: Collection[Message], limit_bytes: int, failpoint: str | None = None
    ) -> int:
        """One record batch: Kafka appends it whole or not at all. The offset of its first record, or -1 when the broker
        does not tell. Raises Refusal(TOO_LARGE) beyond ``limit_bytes``; nothing is sent then."""
        builder = self._built(topic, partition, messages, limit_bytes)
        if builder.size() > limit_bytes:
            raise _too_large(topic, partition, len(messages), limit_bytes)
        sent = await self._producer.send_batch(builder, topic, partition=partition)
        if failpoint is not None:
            await failpoints.hit_on_the_wire(failpoint)
        return _offset(await sent)

    def all(self, topic: str, partition: int, queue: Queue, batch_bytes: int) -> asyncio.Future[None]:
        """Any number of messages in order, in as many batches as they need; done when the broker has acknowledged them.

        What several lanes have for one partition while a batch of it is on its way goes together with the next: a batch costs as
        much as some ten records, and lanes without a backlog have one each.
        """
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        where = (topic, partition)
        waiting = self._waiting.get(where)
        if waiting is not None:
            waiting.append((queue, told))
        else:
            self._waiting[where] = [(queue, told)]
            sending = asyncio.ensure_future(self._send_waiting(topic, partition, batch_bytes))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
        return told

    async def _send_waiting(self, topic: str, partition: int, batch_bytes: int) -> None:
        """Sends what waits for a partition until nothing does, some at a time; those whose messages they are are told."""
        where = (topic, partition)
        try:
            while taken := self._waiting[where]:
                self._waiting[where] = []
                try:
                    await self._send(topic, partition, joined([queue for queue, _ in taken]), batch_bytes)
                except Exception as exc:  # noqa: BLE001 - each of them ends with it
                    _tell(taken, exc)
                else:
                    _tell(taken, None)
        finally:
            del self._waiting[where]

    async def _send(self, topic: str, partition: int, queue: Queue, batch_bytes: int) -> None:
        sent: list[asyncio.Future[Any]] = []
        for part in self.parts(queue, batch_bytes):
            builder = self._built(topic, partition, part, batch_bytes)
            sent.append(await self._producer.send_batch(builder, topic, partition=partition))
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


def joined(queues: Sequence[Queue]) -> Queue:
    """The messages of all, in order."""
    if len(queues) == 1:
        return queues[0]
    together = Queue()
    for queue in queues:
        together += queue
        together.size += queue.size
    return together


def _tell(taken: Iterable[_Told], exc: Exception | None) -> None:
    for _, told in taken:
        if told.done():  # whoever waited has given up
            continue
        if exc is None:
            told.set_result(None)
        else:
            told.set_exception(exc)


def _offset(metadata: Any) -> int:
    return int(metadata.offset)


def _too_large(topic: str, partition: int, records: int, limit_bytes: int) -> Refusal:
    return Refusal(
        Exit.TOO_LARGE, f"{records} records for {topic}-{partition} do not fit one batch of {limit_bytes} bytes"
    )
