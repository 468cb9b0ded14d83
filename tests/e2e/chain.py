"""The chain as a test drives it: publish, wait until everything is through, read what came out. Not for: what must come out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streamer import kafka_io
from streamer.audit import Report, audit
from streamer.domain.messages import DeadLetter, Outcome, decode_dead_letter, decode_outcome
from streamer.domain.records import Origin
from streamer.kafka_io import Message
from tests.faults.stage import REPOSITORY, Role, Stage
from tests.faults.waiting import until
from topics.catalog import inbound_topics

CLOCK: Final = "2026-08-01"
THROUGH_TIMEOUT_S: Final = 120.0
COMMAND_TIMEOUT_S: Final = 120.0
AUDIT_TIMEOUT_S: Final = 60.0
T = TypeVar("T")


class Sent(NamedTuple):
    """Where a message lies: its origin without party."""

    topic: str
    partition: int
    offset: int

    def of(self, origin: str) -> bool:
        """Whether this message is that of an item's origin."""
        return Origin.parse(origin).event == tuple(self)


class Chain:
    """Synchronous on the outside: one event loop a call."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.roles: dict[str, Role] = {}

    def up(self) -> None:
        self.run(self.stage.up(CLOCK))
        self.roles = {name: self.stage.role(name) for name in ("intake", "dossier", "sink")}
        self.start()

    def start(self) -> None:
        for role in self.roles.values():
            role.start()

    def stop(self) -> None:
        """A clean end of every role."""
        assert self.run(self.stage.stop_roles()) == [0, 0, 0]

    def down(self) -> None:
        try:
            self.run(self.stage.stop_roles())
        finally:
            self.run(self.stage.down())

    @staticmethod
    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    # ------------------------------------------------------------------ in

    def publish(self, messages: Iterable[tuple[str, bytes | None, bytes | None, Sequence[tuple[str, bytes]]]], *,
                partition: int | None = None, lane: str = "events") -> list[Sent]:  # fmt: skip
        """(source, key, value, headers) to the sources' topics of this lane, in order; where each lies."""

        async def send() -> list[Sent]:
            async with kafka_io.producer(self.stage.bootstrap) as producer:
                waiting = [
                    await producer.send(
                        f"credit.{lane}.{source}", value, key=key, headers=list(headers), partition=partition
                    )
                    for source, key, value, headers in messages
                ]
                return [Sent(m.topic, m.partition, m.offset) for m in await asyncio.gather(*waiting)]

        return self.run(send())

    def transaction(self, source: str, values: Sequence[bytes], *, commit: bool, partition: int) -> list[Sent]:
        """Messages in one transaction."""

        async def send() -> list[Sent]:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.stage.bootstrap, transactional_id=f"test-{source}", acks="all"
            )
            await producer.start()
            try:
                await producer.begin_transaction()
                found = [
                    await producer.send_and_wait(f"credit.events.{source}", value, partition=partition)
                    for value in values
                ]
                await (producer.commit_transaction() if commit else producer.abort_transaction())
                return [Sent(m.topic, m.partition, m.offset) for m in found]
            finally:
                await producer.stop()

        return self.run(send())

    # ------------------------------------------------------------------ through

    def through(self) -> None:
        """Wait until every visible message is through all three roles."""
        self.run(self._through())

    async def _through(self) -> None:
        await self._behind("intake", await self._visible_ends(inbound_topics(self.stage.sources)))
        await self._behind("dossier", await self._visible_ends(["credit.records"]))
        await self._behind("sink", await self._visible_ends(self.sink_topics))

    @property
    def sink_topics(self) -> list[str]:
        domains, sources = self.stage.domains, self.stage.sources
        kinds = [f"credit.{kind}.{domain}" for kind in ("alerts", "standing") for domain in domains]
        notices = [f"credit.notices.{source}" for source in sources]
        return ["credit.records", "credit.dead-letters", "credit.status", *kinds, *notices]

    async def _visible_ends(self, topics: list[str]) -> dict[tuple[str, int], int]:
        """The offset after the last message that a reader sees (markers of transactions come after it)."""
        last: dict[tuple[str, int], int] = {}
        async for message in kafka_io.read_all(self.stage.bootstrap, topics):
            last[message.topic, message.partition] = message.offset + 1
        return last

    async def _behind(self, role: str, ends: dict[tuple[str, int], int]) -> None:
        async def reached() -> bool:
            done = await kafka_io.committed(self.stage.bootstrap, self.stage.group(role))
            self.alive()
            return all(done.get(key, 0) >= end for key, end in ends.items())

        await until(f"{role} to be through", reached, THROUGH_TIMEOUT_S)

    def alive(self) -> None:
        """No role has ended: nothing restarts, for nothing needs to."""
        for role in self.roles.values():
            code = role.ended()
            assert code is None, f"{role.label} ended with {code}:\n{role.tail()}"

    # ------------------------------------------------------------------ out

    def read(self, topics: list[str]) -> list[Message]:
        async def collect() -> list[Message]:
            return [m async for m in kafka_io.read_all(self.stage.bootstrap, topics, committed_only=False)]

        return self.run(collect())

    def all_topics(self) -> list[str]:
        """Every topic of the broker, its own ones too."""

        async def names() -> list[str]:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.stage.bootstrap)
            await consumer.start()
            try:
                return sorted(await consumer.topics())
            finally:
                await consumer.stop()

        return self.run(names())

    def outcomes(self) -> list[tuple[str, Outcome, bytes]]:
        """(source of the topic, outcome, bytes) of every refusal or parking."""
        found = []
        for message in self.read([f"credit.outcomes.{source}" for source in self.stage.sources]):
            if message.key != b"counts":
                value = message.value or b""
                found.append((message.topic.rpartition(".")[2], decode_outcome(value), value))
        return found

    def dead_letters(self) -> list[DeadLetter]:
        return [decode_dead_letter(message.value or b"") for message in self.read(["credit.dead-letters"])]

    def rows(self, sql: str, *arguments: object) -> list[Any]:
        async def fetch() -> list[Any]:
            connection = await asyncpg.connect(self.stage.database)
            try:
                return list(await connection.fetch(sql, *arguments))
            finally:
                await connection.close()

        return self.run(fetch())

    def command(self, *arguments: str, code: int = 0) -> str:
        """Output of ``streamer …``, both streams; its exit code is asserted."""
        done = subprocess.run(
            [sys.executable, "-m", "streamer", *arguments],
            env=self.stage.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == code, f"streamer {arguments[0]}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def audit(self) -> Report:
        return self.run(
            audit(
                self.stage.bootstrap,
                sources=self.stage.sources,
                intake_group=self.stage.group("intake"),
                dossier_group=self.stage.group("dossier"),
                changelog=self.stage.changelog,
                timeout_s=AUDIT_TIMEOUT_S,
            )
        )


def json_bytes(content: object) -> bytes:
    return orjson.dumps(content)
