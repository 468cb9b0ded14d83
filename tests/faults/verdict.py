"""The verdict of a run: what Kafka and Postgres hold, against replay, against the generator's truth, against each other.

Not for: how it came about. Everything is read after all roles have ended.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec
from aiokafka import TopicPartition

from streamer import audit, kafka_io
from streamer.demo import verify
from streamer.demo.truth import Truth
from streamer.domain import messages
from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN, Record, decode_record
from streamer.domain.replay import Replay
from streamer.domain.state import Codec
from streamer.engine.partition_row import ORIGIN_BYTES, PARTITION_KEY, is_void
from streamer.export import export
from tests.faults.oracle import Cut, Oracle
from tests.faults.stage import Stage
from tests.faults.subscriber import Subscriber

MAX_NAMED: Final = 5
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

    async def state(self, replay: Replay) -> None:
        """The rows that the changelog adds up to, against replay's: same bytes, or at least the same values."""
        codec = Codec()
        rows: dict[int, dict[bytes, bytes]] = {p: {} for p in range(self.stage.partitions)}
        void = 0
        async for message in kafka_io.read_all(self.stage.bootstrap, [self.stage.changelog], committed_only=False):
            key, value = message.key or b"", message.value
            if is_void(value, message.offset, message.headers):
                void += 1
                continue
            payload = (value or b"")[ORIGIN_BYTES:]
            if payload:
                rows[message.partition][key] = payload
            else:
                rows[message.partition].pop(key, None)
        wrong = []
        for partition, found in rows.items():
            found.pop(PARTITION_KEY, None)
            wanted = replay.rows[partition].raw
            for key in found.keys() | wanted.keys():
                a, b = found.get(key), wanted.get(key)
                if a != b and (a is None or b is None or codec.decode(key, a) != codec.decode(key, b)):
                    wrong.append((partition, key[:1].decode(), key[1:10]))
        self.figures["state rows"] = sum(len(found) for found in rows.values())
        self.figures["void rows"] = void
        kinds = Counter(kind for _, kind, _ in wrong)
        self.must("state rows wrong", len(wrong), dict(kinds))

    # ------------------------------------------------------------------ Postgres

    async def postgres(self, emitted: verify.Emitted) -> None:
        connection = await asyncpg.connect(self.stage.database)
        try:
            await self._history(connection, "alert", emitted.alerts)
            await self._history(connection, "notice", emitted.notices)
            await self._journals(connection)
        finally:
            await connection.close()

    async def _history(self, connection: Any, kind: str, found: dict[str, list[bytes]]) -> None:
        """Each revision once, equal to Kafka's; as current the highest."""
        wanted: dict[tuple[str, int], Any] = {}
        for copies in found.values():
            data = json.loads(copies[0])["data"]
            wanted[data[f"{kind}_id"], data["revision"]] = data
        rows = await connection.fetch(f"SELECT {kind}_id AS id, revision, data FROM enterprise.{kind}_history")
        history = {(row["id"], row["revision"]): json.loads(row["data"]) for row in rows}
        self.must(f"Postgres {kind} history: not once", len(rows) - len(history))
        differ = [key for key in wanted.keys() | history.keys() if wanted.get(key) != history.get(key)]
        self.must(f"Postgres {kind} history: differs", len(differ), differ[:MAX_NAMED])
        highest: dict[str, int] = {}
        for identifier, revision in wanted:
            highest[identifier] = max(revision, highest.get(identifier, 0))
        rows = await connection.fetch(f"SELECT {kind}_id AS id, revision, data FROM enterprise.{kind}")
        current = {row["id"]: (row["revision"], json.loads(row["data"])) for row in rows}
        differ_now = [
            i
            for i in highest.keys() | current.keys()
            if i not in highest or current.get(i) != (highest[i], wanted[i, highest[i]])
        ]
        self.must(f"Postgres {kind} current: differs", len(differ_now), differ_now[:MAX_NAMED])

    async def _journals(self, connection: Any) -> None:
        """Records and dead letters: each distinct one in Kafka, once."""
        records, people, letters, status = set(), set(), set(), {}
        async for message in kafka_io.read_all(self.stage.bootstrap, ["credit.records"], committed_only=False):
            if message.header(HEADER_ORIGIN) is None:
                continue
            record = decode_record(message.value or b"")
            assert isinstance(record, Record)
            key = (record.source, record.id, record.party.org_code, message.header(HEADER_HASH))
            (people if record.party.individual else records).add(key)
        async for message in kafka_io.read_all(self.stage.bootstrap, ["credit.dead-letters"], committed_only=False):
            letter = messages.decode_dead_letter(message.value or b"")
            letters.add((letter.origin, letter.stage))
        async for message in kafka_io.read_all(self.stage.bootstrap, ["credit.status"], committed_only=False):
            row = messages.decode_status(message.value or b"")
            status[row.org_code] = max(row.version, status.get(row.org_code, 0))
        key_columns = "source, event_id, org_code, content_hash"
        for table, columns, wanted in (
            ("enterprise.record", key_columns, records),
            ("person.record", key_columns, people),
            ("ops.dead_letter", "origin, stage", letters),
            ("enterprise.status", "org_code, version", set(status.items())),
        ):
            rows = [tuple(row) for row in await connection.fetch(f"SELECT {columns} FROM {table}")]
            self.must(f"Postgres {table}: not once", len(rows) - len(set(rows)))
            self.must(f"Postgres {table}: missing", len(wanted - set(rows)))
            self.must(f"Postgres {table}: differs", len(set(rows) - wanted))
            self.figures[f"Postgres {table}"] = len(rows)


async def judge(it: Judge, subscribers: list[Subscriber], cuts: list[Cut]) -> Verdict:
    """Everything compared; the subscribers are read to the end and ended."""
    stage, oracle = it.stage, Oracle()
    await oracle.run(export(stage.bootstrap))
    replay = oracle.replay
    emitted = await verify.read_emitted(stage.bootstrap, stage.domains, stage.sources)
    it.emitted("alert", emitted.alerts, [body for _, _, body in replay.effects.alerts])
    it.emitted("notice", emitted.notices, [body for _, _, body in replay.effects.notices])
    it.figures["copies"] = it.figures["alert copies"] + it.figures["notice copies"]
    it.figures["copies at most"] = oracle.in_flight(cuts)
    it.must("copies beyond what was in flight", max(0, it.figures["copies"] - it.figures["copies at most"]))
    standing: dict[str, dict[bytes, bytes]] = {f"credit.standing.{domain}": {} for domain in stage.domains}
    for domain, alert_id, body in replay.effects.alerts:
        standing[f"credit.standing.{domain}"][alert_id.encode()] = body
    await it.last_values("standing wrong", standing)
    await it.last_values("status wrong", {"credit.status": {k.encode(): v for k, v in replay.effects.statuses}})
    await it.state(replay)
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
    await it.postgres(emitted)
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
