"""Reads aiokafka's fetched batches as they are: the C parser's records, with the positions before and after. Not for:
deciding what a position means (``ledger``).

aiokafka builds an object of eleven fields a record and hides positions; a fifth of the time went there. Its internals used
here are asserted by a test. Any exception from here must end the process: what was unpacked so far is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any, NamedTuple

from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException
from aiokafka.structs import TopicPartition


class Fetched(NamedTuple):
    """[first, following) of a partition: the consumer's positions before and after; ``end`` is the log end then known."""

    records: list[Any]
    first: int
    following: int
    end: int


async def fetch(
    consumer: Any, partitions: Collection[TopicPartition], timeout_s: float, max_records: int
) -> dict[TopicPartition, Fetched]:
    """What is buffered of ``partitions`` (none other is touched), at most ``max_records`` in all; waits up to ``timeout_s``.

    Raises what the broker answered for one of them (offset out of range, not authorised …), or ConsumerStoppedError."""
    fetcher = consumer._fetcher
    deadline = time.monotonic() + timeout_s
    with fetcher._subscriptions.fetch_context():
        while True:
            if consumer._closed or fetcher._closed:
                raise ConsumerStoppedError
            if fetcher._subscriptions.reassignment_in_progress:
                return {}
            drained = _drain(fetcher, partitions, max_records)
            left = deadline - time.monotonic()
            if drained or left <= 0:
                return drained
            waiter = fetcher._create_fetch_waiter()
            await asyncio.wait([waiter], timeout=left)
            if waiter.done():
                waiter.result()
            else:
                waiter.cancel()


def _drain(fetcher: Any, partitions: Collection[TopicPartition], room: int) -> dict[TopicPartition, Fetched]:
    drained: dict[TopicPartition, Fetched] = {}
    for tp in partitions:
        if room <= 0:
            break
        buffered = fetcher._records.get(tp)
        if buffered is None:
            continue
        if not isinstance(buffered, FetchResult):
            if drained:
                break  # raised by the next call
            del fetcher._records[tp]
            fetcher._notify(fetcher._wait_consume_future)
            buffered.check_raise()
        fetched = _take(buffered, tp, room)
        if not buffered.has_more():
            del fetcher._records[tp]
            fetcher._notify(fetcher._wait_consume_future)
        if fetched is not None and fetched.following > fetched.first:
            drained[tp] = fetched
            room -= len(fetched.records)
    return drained


def _take(buffered: Any, tp: TopicPartition, room: int) -> Fetched | None:
    """Up to ``room`` records of one buffered answer; the consumer's position moves along."""
    parsed = buffered._partition_records
    if parsed is not None:
        # Its own way through the batches, which is never begun here, refers to it: a whole answer would stay until the garbage
        # collector looks at everything.
        parsed._records_iterator = None
    if not buffered.check_assignment(tp) or not buffered.has_more():
        return None
    first = parsed.next_fetch_offset
    records: list[Any] = []
    left = _leftover(parsed)
    while len(records) < room:
        if left:
            chunk = left[: room - len(records)]
            del left[: len(chunk)]
            records += chunk
            parsed.next_fetch_offset = chunk[-1].offset + 1 if left else parsed._after_leftover
        elif parsed._records.has_next():
            batch = parsed._records.next_batch()
            left = parsed._leftover = _visible(parsed, batch)
            parsed._after_leftover = batch.next_offset
            if not left:
                parsed.next_fetch_offset = max(parsed.next_fetch_offset, batch.next_offset)
        else:
            break
    buffered._update_position()
    if not left and not parsed._records.has_next():
        buffered._partition_records = None
    state = buffered._assignment.state_value(tp)
    end = state.lso if parsed._isolation_level == READ_COMMITTED and state.lso is not None else state.highwater
    return Fetched(records, first, parsed.next_fetch_offset, end or 0)


def _leftover(parsed: Any) -> list[Any]:
    """Records of a batch that an earlier call could not take any more."""
    left: list[Any] = getattr(parsed, "_leftover", [])
    return left


def _visible(parsed: Any, batch: Any) -> list[Any]:
    """The records of a batch that this consumer may see: none of a marker, of an aborted transaction, or read before."""
    if parsed._check_crcs and not batch.validate_crc():
        raise CorruptRecordException(f"wrong checksum in {parsed._tp} at {batch.base_offset}")
    if parsed._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        parsed._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and parsed._contains_abort_marker(batch):
            parsed._aborted_producers.discard(batch.producer_id)
        if batch.is_transactional and batch.producer_id in parsed._aborted_producers:
            return []
    if batch.is_control_batch:
        return []
    records = list(batch)
    if records and records[0].offset < parsed.next_fetch_offset:
        records = [r for r in records if r.offset >= parsed.next_fetch_offset]
    return records
