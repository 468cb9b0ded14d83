"""When the client's requests for records go out, and how long Kafka may keep them. Not for: taking the answers (``fetch``).

aiokafka has one request under way to a broker, for all of its partitions but those whose last answer is not taken yet; and Kafka
keeps one that finds nothing for half a second. Both are right by themselves; together they keep records waiting.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.structs import TopicPartition

#: How long Kafka may keep a request that leaves partitions out: what follows in these waits for its answer.
BESIDE_WAITING_MS: Final = 50


class Asking:
    """Stands before a fetcher's requests."""

    def __init__(self, fetcher: Any, *, when_asked: bool) -> None:
        """``when_asked``: a request waits until records are wanted."""
        self._fetcher = fetcher
        self._send = fetcher._proc_fetch_request
        self._when_asked = when_asked
        self._asked = asyncio.Event()
        if not when_asked:
            self._asked.set()
        fetcher._proc_fetch_request = self._request

    def go(self) -> None:
        """Records are wanted now."""
        self._asked.set()

    def hold(self) -> None:
        """What was asked for came, and it was no backlog: the next request goes out when records are wanted, and brings all that
        came together. (One sent as soon as the last answer was taken would come back with the first record that follows, and
        the others would wait for the next.)"""
        if self._when_asked:
            self._asked.clear()

    async def _request(self, assignment: Any, node_id: int, request: Any) -> bool:
        """Whether records came. False without asking: the client makes a new request at once."""
        try:
            await self._asked.wait()
        except asyncio.CancelledError:
            return False
        left_out = self._left_out(assignment, node_id, request) if assignment.active else []
        if any(tp not in self._fetcher._records for tp in left_out):
            return False
        if left_out:
            request._max_wait_ms = min(request._max_wait_ms, BESIDE_WAITING_MS)
        return bool(await self._send(assignment, node_id, request))

    def _left_out(self, assignment: Any, node_id: int, request: Any) -> list[TopicPartition]:
        """What this broker might be asked for, and the request does not name: when it was made, their last answers waited."""
        named = {TopicPartition(topic, part[0]) for topic, parts in request.topics for part in parts}
        found = []
        for tp in assignment.tps:
            state = assignment.state_value(tp)
            if tp in named or state.paused or not state.has_valid_position:
                continue
            if self._fetcher._select_read_replica(tp) == node_id:
                found.append(tp)
        return found
