"""Our kernel job without some of its guarantees, to see what each costs. Not for: anything that must not be lost.

``python -m bench.kernel.bare`` with W_WITHOUT=idempotence,crc,origin and W_WITH=wal (the local store's write-ahead log, which
the engine does not need). The switches live here alone: the product has none.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from streamer.engine import CommitSteps, EngineApp, run
from streamer.engine.unit import Message


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


class NoOrigin(CommitSteps):
    """Changelog values as they are, appended wherever they land."""

    async def append_rows(self, owned: Any, unit: Any, rows: Collection[tuple[bytes, bytes | None]]) -> None:
        messages = [Message(unit.timestamp_ms, key, payload or b"", ()) for key, payload in rows]
        appender = self.runtime.appender
        assert appender is not None
        assert self.changelog_topic is not None
        await appender.batch(self.changelog_topic, owned.number, messages, self.runtime.settings.unit_max_bytes)
        owned.position += len(messages)


def without_origin() -> None:
    EngineApp.commit_steps = NoOrigin


def with_wal() -> None:
    """RocksDB writes its log too."""
    from streamer.engine.store import Store

    init = Store.__init__

    def opened(self: Store, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        self._writing.disable_wal = False  # type: ignore[method-assign,assignment]

    Store.__init__ = opened  # type: ignore[method-assign]


SWITCHES = {"idempotence": without_idempotence, "crc": without_crc, "origin": without_origin}

if __name__ == "__main__":
    for switch in filter(None, os.environ.get("W_WITHOUT", "").split(",")):
        SWITCHES[switch]()
    if os.environ.get("W_WITH") == "wal":
        with_wal()
    from bench.kernel import ours

    run(ours.make())
