"""When the client's requests for records go out, and how long Kafka may keep them. Not for: taking the answers (``fetch``).

aiokafka has one request under way to a broker, for all of its partitions but those whose last answer is not taken yet; and Kafka
keeps one that finds nothing for half a second. Both are right by themselves; together they keep records waiting.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.structs import TopicPartition

#: How long Kafka may keep a request that leaves partitions out: what is taken of these meanwhile waits for its answer.
BESIDE_WAITING_MS: Final = 50


class Asking:
    """Stands before a fetcher's requests."""

    def __init__(self, fetcher: Any, *, when_asked: bool) -> None:
        """``when_asked``: a request waits until records are wanted."""
        self._fetcher = fetcher
        self._send = fetcher._proc_fetch_request
        self._always = not when_asked
        self._asked = asyncio.Event()
        self.go()
        if when_asked:
            self.wait()
        fetcher._proc_fetch_request = self._request

    def go(self) -> None:
        """Records are wanted now."""
        self._asked.set()

    def wait(self) -> None:
        """What was asked for came, and it was no backlog: the next request goes out when records are wanted, and brings all that
        came together. (One sent as soon as the last answer was taken would come back with the first record that follows, and
        the others would wait for the next.)"""
        if not self._always:
            self._asked.clear()

    async def _request(self, assignment: Any, node_id: int, request: Any) -> bool:
        """Whether records came. False without asking: the client makes a new request at once."""
        try:
            await self._asked.wait()
        except asyncio.CancelledError:
            return False
        if assignment.active:
            kept, free = self._others(assignment, node_id, request)
            if free:
                return False
            if kept:
                request._max_wait_ms = min(request._max_wait_ms, BESIDE_WAITING_MS)
        return bool(await self._send(assignment, node_id, request))

    def _others(self, assignment: Any, node_id: int, request: Any) -> tuple[int, int]:
        """Of this broker's partitions that the request does not name: how many still have an answer that was not taken, and how
        many have none any more."""
        named = {TopicPartition(topic, part[0]) for topic, parts in request.topics for part in parts}
        fetcher, kept, free = self._fetcher, 0, 0
        for tp in assignment.tps:
            if tp in named or fetcher._select_read_replica(tp) != node_id:
                continue
            if tp in fetcher._records:
                kept += 1
                continue
            state = assignment.state_value(tp)
            free += state.has_valid_position and not state.paused
        return kept, free
