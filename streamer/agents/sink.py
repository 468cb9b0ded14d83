"""The sink: slices of our own topics become rows in Postgres, offsets after the transaction. Not for: SQL (``sinks``).

A slice's rows are handed to the writer at once, so that what arrives meanwhile goes into one transaction; the slice's commit
waits for them. Postgres away: the commit waits, the worker stays ready, and nothing else notices.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from sinks.batch import Batch
from sinks.decode import DECODERS, decode
from sinks.errors import Position, SinkConfigurationError, SinkDataError, UndecodableMessage
from sinks.writer import PostgresWriter
from streamer.engine import EngineApp, Exit, Refusal, Slice, failpoints
from topics.catalog import topics as all_topics

AGENT: Final = "sink"
WAITS_ON: Final = "postgres"


def sink_topics(sources: Iterable[str], domains: Iterable[str]) -> list[str]:
    """The topics that the sink reads in a deployment with these sources and approval domains."""
    return [topic.name for topic in all_topics(sources, domains) if topic.family.family.split(".{")[0] in DECODERS]


def register(app: EngineApp, *, dsn: str, sources: Iterable[str], domains: Iterable[str]) -> PostgresWriter:
    """The sink's agent on ``app`` over the topics of these sources and approval domains; its writer, for a look at it."""
    writer = PostgresWriter(dsn)
    attach(app, writer, sink_topics(sources, domains))
    return writer


def attach(app: EngineApp, writer: PostgresWriter, topics: Sequence[str]) -> Any:
    """Declare the sink's agent on ``app`` over ``topics``; the agent. Closes ``writer`` when the app stops."""
    writer.while_waiting = lambda: app.runtime.waiting_on(WAITS_ON)
    writer.in_transaction = lambda: failpoints.hit("in_transaction")
    writer.after_transaction = lambda: failpoints.hit("after_transaction")
    app.on_before_shutdown.connect(_closing(writer))

    async def sink(stream: AsyncIterator[Slice]) -> None:
        async for piece in stream:
            take(piece, writer)
            piece.done()

    return app.agent(app.slices(*topics), name=AGENT)(sink)


def take(piece: Slice, writer: PostgresWriter) -> None:
    """Decode a slice and have its rows written; its commit is durable when they are. Raises Refusal."""
    batch = Batch()
    topic, partition = piece.topic, piece.partition
    for record in piece.fresh():
        at = Position(topic, partition, record.offset)
        try:
            batch.add(decode(at, record.key, record.value, record.headers, record.timestamp), at)
        except UndecodableMessage as error:
            raise Refusal(Exit.HANDLER, str(error)) from None
    if len(batch):
        written = writer.submit(batch)
        piece.commit_with(lambda: _durable(written))


async def _durable(written: Future[None]) -> None:
    """Wait for the transaction. Raises Refusal where waiting is no use; its text holds no values."""
    try:
        await written
    except SinkDataError as error:
        raise Refusal(Exit.HANDLER, str(error)) from None
    except SinkConfigurationError as error:
        raise Refusal(Exit.CONFIG, str(error)) from None


def _closing(writer: PostgresWriter) -> Any:
    async def close(_app: Any, **_: Any) -> None:
        await writer.close()

    return close
