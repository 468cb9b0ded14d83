"""The verdict of a run: what Kafka and Postgres hold, against replay, against the generator's truth, against each other.

Not for: how it came about. Everything is read after all roles have ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec
from aiokafka import TopicPartition

from streamer import audit, kafka_io
from streamer.demo import verify
from streamer.demo.truth import Truth
from streamer.domain import messages
from streamer.domain.replay import Replay
from streamer.export import export
from tests.faults.changelog import against_replay, fold, stored
from tests.faults.in_flight import MAX_NAMED, Cut, Landings, Told, beyond, in_flight, message_id
from tests.faults.oracle import replayed
from tests.faults.stage import Stage
from tests.faults.subscriber import Subscriber
from tests.faults.tables import Expected, Key, Row, Table, found, readers

ABSENT: Final = object()  # of a column
AUDIT_TIMEOUT_S: Final = 60.0


class Verdict(NamedTuple):
    """Figures by name; ``wrong``: those of them that must be 0; ``examples``: names of some differences (ids, keys)."""

    figures: dict[str, int]
    wrong: dict[str, int]
    examples: dict[str, str]

    @property
    def ok(self) -> bool:
        return not any(self.wrong.values())

    def sum_of(self, kind: str) -> int:
        """``lost``, ``doubled``, ``residual``, or ``wrong`` for all that is none of these."""
        return sum(count for name, count in self.wrong.items() if _kind(name) == kind)


def _kind(name: str) -> str:
    if name.endswith("missing"):
        return "lost"
    if name.endswith(("not once", "sent twice")):
        return "doubled"
    return "residual" if name == "residual" else "wrong"


class Judge:
    def __init__(self, stage: Stage, truth: Truth | None) -> None:
        self.stage, self.truth = stage, truth
        #: Which copies of a message must be the same bytes, in the order in which they were sent: all, unless a scenario has
        #: its reasons.
        self.judged: Callable[[list[bytes]], list[bytes]] = list
        #: By table: columns that what is in Kafka now does not determine.
        self.free: Mapping[str, frozenset[str]] = {}
        self.figures: dict[str, int] = {}
        self.wrong: dict[str, int] = {}
        self.examples: dict[str, str] = {}

    def must(self, name: str, wrong: int, example: object = "") -> None:
        self.wrong[name] = self.wrong.get(name, 0) + wrong
        if wrong and example and name not in self.examples:
            self.examples[name] = str(example)

    # ------------------------------------------------------------------ messages

    def emitted(self, kind: str, found: dict[str, list[bytes]], wanted: list[bytes]) -> None:
        """By (id, revision): nothing missing, nothing else, and every copy the same bytes."""
        by_id: dict[str, bytes] = {}
        for body in wanted:
            identifier = msgspec.json.decode(body, type=messages.CloudEvent).id
            self.must(f"{kind}s: replay sent twice", int(identifier in by_id), identifier)
            by_id[identifier] = body
        missing, unknown = sorted(by_id.keys() - found.keys()), sorted(found.keys() - by_id.keys())
        conflicting = [i for i, copies in found.items() if len({*self.judged(copies), by_id.get(i, copies[-1])}) > 1]
        self.figures[f"{kind}s"] = len(by_id)
        self.figures[f"{kind} copies"] = sum(len(copies) - 1 for copies in found.values())
        for name, ids in (("missing", missing), ("unknown", unknown), ("conflicting", conflicting)):
            self.must(f"{kind}s {name}", len(ids), ids[:MAX_NAMED])

    async def last_values(self, name: str, topics: dict[str, dict[bytes, bytes]]) -> None:
        """The last message of each key of compacted topics."""
        for topic, wanted in topics.items():
            last: dict[bytes, bytes | None] = {}
            async for message in kafka_io.read_all(self.stage.bootstrap, [topic], committed_only=False):
                last[message.key or b""] = message.value
            differ = [key for key in wanted.keys() | last.keys() if wanted.get(key) != last.get(key)]
            self.must(name, len(differ), [key.decode() for key in differ[:MAX_NAMED]])

    def truth_of(self, report: audit.Report, emitted: verify.Emitted) -> None:
        if self.truth is None:
            return
        for check in verify.against_truth(self.truth, report, emitted):
            self.must("against the truth", int(not check.ok), f"{check.name}: {check.detail}")

    # ------------------------------------------------------------------ state

    async def state(self, replay: Replay, landings: Landings) -> None:
        """The rows that the changelog adds up to, against replay's; then each worker's local store, against the changelog up to its
        position, and of each partition one that has it all: by that its rows are replay's, too."""
        dossiers = {role.state_dir for role in self.stage.roles if role.name == "dossier"}
        stores = [one for folder in sorted(dossiers) for one in stored(folder, self.stage.partitions)]
        *before, present = self.stage.changelogs
        for topic in before:
            await fold(self.stage.bootstrap, topic, [], landings)
        found = await fold(self.stage.bootstrap, present, stores, landings)
        wrong = against_replay(found.rows, replay)
        self.figures["state rows"] = sum(len(rows) for rows in found.rows.values()) - self.stage.partitions
        self.figures["void rows"] = found.void
        self.must("state rows wrong", len(wrong), dict(Counter(kind for _, kind, _ in wrong)))
        self.figures["rows compared in local stores"] = found.compared
        self.must("local stores: rows wrong", len(found.differ), found.differ[:MAX_NAMED])
        behind = set(range(self.stage.partitions)) - found.level
        self.must("local stores: partitions that none has to the end", len(behind), sorted(behind))

    # ------------------------------------------------------------------ copies

    async def copies(self, cuts: list[Cut], landings: Landings) -> None:
        """Each message came at most once more for each cut at which it was published and not yet in the state."""
        told: dict[str, list[Told]] = {}
        async for message in kafka_io.read_all(self.stage.bootstrap, self.stage.told, committed_only=False):
            place = Told(message.topic, message.partition, message.offset)
            told.setdefault(message_id(message.value or b""), []).append(place)
        allowed = in_flight(cuts, told, landings)
        extra = beyond(told, allowed)
        self.figures["copies"] = sum(len(places) - 1 for places in told.values())
        self.figures["copies at most"] = allowed.total()
        self.must("copies of what was not in flight", sum(extra.values()), sorted(extra)[:MAX_NAMED])

    # ------------------------------------------------------------------ Postgres

    async def postgres(self) -> None:
        """Every row and column, against the messages in Kafka."""
        expected = Expected()
        for topic, take in readers(expected, self.stage.domains, self.stage.sources).items():
            async for message in kafka_io.read_all(self.stage.bootstrap, [topic], committed_only=False):
                take(message)
        connection = await asyncpg.connect(self.stage.database)
        try:
            for table, wanted in expected.rows.items():
                self._table(table, wanted, await connection.fetch(f"SELECT * FROM {table.name}"))
        finally:
            await connection.close()

    def _table(self, table: Table, wanted: dict[Key, Row], fetched: list[Any]) -> None:
        rows: dict[Key, Row] = {}
        for row in map(found, fetched):
            rows[tuple(row[name] for name in table.key)] = row
        free = self.free.get(table.name, frozenset())
        columns: Counter[str] = Counter()
        differ = [key for key in rows if key not in wanted]
        for key in rows.keys() & wanted.keys():
            names = [n for n in rows[key].keys() | wanted[key].keys() if n not in free]
            columns.update(others := [n for n in names if rows[key].get(n, ABSENT) != wanted[key].get(n, ABSENT)])
            differ += [key] if others else []
        self.must(f"Postgres {table.name}: not once", len(fetched) - len(rows))
        self.must(f"Postgres {table.name}: missing", len(wanted.keys() - rows.keys()))
        self.must(
            f"Postgres {table.name}: differs", len(differ), dict(columns) or "rows that nothing in Kafka calls for"
        )
        self.figures[f"Postgres {table.name}"] = len(fetched)


