"""Rulebooks wait for Kafka: a dossier that starts while it is away, or activates a version then, does not end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError

from streamer import kafka_io
from streamer.agents import rulebooks
from streamer.domain.law import encode_rulebook
from streamer.kafka_io import Message
from streamer.rulebook import load, rulebook_hash


async def test_a_load_waits_as_long_as_kafka_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    book = load("fictional")
    key = rulebook_hash(book)
    faults: list[Exception] = [KafkaConnectionError(), RequestTimedOutError(), OSError(), TimeoutError()]

    async def read_all(_bootstrap: str, topics: list[str]) -> AsyncIterator[Message]:
        if faults:
            raise faults.pop()
        yield Message(topics[0], 0, 0, 0, key.encode(), encode_rulebook(book), ())

    monkeypatch.setattr(kafka_io, "read_all", read_all)
    monkeypatch.setattr(rulebooks, "FIRST_WAIT_S", 0.0)
    found = rulebooks.Rulebooks("nowhere:1")
    await found.ensure(key)
    assert not faults
    assert found.law(key) is not None
