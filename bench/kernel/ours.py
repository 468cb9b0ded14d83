"""The kernel job on our engine, one process: ``python -m bench.kernel.ours`` with ``W_*`` in the environment.

An event whose fact is known is dropped; else the fact is kept, and the first time that an entity has three facts from two
sources one alert names them all, in order. Not for: anything about credit; it is the job that the others do, no more.

Rows: ``f<entity>/<fact>`` (one a fact, never read again but by a duplicate) and ``h<entity>`` (what the alert still needs; not
written again after it). So the fifty-thousandth fact of an entity costs what its fifth costs.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streamer.engine import EngineApp, EngineSettings, RecordIn, Rows, Slice, run

BOOTSTRAP: Final = os.environ.get("W_BOOT", "")
TOPIC: Final = os.environ.get("W_TOPIC", "events")
ALERTS: Final = os.environ.get("W_ALERTS", "alerts")
APP: Final = os.environ.get("W_APP", "app")
DIR: Final = os.environ.get("W_DIR", ".")
COMMIT_S: Final = float(os.environ.get("W_COMMIT_S", "1"))
SESSION_S: Final = 6.0
#: What the process may take of memory.
MEMORY_BYTES: Final = 512 << 20
TABLE: Final = "facts"
CHANGELOG: Final = f"{APP}-{TABLE}-changelog"
CHANGELOG_SETTINGS: Final = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": str(6 * 3600 * 1000),
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(4 << 20),
}
ALERT_FACTS: Final = 3
#: Facts that a head names itself while its alert is due; of an entity with more, all of one source, the rows are read.
NAMED_MAX: Final = 16
HEAD, FACT = b"h", b"f"
#: A row's bytes beyond its key, and those of each fact that a head names.
ROW_BYTES: Final = 30
NAME_BYTES: Final = 21


class Amount(msgspec.Struct, gc=False):
    fine_amount: int


class Event(msgspec.Struct, gc=False):
    id: str
    source: str
    subject: str
    time: str
    data: Amount


class Fact(msgspec.Struct, array_like=True, gc=False):
    """``nth``: of its entity's, from 1; 0 once no alert is due any more."""

    fine_amount: int
    nth: int


class Head(msgspec.Struct, array_like=True):
    """``facts`` and ``named`` as of the alert: nothing asks for them afterwards."""

    alerted: bool = False
    facts: int = 0
    named: list[str] = msgspec.field(default_factory=list)


class Alert(msgspec.Struct):
    id: str
    subject: str
    type: str
    time: str
    facts: list[str]


decode_event = msgspec.json.Decoder(Event).decode
encode_alert = msgspec.json.Encoder().encode
encode_row = msgspec.msgpack.Encoder().encode
decode_head = msgspec.msgpack.Decoder(Head).decode
decode_fact = msgspec.msgpack.Decoder(Fact).decode


class FactsCodec:
    """By the key's first byte."""

    def encode(self, key: bytes, value: object) -> bytes:  # noqa: ARG002 - a codec may need the kind
        return encode_row(value)

    def decode(self, key: bytes, raw: bytes | memoryview) -> object:
        return decode_head(raw) if key[:1] == HEAD else decode_fact(raw)


def apply(rows: Rows, part: Slice, record: RecordIn) -> None:
    """One event."""
    entity = record.key
    event = decode_event(record.value)
    fact = f"{event.source[-3:]}|{event.id}"
    fact_key = b"%b%b/%b" % (FACT, entity, fact.encode())
    head_key = HEAD + entity
    head: Head | None = rows.get(head_key)
    if head is None:
        head = Head()  # of an entity without a head no row exists
    elif rows.get(fact_key) is not None:
        return
    fine = event.data.fine_amount
    if head.alerted:
        rows.put(fact_key, Fact(fine, 0), len(fact_key) + ROW_BYTES, keep=False)
        return
    head.facts += 1
    rows.put(fact_key, Fact(fine, head.facts), len(fact_key) + ROW_BYTES, keep=False)
    named = head.named
    if len(named) < NAMED_MAX:
        named.append(fact)
    if head.facts >= ALERT_FACTS and (fact[:3] != named[0][:3] or len({name[:3] for name in named}) > 1):
        facts = named if head.facts == len(named) else in_order(rows, entity)
        alert = Alert("alert-" + event.subject, event.subject, "cn.credit.alert.v1", event.time, facts)
        part.send(ALERTS, part.partition, entity, encode_alert(alert))
        head.alerted, head.named = True, []
    rows.put(head_key, head, len(head_key) + ROW_BYTES + NAME_BYTES * len(named))


def in_order(rows: Rows, entity: bytes) -> list[str]:
    """The names of all facts of an entity that has had no alert yet, oldest first."""
    prefix = b"%b%b/" % (FACT, entity)
    found = [(row.nth, key) for key, row in rows.scan(prefix)]
    return [key[len(prefix) :].decode() for _, key in sorted(found)]


def make() -> EngineApp:
    app = EngineApp(
        EngineSettings(
            app_id=APP,
            bootstrap_servers=BOOTSTRAP,
            state_dir=Path(DIR),
            instance_id=f"{APP}-0",
            session_timeout_s=SESSION_S,
            heartbeat_s=1.5,
            commit_interval_s=COMMIT_S,
            memory_budget_bytes=MEMORY_BYTES,
        )
    )
    source = app.slices(TOPIC)
    app.output(ALERTS)
    app.keyed_table(TABLE, source=TOPIC, partitions=asyncio.run(prepare()), codec=FactsCodec())

    @app.agent(source)
    async def facts(stream: Any) -> None:
        async for part in stream:
            mark_start()
            handle(part)

    return app


def handle(part: Slice) -> None:
    rows = part.rows
    for record in part.fresh():
        apply(rows, part, record)
    part.done()


async def prepare() -> int:
    """The number of partitions of the source; makes the changelog where there is none."""
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    try:
        (source,) = await admin.describe_topics([TOPIC])
        partitions = len(source["partitions"])
        if CHANGELOG not in await admin.list_topics():
            await admin.create_topics([NewTopic(CHANGELOG, partitions, 1, topic_configs=CHANGELOG_SETTINGS)])
    finally:
        await admin.close()
    return partitions


_started = False


def mark_start() -> None:
    """At the first event: the time, and the CPU spent on starting, into the file ``W_T0``."""
    global _started  # noqa: PLW0603 - one process, one start
    if _started:
        return
    _started = True
    path = Path(os.environ["W_T0"])
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(f"{time.time()} {time.process_time()}")
    draft.replace(path)


def states(changelog: Iterable[tuple[bytes, bytes | None]]) -> dict[str, dict[str, Any]]:
    """Entity → ``{"f": {fact: fine}, "a": 0|1}`` from the last record of each key, as the oracle has it."""
    from streamer.engine.partition_row import ORIGIN_BYTES

    found: dict[str, dict[str, Any]] = {}
    for key, value in dict(changelog).items():
        if key[:1] not in {HEAD, FACT} or value is None:
            continue
        entity, _, fact = key[1:].decode().partition("/")
        state = found.setdefault(entity, {"f": {}, "a": 0})
        if key[:1] == FACT:
            state["f"][fact] = decode_fact(value[ORIGIN_BYTES:]).fine_amount
        else:
            state["a"] = int(decode_head(value[ORIGIN_BYTES:]).alerted)
    return found


if __name__ == "__main__":
    run(make())
