"""Where a source partition starts, checked against its state and the log. Not for: seeking (``thread``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamer.engine.chores import Chores
from streamer.engine.exits import Exit, Refusal
from streamer.engine.lane import Lane
from streamer.engine.ledger import Ledger
from streamer.engine.slices import SweepContext
from streamer.engine.upgrade import Upgrade

if TYPE_CHECKING:
    from streamer.engine.partition import OwnedPartition
    from streamer.engine.thread import Start


def lane_for(app: Any, topic: str, partition: int, start: Start) -> Lane:
    """A lane at its first offset. Raises Refusal when the log, the committed offset and the state contradict each other."""
    table = app.table_of(topic)
    owned = None if table is None else table.owned[partition]
    name = f"{topic}-{partition}"
    topic_id = app.topic_ids.get(topic, b"").hex()
    same_topic(name, topic_id, start, owned)
    loss = check(name, start, owned)
    first = first_offset(start, owned)
    if loss is not None:
        if not app.settings.accept_loss:
            raise Refusal(
                Exit.LOSS,
                f"{name} begins at {start.begin}; offsets [{loss[0]}, {loss[1]}) are gone and were not applied",
            )
        app.runtime.metrics.lost.labels(topic, partition).inc(loss[1] - loss[0])
        if owned is not None:
            owned.row.lose(*loss)
            owned.row.applied = loss[1] - 1
            owned.booked = False
    ledger = Ledger(name, first, start.committed, strict=topic not in app.sparse_topics)
    lane = Lane(app.runtime, topic, partition, ledger, owned)
    lane.end = max(lane.end, start.end)  # what waits counts before its first fetch: others may have to wait for it
    if table is not None and table.sweep is not None:
        context, sweep = SweepContext(lane), table.sweep
        lane.sweep = lambda: bool(sweep(context))
    if table is not None and owned is not None:
        owned.row.source_id = topic_id or owned.row.source_id
        upgrade = Upgrade(f"{table.name}-{partition}", owned, table.codec, table.rows_schema, app.metrics)
        lane.chores = Chores(owned, upgrade, app.now_ms)
    return lane


def same_topic(name: str, topic_id: str, start: Start, owned: OwnedPartition | None) -> None:
    """Raises Refusal(CONFIG) when offsets were counted in a topic of the same name that is gone, however long the new one
    is. Ids that are not known say nothing."""
    known = {"state": owned.row.source_id if owned is not None and owned.known else "", "the group": start.topic_id}
    for who, counted_in in known.items():
        if topic_id and counted_in and counted_in != topic_id:
            raise Refusal(
                Exit.CONFIG,
                f"{name} has the id {topic_id}, but {who} counted its offsets in {counted_in}: the topic was deleted and "
                "made anew. Start with a new application id and an empty state, or bring back the brokers' data",
            )


def check(name: str, start: Start, owned: OwnedPartition | None) -> tuple[int, int] | None:
    """The offsets that are gone, if any. Raises Refusal(CONFIG) for a topic or a changelog that was made anew."""
    begin, end, committed, _ = start
    applied = owned.following if owned is not None and owned.known else None
    if applied is not None and applied > end:
        raise Refusal(
            Exit.CONFIG,
            f"{name} ends at {end}, but state includes everything below {applied}: the topic was deleted and made anew. "
            "Start with a new application id and an empty state, or bring back the brokers' data",
        )
    if committed is not None and committed > end:
        raise Refusal(
            Exit.CONFIG,
            f"{name} ends at {end}, but the group has committed {committed}: the topic was deleted and made anew. "
            "Start with a new application id, or bring back the brokers' data",
        )
    if owned is not None and committed is not None and committed > (applied or 0) and committed > begin:
        raise Refusal(
            Exit.CONFIG,
            f"{name}: the group has committed {committed}, but state includes only what is below {applied or 0}: the "
            "changelog was deleted or made anew. Restore it, or start with a new application id",
        )
    needed = applied if applied is not None else committed
    return (needed, begin) if needed is not None and needed < begin else None


def first_offset(start: Start, owned: OwnedPartition | None) -> int:
    """The committed offset; without one what state includes, or the log's begin."""
    if start.committed is not None:
        return max(start.committed, start.begin)
    applied = owned.following if owned is not None and owned.known else start.begin
    return max(applied, start.begin)
