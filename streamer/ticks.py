"""Writing ticks: the date as a record, in every partition of ``credit.records``. Not for: what a tick does (the domain)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from streamer import kafka_io
from streamer.domain.records import Tick, encode_record
from streamer.errors import StreamerError

RECORDS: Final = "credit.records"
KEY: Final = b"tick"


async def send_to(producer: Any, partitions: Iterable[int], date: str) -> None:
    """One acknowledged tick in each of these partitions, through a Faust producer."""
    value = encode_record(Tick(date))
    for partition in partitions:
        await producer.send_and_wait(RECORDS, KEY, value, partition, None, None)


async def send(bootstrap: str, date: str) -> int:
    """Acknowledged ticks, one a partition. Raises StreamerError when the topic is not there."""
    partitions = (await kafka_io.partitions_of(bootstrap, [RECORDS])).get(RECORDS, 0)
    if not partitions:
        raise StreamerError(f"there is no topic {RECORDS}", todo="run `streamer topics apply`")
    value = encode_record(Tick(date))
    async with kafka_io.producer(bootstrap) as producer:
        for partition in range(partitions):
            await producer.send_and_wait(RECORDS, value, key=KEY, partition=partition)
    return partitions