async def judge(it: Judge, subscribers: list[Subscriber], cuts: list[Cut]) -> Verdict:
    """Everything compared; the subscribers are read to the end and ended."""
    stage = it.stage
    replay = await replayed(export(stage.bootstrap))
    emitted = await verify.read_emitted(stage.bootstrap, stage.domains, stage.sources)
    it.emitted("alert", emitted.alerts, [body for _, _, body in replay.effects.alerts])
    it.emitted("notice", emitted.notices, [body for _, _, body in replay.effects.notices])
    standing: dict[str, dict[bytes, bytes]] = {f"credit.standing.{domain}": {} for domain in stage.domains}
    for domain, alert_id, body in replay.effects.alerts:
        standing[f"credit.standing.{domain}"][alert_id.encode()] = body
    await it.last_values("standing wrong", standing)
    await it.last_values("status wrong", {"credit.status": {k.encode(): v for k, v in replay.effects.statuses}})
    landings = Landings()
    await it.state(replay, landings)
    await it.copies(cuts, landings)
    report = await audit.audit(
        stage.bootstrap,
        sources=stage.sources,
        intake_group=stage.group("intake"),
        dossier_group=stage.group("dossier"),
        changelog=stage.changelog,
        timeout_s=AUDIT_TIMEOUT_S,
    )
    it.figures |= {"events": report.events, "items": report.items, "resent records": report.resent_messages}
    it.must("residual", report.residual, {k: v for k, v in report.differences.items() if v} or report.examples)
    it.truth_of(report, emitted)
    await it.postgres()
    await _subscribers(it, subscribers)
    return Verdict(it.figures, it.wrong, it.examples)


async def _subscribers(it: Judge, subscribers: list[Subscriber]) -> None:
    """Each has exactly the open alerts that Postgres has."""
    connection = await asyncpg.connect(it.stage.database)
    try:
        rows = await connection.fetch("SELECT alert_id, revision FROM enterprise.open_alerts")
    finally:
        await connection.close()
    open_alerts = {row["alert_id"]: row["revision"] for row in rows}
    it.figures["open alerts"] = len(open_alerts)
    topics = [f"credit.alerts.{domain}" for domain in it.stage.domains]
    _, ends = await kafka_io.bounds(it.stage.bootstrap, topics)
    for subscriber in subscribers:
        found = await subscriber.finish({TopicPartition(*key): end for key, end in ends.items()})
        differ = [i for i in found.keys() | open_alerts.keys() if found.get(i) != open_alerts.get(i)]
        it.must("subscribers' open alerts", len(differ), differ[:MAX_NAMED])
    it.figures["subscribers"] = len(subscribers)
