"""The engine's Faust application: wires the parts together. Not for: how any of them works, nor for a domain."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Collection, Mapping
from typing import Any

import faust
from faust.serializers.schemas import Schema
from faust.types import TP

from streamer.engine import wall
from streamer.engine.commit import CommitSteps
from streamer.engine.crash import code_of, crashed
from streamer.engine.exits import Exit, fatal
from streamer.engine.group_lag import GroupLag
from streamer.engine.health import HealthServer
from streamer.engine.lane import Lane
from streamer.engine.memory import KEY_BYTES, resident_bytes, shares
from streamer.engine.metrics import Metrics
from streamer.engine.partition import OwnedPartition
from streamer.engine.preflight import (
    check_changelog,
    check_topics,
    compacted,
    delete_retention_ms,
    topic_settings,
    topics_found,
    wait_for_kafka,
)
from streamer.engine.recovery import BulkRecovery, BulkTableManager
from streamer.engine.rows import Codec
from streamer.engine.runtime import Runtime
from streamer.engine.settings import EngineSettings
from streamer.engine.slices import Slice, Sweep
from streamer.engine.store import Store
from streamer.engine.table import KeyedTable, Restate
from streamer.engine.topic_ids import Found, KnownIds, ask
from streamer.engine.transport import SliceTransport
from streamer.engine.watchdog import Watchdog

#: Garbage collection was the largest hidden cost: 26.7 → 20.8 µs an event with these.
_GC_THRESHOLDS = (50_000, 20, 1000)
#: So rarely does it look at everything that this is done by time: a cycle of a few objects may hold a megabyte.
_GC_ALL_S = 300.0


class SliceSchema(Schema):
    """Slices pass as they are."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002
        return None

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002
        return message.value


