"""The rulebooks of ``credit.rulebook``, by hash: a read-only look-up that waits until the version it is asked for is there.

Not for: publishing them (``streamer topics apply``).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiokafka.errors import KafkaError

from streamer import kafka_io
from streamer.domain.law import Rulebook, decode_rulebook
from streamer.domain.lawbook import Law
from streamer.engine.exits import Exit, Refusal
from streamer.engine.kafka_errors import advice, passes
from streamer.errors import ConfigurationError

TOPIC: Final = "credit.rulebook"
POLL_S: Final = 1.0
FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 5.0

log = logging.getLogger(__name__)


class Rulebooks:
    """Compiled rulebooks; ``law`` never waits, ``ensure`` does."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._laws: dict[str, Law] = {}

    def law(self, rulebook: str) -> Law:
        """Raises KeyError for a version that ``load`` or ``ensure`` has not brought."""
        return self._laws[rulebook]

    async def load(self) -> None:
        """Read every version that is in the topic now; waits as long as Kafka is away. Raises ConfigurationError when Kafka
        refuses, which waiting does not change."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                await self._read()
                return
            except (KafkaError, OSError, TimeoutError) as exc:
                if not passes(exc):
                    raise ConfigurationError(
                        "the rulebooks cannot be read", where=TOPIC, todo=advice(exc, topic=TOPIC)
                    ) from exc
                log.warning("no rulebook from Kafka (%s), asking again in %.1f s", type(exc).__name__, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _read(self) -> None:
        if TOPIC not in await kafka_io.partitions_of(self._bootstrap, [TOPIC]):
            raise ConfigurationError(
                "the topic of the rulebooks is not there, or this worker's user may not see it",
                where=TOPIC,
                todo="streamer topics apply; where access is restricted, grant Describe and Read on this topic",
            )
        async for message in kafka_io.read_all(self._bootstrap, [TOPIC]):
            key = (message.key or b"").decode()
            if message.value is not None and key not in self._laws:
                self._laws[key] = Law(decode_rulebook(message.value), key)

    async def ensure(self, rulebook: str) -> None:
        """Wait until the version is there: a record that activates it may be read before the rulebook itself is. Raises
        Refusal(CONFIG) when Kafka refuses."""
        told = False
        while rulebook not in self._laws:
            try:
                await self.load()
            except ConfigurationError as exc:
                raise Refusal(Exit.CONFIG, str(exc)) from exc
            if rulebook in self._laws:
                return
            if not told:
                log.warning("rulebook %s is activated but not yet in %s: waiting", rulebook, TOPIC)
                told = True
            await asyncio.sleep(POLL_S)


async def read_rulebooks(bootstrap: str) -> dict[str, Rulebook]:
    """Every version in the topic, by hash."""
    return {
        (message.key or b"").decode(): decode_rulebook(message.value)
        async for message in kafka_io.read_all(bootstrap, [TOPIC])
        if message.value is not None
    }
