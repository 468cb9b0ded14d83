"""The sink's agent: every fresh record of a slice is durable before the slice's commit is; doubts end the process, in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest

from sinks.batch import Batch
from sinks.decode import DECODERS, decode
from sinks.errors import Position
from sinks.rows import Row
from sinks.writer import PostgresWriter
from streamer.agents.sink import attach, register, sink_topics, take
from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN
from streamer.engine.exits import Exit, Refusal
from tests.sinks import samples

EXAMPLES = Path(__file__).parents[2] / "topics" / "examples"


class RecordIn(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Any


class Slice:
    """A slice as the engine hands it over, as far as a sink sees it."""

    def __init__(self, topic: str, *messages: samples.Message, applied: int = -1) -> None:
        self.topic, self.partition, self.applied = topic, 0, applied
        self.records = [RecordIn(n, samples.APPENDED_MS, *message[1:]) for n, message in enumerate(messages)]
        self.steps: list[Callable[[], Awaitable[None]]] = []
        self.finished = False

    def fresh(self) -> Iterator[RecordIn]:
        return (record for record in self.records if record.offset > self.applied)

    def commit_with(self, step: Callable[[], Awaitable[None]]) -> None:
        self.steps.append(step)

    def done(self) -> None:
        self.finished = True


class App:
    """As much of an EngineApp as ``attach`` touches."""

    def __init__(self) -> None:
        self.on_before_shutdown = self.runtime = self
        self.closers: list[Any] = []
        self.read: tuple[str, ...] = ()

    def connect(self, handler: Any) -> None:
        self.closers.append(handler)

    def slices(self, *topics: str) -> tuple[str, ...]:
        self.read = topics
        return topics

    def agent(self, channel: Any, name: str) -> Callable[[Any], Any]:
        return lambda function: function

    def waiting_on(self, name: str) -> Any:
        return nullcontext(name)


async def test_a_slice_is_durable_when_its_step_is_done_and_only_what_is_fresh_is_written(dsn: str, db: Any) -> None:
    app, writer = App(), PostgresWriter(dsn)
    agent = attach(app, writer, ["credit.records"])
    piece = Slice("credit.records", *(samples.record(id_=f"e{n}") for n in range(3)), applied=0)

    async def stream() -> Any:
        yield piece

    await agent(stream())
    assert piece.finished
    for step in piece.steps:
        await step()
    assert [row[0] for row in await db.fetch("SELECT event_id FROM enterprise.record ORDER BY 1")] == ["e1", "e2"]
    assert writer.while_waiting().__enter__() == "postgres"
    (close,) = app.closers
    await close(app)


async def test_a_role_is_registered_by_address_sources_and_domains(dsn: str) -> None:
    app = App()
    writer = register(app, dsn=dsn, sources=["tax"], domains=["procurement"])
    await writer.write(Batch())
    assert app.read == tuple(sink_topics(["tax"], ["procurement"]))
    await writer.close()


async def test_slices_of_several_topics_go_together(dsn: str, db: Any) -> None:
    writer = PostgresWriter(dsn)
    pieces = [
        Slice("credit.standing.procurement", samples.alert(standing=True)),
        Slice("credit.alerts.procurement", samples.alert()),
        Slice("credit.status", samples.status()),
    ]
    for piece in pieces:
        take(piece, writer)
    for piece in pieces:
        await piece.steps[0]()
    assert writer.transactions == 1
    assert await db.fetchval("SELECT count(*) FROM enterprise.open_alerts") == 1
    await writer.close()


async def test_a_slice_without_rows_needs_no_step(dsn: str) -> None:
    piece = Slice("credit.status", ("credit.status", b"k", None, ()))  # type: ignore[arg-type]
    take(piece, PostgresWriter(dsn))
    assert piece.steps == []


async def test_what_cannot_be_decoded_ends_the_process_by_its_place(dsn: str) -> None:
    with pytest.raises(Refusal, match=r"credit\.status partition 0 offset 0") as caught:
        take(Slice("credit.status", ("credit.status", b"k", b"{", ())), PostgresWriter(dsn))
    assert caught.value.code == Exit.HANDLER


@pytest.mark.parametrize("migrated", [True, False])
async def test_what_postgres_refuses_for_good_ends_the_process(dsn: str, migrated: bool) -> None:
    if not migrated:
        db = await asyncpg.connect(dsn)
        await db.execute("DELETE FROM ops.migration")
        await db.close()
    writer = PostgresWriter(dsn)
    piece = Slice("credit.alerts.procurement", samples.alert(revision=0))
    take(piece, writer)
    with pytest.raises(Refusal) as caught:
        await piece.steps[0]()
    assert caught.value.code == (Exit.HANDLER if migrated else Exit.CONFIG)
    await writer.close()


def test_the_topics_are_those_that_have_a_decoder() -> None:
    topics = sink_topics(["tax", "finance"], ["procurement"])
    assert topics == [
        "credit.alerts.procurement",
        "credit.dead-letters",
        "credit.notices.finance",
        "credit.notices.tax",
        "credit.records",
        "credit.standing.procurement",
        "credit.status",
    ]
    assert len({topic.removesuffix(".tax").removesuffix(".finance") for topic in topics}) == len(DECODERS)


def _examples() -> list[tuple[str, Path]]:
    schemas = {
        "credit.record.item.v1": "credit.records",
        "credit.alert.v1": "credit.alerts.procurement",
        "credit.notice.v1": "credit.notices.tax",
        "credit.status.v1": "credit.status",
        "credit.dead-letter.v1": "credit.dead-letters",
    }
    return [(topic, path) for name, topic in schemas.items() for path in sorted((EXAMPLES / name).glob("good-*.json"))]


@pytest.mark.parametrize(("topic", "path"), _examples(), ids=lambda value: getattr(value, "stem", value))
def test_every_good_example_of_the_contract_is_a_row(topic: str, path: Path) -> None:
    body = path.read_bytes()
    rows: tuple[Row, ...] = ()
    value = msgspec.json.decode(body)
    data = value.get("data", value)
    key = next(data[name] for name in ("alert_id", "notice_id", "origin", "org_code", "party") if name in data)
    key = key["org_code"] if isinstance(key, dict) else key
    headers = ((HEADER_ORIGIN, b"credit.events.tax|0|0|0|1"), (HEADER_HASH, b"h" * 16))
    rows = decode(Position(topic, 0, 0), key.encode(), body, headers, samples.APPENDED_MS)
    assert rows
