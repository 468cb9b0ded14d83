"""Compacted outputs after a recovery: what was written past the known position is stated again from state. Not for: the
commit's own appends (``commit``).

A paused worker's late v1 after v2 would stay last for ever; so would a version of a unit that never became durable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from aiokafka.structs import TopicPartition

from streamer.engine import failpoints
from streamer.engine.exits import Exit, Refusal
from streamer.engine.fetch import fetch
from streamer.engine.memory import Rounds
from streamer.engine.tasks import unbroken
from streamer.engine.unit import Message

if TYPE_CHECKING:
    from streamer.engine.partition import OwnedPartition
    from streamer.engine.table import KeyedTable

_FETCH_S = 0.5
#: About so many keys are stated again at a time: their values are in memory then.
KEYS_AT_ONCE = 5_000


async def repair_outputs(app: Any, consumer: Any, table: KeyedTable, owned: OwnedPartition) -> None:
    """Reads each compacted output of this partition past its known position, writes the current version of every key found
    there again, and takes the position. Raises Refusal when the topic was made anew, or somebody else writes."""
    tps = {topic: TopicPartition(topic, owned.number) for topic in table.restate}
    if not tps:
        return
    consumer.assign(list(tps.values()))
    begin, end = await consumer.beginning_offsets(list(tps.values())), await consumer.end_offsets(list(tps.values()))
    for topic, tp in tps.items():
        known = owned.row.outputs.get(topic)
        if known is not None and known > end[tp]:
            raise Refusal(
                Exit.CONFIG,
                f"{topic}-{owned.number} ends at {end[tp]}, but was written up to {known}: it was deleted and made anew. "
                "Restore it, or start with a new application id so that everything is written again",
            )
        owned.outputs[topic] = end[tp]
        rounds = Rounds(app.runtime.memory.recovery(len(tps)), KEYS_AT_ONCE)
        async for keys in _keys(consumer, tp, max(known or 0, begin[tp]), end[tp], rounds):
            await _restate(app, table, owned, topic, sorted(keys))
        failpoints.hit("in_restating")


async def _keys(consumer: Any, tp: TopicPartition, start: int, end: int, rounds: Rounds) -> AsyncIterator[set[bytes]]:
    """The keys of [start, end), some at a time; one that is far from its first place may come again."""
    keys: set[bytes] = set()
    consumer.seek(tp, start)
    position = start
    while position < end:
        for part in (await fetch(consumer, [tp], _FETCH_S, rounds.records)).values():
            rounds.saw(part.records)
            keys.update(r.key for r in part.records if r.key is not None)
            position = part.following
        if len(keys) >= KEYS_AT_ONCE:
            yield keys
            keys = set()
    if keys:
        yield keys


async def _restate(app: Any, table: KeyedTable, owned: OwnedPartition, topic: str, keys: list[bytes]) -> None:
    restate, runtime = table.restate[topic], app.runtime
    messages = []
    for key in keys:
        current = restate(owned.rows, key)
        if current is not None:
            messages.append(Message(app.now_ms(), key, current[0], current[1]))
        owned.rows.turn()
    for part in runtime.appender.parts(messages, runtime.settings.output_batch_bytes):
        owned.outputs[topic] = await unbroken(runtime.steps.append(topic, owned.number, part, owned.outputs[topic]))
    runtime.metrics.restated.labels(topic).inc(len(messages))
