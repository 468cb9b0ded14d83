"""Our kernel job without some of its guarantees, to see what each costs. Not for: anything that must not be lost.

``python -m bench.kernel.bare`` with W_WITHOUT=idempotence,crc,origin and W_WITH=wal (the local store's write-ahead log, which
the engine does not need). The switches live here alone: the product has none.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from streamer.engine import CommitSteps, EngineApp, run
from streamer.engine.commit import RowMessages
from streamer.engine.unit import Message, raw_message


def without_idempotence() -> None:
    """A producer whose resends may be appended twice."""
    from streamer.engine.transport import IdempotentProducer

    settings = IdempotentProducer._settings_extra

    def extra(self: IdempotentProducer) -> Mapping[str, Any]:
        return {**settings(self), "enable_idempotence": False}

    IdempotentProducer._settings_extra = extra  # type: ignore[method-assign]


def without_crc() -> None:
    """Record batches taken as they come."""
    from aiokafka import AIOKafkaConsumer

    init = AIOKafkaConsumer.__init__

    def made(self: AIOKafkaConsumer, *topics: str, **options: Any) -> None:
        init(self, *topics, **{**options, "check_crcs": False})

    AIOKafkaConsumer.__init__ = made


class BareRows(RowMessages):
    """The engine's changelog records, each made when the batch takes it, with nothing before the value."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Message]:
        at = self._at
        for key, payload in self._rows:
            yield raw_message(Message, (at, key, payload or b"", ()))


class NoOrigin(CommitSteps):
    """The engine's step (``CommitSteps.append_rows`` and ``append``), wherever the batch lands."""

    async def append_rows(self, owned: Any, unit: Any, rows: Collection[tuple[bytes, bytes | None]]) -> None:
        rt = self.runtime
        assert rt.appender is not None
        assert self.changelog_topic is not None
        messages = BareRows(unit.timestamp_ms, owned.row.applied + 1, owned.position, rows)
        appended = rt.appender.batch(
            self.changelog_topic, owned.number, messages, rt.settings.unit_max_bytes, "in_changelog"
        )
        await asyncio.wait_for(appended, rt.settings.commit_step_timeout_s)
        rt.answered()
        owned.position += len(messages)


def without_origin() -> None:
    EngineApp.commit_steps = NoOrigin


def with_wal() -> None:
    """RocksDB writes its log too."""
    from streamer.engine.store import Store

    init = Store.__init__

    def opened(self: Store, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        self._writing.disable_wal = False  # type: ignore[method-assign,assignment]  # a property, whatever its stub says

    Store.__init__ = opened  # type: ignore[method-assign]


SWITCHES = {"idempotence": without_idempotence, "crc": without_crc, "origin": without_origin}

if __name__ == "__main__":
    for switch in filter(None, os.environ.get("W_WITHOUT", "").split(",")):
        SWITCHES[switch]()
    if os.environ.get("W_WITH") == "wal":
        with_wal()
    from bench.kernel import ours

    run(ours.make())
