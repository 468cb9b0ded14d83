"""A toy role on the engine, run as a process: accounts with facts, counters and alerts. Not for: anything real.

Run: ``python -m tests.engine.toy`` with ``TOY_*`` in the environment (``ToyConfig``). Its table has three kinds of rows:
``h`` head (one an account), ``f`` fact (one a document), ``e`` event (one an event id), ``d`` due (settled by a sweep).
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from streamer.engine import EngineApp, EngineSettings, Rows, Slice, SweepContext, run

HEAD, FACT, EVENT, DUE, CLOCK = b"h", b"f", b"e", b"d", b"c"
ALERT_EVERY = 3
DUE_AFTER = 50


class Event(msgspec.Struct):
    id: str
    account: str
    document: str
    amount: int


class Head(msgspec.Struct, array_like=True):
    facts: int = 0
    total: int = 0
    duplicates: int = 0
    witnesses: int = 0
    settled: int = 0
    revision: int = 0
    alerted: int = 0


class Fact(msgspec.Struct, array_like=True):
    amount: int
    witnesses: int = 1


class Seen(msgspec.Struct, array_like=True):
    document: str


class Clock(msgspec.Struct, array_like=True):
    events: int = 0


class Due(msgspec.Struct, array_like=True):
    account: str


TYPES: dict[bytes, Any] = {HEAD: Head, FACT: Fact, EVENT: Seen, DUE: Due, CLOCK: Clock}
_encode = msgspec.msgpack.Encoder().encode
_decode = {kind: msgspec.msgpack.Decoder(cls).decode for kind, cls in TYPES.items()}
decode_event = msgspec.json.Decoder(Event).decode
encode_json = msgspec.json.Encoder(order="sorted").encode


#: What begins a row of schema 2: no row of schema 1 does.
SECOND = b"\xc1"


class ToyCodec:
    """By the key's first byte. Schema 2 reads schema 1."""

    def __init__(self, schema: int = 1) -> None:
        self.mark = SECOND if schema >= 2 else b""

    def encode(self, key: bytes, value: object) -> bytes:
        return self.mark + _encode(value)

    def decode(self, key: bytes, raw: bytes | memoryview) -> object:
        if self.mark and raw[:1] == self.mark:
            raw = raw[1:]
        return _decode[bytes(key[:1])](raw)


def standing_value(account: str, head: Head) -> bytes:
    """What stands since the last alert; later facts do not change it."""
    facts = head.revision * ALERT_EVERY
    return encode_json({"account": account, "facts": facts, "total": head.alerted, "revision": head.revision})


def apply(rows: Any, send: Any, event: Event, names: tuple[str, str], partition: int) -> None:
    """The toy's step: pure in state and event. ``rows`` needs get, put and delete; ``send`` is Slice.send."""
    alerts, standing = names
    account = event.account.encode()
    clock = rows.get(CLOCK) or Clock()
    clock.events += 1
    rows.put(CLOCK, clock, 40)
    head_key = HEAD + account
    head = rows.get(head_key) or Head()
    event_key = EVENT + account + b"/" + event.id.encode()
    if rows.get(event_key) is not None:
        head.duplicates += 1
        rows.put(head_key, head, 60)
        return
    rows.put(event_key, Seen(event.document), 80, keep=False)
    fact_key = FACT + account + b"/" + event.document.encode()
    fact = rows.get(fact_key)
    if fact is not None:
        fact.witnesses += 1
        head.witnesses += 1
        rows.put(fact_key, fact, 80)
        rows.put(head_key, head, 60)
        return
    rows.put(fact_key, Fact(event.amount), 80)
    rows.put(DUE + (clock.events + DUE_AFTER).to_bytes(8, "big") + account, Due(event.account), 60)
    head.facts += 1
    head.total += event.amount
    if head.facts % ALERT_EVERY == 0:
        head.revision += 1
        head.alerted = head.total
        body = standing_value(event.account, head)
        if standing:
            send(standing, partition, account, body, first=True)
        send(alerts, partition, f"{event.account}.{head.revision}".encode(), body, (("kind", b"alert"),))
    rows.put(head_key, head, 60)


