"""Events from lines of JSON to the topics of their sources: all of a file checked first, then sent and acknowledged.

Not for: what a worker does with them. A report counts lines and names places; it never holds a value of an event.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streamer import aliases
from streamer.admin import AdminError, connect
from streamer.domain.personal import find_citizen_number
from streamer.rulebook import Source
from topics.catalog import BACKFILL, EVENTS, INBOUND_TYPES
from topics.envelope import SOURCE_PREFIX, Envelope, NotCloudEvents, NotJson, decode, encode_binary, encode_structured
from topics.settings import EVENT_MAX_BYTES
from topics.validation import validate

IN_FLIGHT_MAX: Final = 5_000  # messages sent and not yet acknowledged
BAD_LINES_MAX: Final = 100  # reported one by one; above: counted
PROGRESS_EVERY: Final = 20_000


class BadLine(msgspec.Struct, frozen=True):
    """A line that is not sent: its number from 1, a reason code, the place in the event, what is wrong there."""

    line: int
    reason: str
    json_pointer: str
    why: str


class Report(msgspec.Struct, kw_only=True):
    """``acknowledged``: all replicas that must have it, have it. Below ``sent``: publish the file again, resends count once."""

    read: int = 0
    bad: int = 0
    bad_lines: list[BadLine] = []
    sent: int = 0
    acknowledged: int = 0
    error: str = ""
    types: dict[str, int] = {}
    topics: dict[str, int] = {}

    @property
    def complete(self) -> bool:
        return not self.error and not self.bad and self.acknowledged == self.read


class Message(msgspec.Struct, frozen=True):
    """An event ready to send. Its key is its id, so that a resend meets the same partition; never an identifier."""

    topic: str
    type: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Reader:
    """Lines → messages. ``source`` and ``alias``: the lines are rows of that source; else they are CloudEvents. ``backfill``:
    they are history, for the sources' other topics."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        source: str | None = None,
        alias: aliases.Alias | None = None,
        binary: bool = False,
        backfill: bool = False,
    ) -> None:
        self._sources = sources
        self._source = source
        self._alias = alias
        self._encode = encode_binary if binary else encode_structured
        self._family = BACKFILL if backfill else EVENTS

    def read(self, lines: Iterable[bytes]) -> Iterator[tuple[int, Message | BadLine]]:
        """Each line that is not blank, with its number."""
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, self._line(number, line)

    def _line(self, number: int, line: bytes) -> Message | BadLine:
        try:
            event = self._event(line)
        except NotJson as error:
            return BadLine(number, "not_json", "", str(error))
        except NotCloudEvents as error:
            return BadLine(number, "not_cloudevents", error.json_pointer, error.why)
        except aliases.AliasError as error:
            return BadLine(number, "alias", "", str(error))
        problem = self._problem(event)
        if problem is not None:
            return BadLine(number, *problem)
        value, headers = self._encode(event)
        if len(value) + sum(len(name) + len(text) for name, text in headers) > EVENT_MAX_BYTES:
            return BadLine(number, "oversized", "", f"an event has at most {EVENT_MAX_BYTES} bytes")
        topic = self._family.topic(event.source.removeprefix(SOURCE_PREFIX))
        return Message(topic, event.type, event.id.encode(), value, headers)

    def _event(self, line: bytes) -> Envelope:
        if self._alias is None or self._source is None:
            return decode(line)
        row: Any = None
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            pass  # its error holds the line: raise another one, outside
        if type(row) is not dict:
            raise NotJson("the line is not a JSON object in UTF-8")
        return decode(orjson.dumps(aliases.apply(self._alias, self._source, row)))

    def _problem(self, event: Envelope) -> tuple[str, str, str] | None:
        """What the intake would refuse without looking into identifiers, with its reasons (``streamer.domain.reasons``)."""
        source = self._sources.get(event.source.removeprefix(SOURCE_PREFIX))
        if source is None or not event.source.startswith(SOURCE_PREFIX):
            return "source_mismatch", "/source", f"must be {SOURCE_PREFIX}<source> with a source of the rulebook"
        if find_citizen_number(event.id):
            return "citizen_number_in_field", "/id", "holds a citizen number: use an id of your own system"
        if event.type not in INBOUND_TYPES:
            return "unknown_type", "/type", "must be one of " + ", ".join(sorted(INBOUND_TYPES))
        if event.type.removeprefix("credit.").removesuffix(".v1") not in source.types:
            return "type_not_open", "/type", f"source {source.id} may not send this type"
        violation = validate(event.type, event.data)
        if violation is not None:
            reason = "impossible_date" if violation.keyword == "format" else "schema"
            return reason, "/data" + violation.json_pointer, f"breaks '{violation.keyword}' of the schema"
        if source.domains and event.data["domain"] not in source.domains:
            return "type_not_open", "/data/domain", f"source {source.id} may not send this domain"
        return None


def check(reader: Reader, lines: Iterable[bytes]) -> Report:
    """Read all lines and send nothing."""
    types: Counter[str] = Counter()
    topics: Counter[str] = Counter()
    report = Report()
    for _number, found in reader.read(lines):
        report.read += 1
        if isinstance(found, BadLine):
            report.bad += 1
            if len(report.bad_lines) < BAD_LINES_MAX:
                report.bad_lines.append(found)
        else:
            types[found.type] += 1
            topics[found.topic] += 1
    report.types, report.topics = dict(sorted(types.items())), dict(sorted(topics.items()))
    return report


async def send(
    bootstrap: str, reader: Reader, lines: Iterable[bytes], report: Report, say: Callable[[str], None] = lambda _: None
) -> Report:
    """Send the good lines of what ``check`` counted, and wait until each is acknowledged; ``report`` is filled in.

    Raises AdminError before anything is sent when Kafka does not answer or a topic is missing.
    """
    await _require_topics(bootstrap, report.topics)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=256 * 1024,
        max_request_size=EVENTS.settings.max_message_bytes,
    )  # fmt: skip
    await producer.start()
    in_flight: set[asyncio.Future[Any]] = set()
    good = sum(report.topics.values())
    try:
        for _number, found in reader.read(lines):
            if isinstance(found, BadLine):
                continue
            if len(in_flight) >= IN_FLIGHT_MAX:
                in_flight = await _settle(in_flight, report, asyncio.FIRST_COMPLETED)
            in_flight.add(await producer.send(found.topic, found.value, key=found.key, headers=found.headers))
            report.sent += 1
            if report.sent % PROGRESS_EVERY == 0:
                say(f"{report.sent} of {good} sent, {report.acknowledged} acknowledged")
    except KafkaError as error:
        report.error = f"Kafka took no more: {type(error).__name__}"
    finally:
        while in_flight:
            in_flight = await _settle(in_flight, report, asyncio.ALL_COMPLETED)
        await producer.stop()
    return report


async def _settle(in_flight: set[asyncio.Future[Any]], report: Report, until: str) -> set[asyncio.Future[Any]]:
    done, pending = await asyncio.wait(in_flight, return_when=until)
    for future in done:
        error = future.exception()
        if error is None:
            report.acknowledged += 1
        else:
            report.error = f"Kafka did not acknowledge: {type(error).__name__}"
    return pending


async def _require_topics(bootstrap: str, topics: Iterable[str]) -> None:
    async with connect(bootstrap) as client:
        existing = set(await client.list_topics())
    missing = sorted(set(topics) - existing)
    if missing:
        raise AdminError(
            f"no topic {', '.join(missing)}", where=bootstrap, todo="create the topics with `streamer topics apply`"
        )