class EngineApp(faust.App):
    """One role in one process: agents over slices, at most one table, crash-only."""

    #: A test may put steps here that break the guarantee.
    commit_steps: type[CommitSteps] = CommitSteps

    def __init__(self, settings: EngineSettings, **options: Any) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.runtime = Runtime(settings, self.metrics)
        #: Source topics, of which ``committed_topics`` are read with read_committed.
        self.sources: set[str] = set()
        self.committed_topics: set[str] = set()
        #: Source topics whose offsets may have gaps: the consumer's position alone counts there.
        self.sparse_topics: set[str] = set()
        self.outputs: dict[str, bool] = {}
        #: Source topics that wait while their gate is closed.
        self.gates: dict[str, GroupLag] = {}
        self.the_table: KeyedTable | None = None
        self._known_ids = KnownIds(settings.state_dir / "topic-ids.json", settings.app_id, self.sources)
        self.recovery_moved_at = self.runtime.clock()
        self._store: Store | None = None
        self._watchdog = Watchdog(self)
        self._health = HealthServer(self)
        super().__init__(
            settings.app_id,
            broker=f"kafka://{settings.bootstrap_servers.replace(',', ';')}",
            datadir=str(settings.state_dir / "faust"),
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            TableManager=BulkTableManager,
            stream_recovery_delay=0.0,
            table_standby_replicas=settings.num_standby_replicas,
            broker_commit_interval=settings.commit_interval_s,
            broker_session_timeout=settings.session_timeout_s,
            broker_heartbeat_interval=settings.heartbeat_s,
            broker_request_timeout=max(90.0, settings.session_timeout_s),
            **options,
        )

    # -- what a role declares

    def slices(self, *topics: str, read_committed: bool = False) -> Any:
        """A topic whose values are slices, for ``@app.agent``."""
        self.sources.update(topics)
        if read_committed:
            self.committed_topics.update(topics)
        return self.topic(*topics, schema=SliceSchema(), acks=False)

    def keyed_table(
        self,
        name: str,
        *,
        source: str,
        partitions: int,
        codec: Codec,
        restate: Mapping[str, Restate] | None = None,
        sweep: Sweep | None = None,
        schema: int = 1,
    ) -> KeyedTable:
        """The role's table, fed by ``source`` alone. ``schema``: of the rows that ``codec`` writes; it reads those of the one
        before, too. Raises ValueError for a second table."""
        if self.the_table is not None:
            raise ValueError("a role keeps one table, fed by one topic")
        table: KeyedTable = KeyedTable(
            self,
            name=name,
            partitions=partitions,
            codec=codec,
            source=source,
            restate=restate or {},
            sweep=sweep,
            rows_schema=schema,
        )
        self.the_table = self.tables.add(table)
        for topic in table.restate:
            self.output(topic, compacted=True)
        return table

    def output(self, topic: str, *, compacted: bool = False) -> None:
        """Declares an output topic; ``compacted``: written at known positions by its partition's owner alone."""
        self.outputs[topic] = self.outputs.get(topic, False) or compacted
        if compacted:
            self.runtime.compacted.add(topic)

    def gate(self, *topics: str, lag_of: str, group: str, max_lag_records: int) -> GroupLag:
        """Reads source ``topics`` only while ``group``'s lag on the topic ``lag_of`` is below ``max_lag_records``, and
        no other source topic has a backlog."""
        gate = GroupLag(self, topic=lag_of, group=group, max_lag_records=max_lag_records)
        self.gates.update(dict.fromkeys(topics, gate))
        return gate

    @property
    def reads_committed(self) -> bool:
        return bool(self.committed_topics)

    # -- what the parts ask

    def owned_partitions(self) -> Collection[int]:
        """Of the table; none before recovery is done."""
        return () if self.the_table is None else self.the_table.owned.keys()

    def table_of(self, topic: str) -> KeyedTable | None:
        table = self.the_table
        return table if table is not None and table.source == topic else None

    def own_positions(self, owned: OwnedPartition) -> dict[str, int]:
        """Topics that this partition's owner alone writes → where the next record must land."""
        assert self.the_table is not None
        return {self.the_table.changelog_name: owned.position, **owned.outputs}

    @property
    def lanes(self) -> dict[TP, Lane]:
        consumer = self._consumer
        return {} if consumer is None else getattr(consumer, "lanes", {})

    def memory(self) -> dict[str, int]:
        """Bytes by part: what the parts with a bound hold, and the whole process."""
        lanes = list(self.lanes.values())

        def read(part: str) -> int:
            held_by_reader = self.runtime.reading.get(part)
            return 0 if held_by_reader is None else held_by_reader()

        held = {
            "rows": sum(lane.owned.rows.held_bytes for lane in lanes if lane.owned is not None),
            "in_flight": sum(lane.held_bytes for lane in lanes) + read("in_flight"),
            "standbys": read("standbys"),
            "fetched": 0 if self._consumer is None else self._consumer._thread.buffered_bytes(),
            "keys": len(self.runtime._remembered) * KEY_BYTES,
            "process": resident_bytes(),
        }
        return held if self._store is None else held | self._store.held_bytes()

    @property
    def committed_at(self) -> float:
        return float(self._consumer.committed_at)

    @property
    def store(self) -> Store:
        if self._store is None:
            memory = self.runtime.memory
            self._store = Store(
                self.settings.state_dir, blocks_bytes=memory.blocks_bytes, memtables_bytes=memory.memtables_bytes
            )
        return self._store

    @staticmethod
    def now_ms() -> int:
        return wall.now_ms()

    def recovery_moved(self) -> None:
        self.recovery_moved_at = self.runtime.clock()

    recovered = recovery_moved

    def release_partitions(self) -> None:
        """The assignment is gone: what was decoded of it may be out of date, and what is left of it is another's to show."""
        if self.the_table is not None:
            self.the_table.owned.clear()
        recovery: BulkRecovery | None = self.tables._recovery
        if recovery is not None:
            recovery.progress.forget()

    @property
    def topic_ids(self) -> Mapping[str, bytes]:
        """Topic → id, of the topics that are checked; empty where the broker does not tell."""
        return self._known_ids.ids

    async def learn_topic_ids(self) -> None:
        """Of the sources and the changelog; before each start of partitions, for one may have been made anew. Raises
        Refusal(CONFIG) when a source was."""
        table = self.the_table
        topics = self.sources if table is None else {*self.sources, table.changelog_name}
        found = await ask(self.settings.bootstrap_servers, topics)
        self._known_ids.take(found)
        untold = sorted(topics - found.ids.keys())
        if found.ids and untold:
            self.log.warning("the broker does not tell the ids of %s: kept as known", ", ".join(untold))

    def topics_seen(self, found: Found | None) -> None:
        """While running: what the broker tells of the sources now. Raises Refusal(CONFIG) when one was made anew."""
        if found is not None:
            self._known_ids.take(found)

    async def load_outputs(self) -> None:
        """Metadata of the outputs: partitions cannot be chosen without it."""
        assert self.runtime.appender is not None
        for topic in self.outputs:
            await self.runtime.appender.load(topic)

    @property
    def ready(self) -> bool:
        """Partitions are owned and recovered, or none is this process's."""
        return not self.runtime.stopping and not self.rebalancing and (bool(self.lanes) or self.has_nothing_to_do)

    @property
    def has_nothing_to_do(self) -> bool:
        """No source partition is this process's, and that is settled: it waits, perhaps with standbys of others'."""
        due = any(tp.topic in self.sources for tp in self._assignment or ())
        recovery: BulkRecovery | None = self.tables._recovery
        following = recovery is not None and len(recovery.standbys) > 0
        return not self.rebalancing and not due and (bool(self.unassigned) or following)

    @property
    def recovering(self) -> dict[str, object] | None:
        """How far a recovery is; None: there is none."""
        recovery: BulkRecovery | None = self.tables._recovery
        return recovery.progress.body() if recovery is not None and recovery.progress.active else None

    # -- Faust's places

    def _new_transport(self) -> SliceTransport:
        return SliceTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> SliceTransport:
        return SliceTransport(self.conf.broker_producer, self)

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        lanes = [lane for lane in self.lanes.values() if lane.handling is not None]
        where = f" at {lanes[0].ledger.name}, offsets from {lanes[0].ledger.done} on" if lanes else ""
        fatal(Exit.HANDLER, f"agent {agent.name}{where}", exc)

    def stream(self, channel: Any, beacon: Any = None, **options: Any) -> Any:
        stream = super().stream(channel, beacon=beacon, **options)
        stream.add_processor(_unless_gone)
        return stream

    async def start(self) -> None:
        try:
            await super().start()
        except Exception as exc:  # noqa: BLE001 - whatever a part's start raises
            fatal(code_of(exc), "start", exc)

    def _crash(self, reason: BaseException) -> None:
        """A part crashed. (Faust's own stops everything gracefully, with units that go on committing.)"""
        crashed(self.runtime, reason)

    async def on_start(self) -> None:
        await self._prepare()
        await super().on_start()

    async def _prepare(self) -> None:
        await self._health.start()
        servers = self.settings.bootstrap_servers
        found = await wait_for_kafka(self.runtime, lambda: topics_found(servers))
        check_topics(found, self._required(found))
        memory = self.runtime.memory = shares(self.settings, sum(found[topic] for topic in self.sources))
        for part, bound in memory.bounds().items():
            self.metrics.memory_bound.labels(part).set(bound)
        table = self.the_table
        asked = self.sources if table is None else {*self.sources, table.changelog_name}
        known = await wait_for_kafka(self.runtime, lambda: topic_settings(servers, asked))
        self.sparse_topics = compacted(known) | self.committed_topics
        if table is not None:
            check_changelog(table.changelog_name, known, self.settings.unit_max_bytes)
            table.retention_ms = delete_retention_ms(table.changelog_name, known, table.retention_ms)
        if table is not None:
            _ = self.store
        self.runtime.steps = self.commit_steps(self.runtime, None if table is None else table.changelog_name)
        self.runtime.answered()
        self._watchdog.start()

    def _required(self, found: Mapping[str, int]) -> dict[str, int | None]:
        required: dict[str, int | None] = dict.fromkeys([*self.settings.required_topics, *self.sources, *self.outputs])
        table = self.the_table
        if table is not None:
            number = found.get(table.source)
            required |= dict.fromkeys([table.source, table.changelog_name, *table.restate], number or table.partitions)
            if number is not None and number != table.partitions:
                required[table.source] = table.partitions
        return required

    async def on_started(self) -> None:
        self.add_future(self._flush_often())
        self.add_future(self._collect_often())
        for gate in dict.fromkeys(self.gates.values()):
            self.add_future(gate.run())
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        await super().on_started()

    async def _flush_often(self) -> None:
        """What is in memory is lost with the process: a restart would read that much more of the changelog."""
        while not self.should_stop and self.the_table is not None:
            await asyncio.sleep(self.settings.flush_interval_s)
            self.store.flush(wait=False)

    async def _collect_often(self) -> None:
        """Cycles of garbage, wherever they come from: of a client library, of exceptions."""
        while not self.should_stop:
            await asyncio.sleep(_GC_ALL_S)
            gc.collect()


async def _unless_gone(value: Any) -> Any:
    """Drops a slice whose assignment went while it was queued. The loop turns before each: Faust takes what is queued without
    a pause."""
    await asyncio.sleep(0)
    if isinstance(value, Slice) and not value.begun():
        raise faust.exceptions.Skip
    return value