def settle(rows: Any, limit: int) -> bool:
    """The toy's sweep: dues whose number is reached are counted on their account and deleted."""
    clock = rows.get(CLOCK)
    if clock is None:
        return False
    found = 0
    for key, due in list_some(rows.scan(DUE, DUE + (clock.events + 1).to_bytes(8, "big")), limit):
        head = rows.get(HEAD + due.account.encode())
        head.settled += 1
        rows.put(HEAD + due.account.encode(), head, 60)
        rows.delete(key)
        found += 1
    return found == limit


def list_some(pairs: Any, limit: int) -> list[Any]:
    out = []
    for pair in pairs:
        out.append(pair)
        if len(out) == limit:
            break
    return out


@dataclass
class ToyConfig:
    """From ``TOY_<NAME>``."""

    bootstrap: str = "127.0.0.1:9092"
    app: str = "toy"
    source: str = "toy.events"
    alerts: str = "toy.alerts"
    standing: str = ""
    folder: str = "./toy-state"
    partitions: int = 4
    instance: str = ""
    slow_ms: float = 0.0
    fetch: int = 0
    unit_target: int = 1 << 20
    unit_age: float = 0.5
    unit_gap: float = 0.015
    cache: int = 0
    memory: int = 512 << 20
    poll: int = 20_000
    session: float = 10.0
    commit: float = 1.0
    raise_at: int = -1
    accept_loss: int = 0
    read_committed: int = 0
    steps: str = ""
    standbys: int = 0
    tombstone_after: float = 21_600.0
    schema: int = 1

    @classmethod
    def from_env(cls) -> ToyConfig:
        made = {}
        for f in fields(cls):
            text = os.environ.get(f"TOY_{f.name.upper()}")
            if text is not None:
                made[f.name] = type(f.default)(text)
        return cls(**made)

    def env(self) -> dict[str, str]:
        return {f"TOY_{f.name.upper()}": str(getattr(self, f.name)) for f in fields(self)}


def settings(config: ToyConfig) -> EngineSettings:
    return EngineSettings(
        app_id=config.app,
        bootstrap_servers=config.bootstrap,
        state_dir=Path(config.folder),
        instance_id=config.instance or None,
        session_timeout_s=config.session,
        fetch_max_bytes=config.fetch,
        max_poll_records=config.poll,
        unit_target_bytes=config.unit_target,
        unit_max_age_s=config.unit_age,
        unit_min_gap_s=config.unit_gap,
        cache_max_bytes=config.cache,
        memory_budget_bytes=config.memory,
        commit_interval_s=config.commit,
        accept_loss=bool(config.accept_loss),
        num_standby_replicas=config.standbys,
        tombstone_after_s=config.tombstone_after,
        log_level=os.environ.get("TOY_LOG", "WARNING"),
    )


def make(config: ToyConfig) -> EngineApp:
    app = EngineApp(settings(config))
    if config.steps:
        module, _, name = config.steps.partition(":")
        app.commit_steps = getattr(__import__(module, fromlist=[name]), name)
    source = app.slices(config.source, read_committed=bool(config.read_committed))
    app.output(config.alerts)
    names = (config.alerts, config.standing)

    def restate(rows: Rows, key: bytes) -> Any:
        head = rows.get(HEAD + key)
        return None if head is None or not head.revision else (standing_value(key.decode(), head), ())

    def sweep(context: SweepContext) -> bool:
        return settle(context.rows, 100)

    app.keyed_table(
        "accounts",
        source=config.source,
        partitions=config.partitions,
        codec=ToyCodec(config.schema),
        schema=config.schema,
        restate={config.standing: restate} if config.standing else {},
        sweep=sweep,
    )

    @app.agent(source)
    async def agent(stream: Any) -> None:
        async for part in stream:
            if config.slow_ms:
                await asyncio.sleep(config.slow_ms / 1000)
            handle(part, names, config.raise_at)

    return app


def handle(part: Slice, names: tuple[str, str], raise_at: int) -> None:
    for record in part.fresh():
        if record.offset == raise_at:
            raise RuntimeError("a handler that raises, as asked")
        assert record.value is not None
        apply(part.rows, part.send, decode_event(record.value), names, part.partition)
    part.done()


if __name__ == "__main__":
    run(make(ToyConfig.from_env()))
