"""Rulebooks wait for Kafka: a dossier that starts while it is away, or activates a version then, does not end; one that Kafka
refuses does, and says what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import (
    InvalidTopicError,
    KafkaConnectionError,
    RequestTimedOutError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)

from streamer import kafka_io
from streamer.agents import rulebooks
from streamer.domain.law import encode_rulebook
from streamer.engine.exits import Exit, Refusal
from streamer.errors import ConfigurationError
from streamer.kafka_io import Message
from streamer.rulebook import load, rulebook_hash


async def there(_bootstrap: str, topics: list[str]) -> dict[str, int]:
    return dict.fromkeys(topics, 1)


async def test_a_load_waits_as_long_as_kafka_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    book = load("fictional")
    key = rulebook_hash(book)
    faults: list[Exception] = [KafkaConnectionError(), RequestTimedOutError(), OSError(), TimeoutError()]

    async def read_all(_bootstrap: str, topics: list[str]) -> AsyncIterator[Message]:
        if faults:
            raise faults.pop()
        yield Message(topics[0], 0, 0, 0, key.encode(), encode_rulebook(book), ())

    monkeypatch.setattr(kafka_io, "read_all", read_all)
    monkeypatch.setattr(kafka_io, "partitions_of", there)
    monkeypatch.setattr(rulebooks, "FIRST_WAIT_S", 0.0)
    found = rulebooks.Rulebooks("nowhere:1")
    await found.ensure(key)
    assert not faults
    assert found.law(key) is not None


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (TopicAuthorizationFailedError("credit.rulebook"), "Describe and Read .* on the topic credit.rulebook"),
        (TopicAuthorizationFailedError(), "Describe and Read .* on the topic credit.rulebook"),
        (SaslAuthenticationFailed(), "see to its login"),
        (InvalidTopicError("credit.rulebook"), "InvalidTopicError .*asking again does not change"),
    ],
)
async def test_what_kafka_refuses_is_not_asked_for_ever(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, words: str
) -> None:
    async def read_all(_bootstrap: str, _topics: list[str]) -> AsyncIterator[Message]:
        raise fault
        yield

    monkeypatch.setattr(kafka_io, "read_all", read_all)
    monkeypatch.setattr(kafka_io, "partitions_of", there)
    found = rulebooks.Rulebooks("nowhere:1")
    with pytest.raises(ConfigurationError, match=words) as no:
        await found.load()
    assert "credit.rulebook" in str(no.value)
    assert no.value.exit_code == Exit.CONFIG
    with pytest.raises(Refusal, match=words) as refused:
        await found.ensure("some")
    assert refused.value.code is Exit.CONFIG


async def test_a_topic_that_is_not_there_is_not_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka names no topic that its user may not see."""

    async def nothing(_bootstrap: str, _topics: list[str]) -> dict[str, int]:
        return {}

    monkeypatch.setattr(kafka_io, "partitions_of", nothing)
    with pytest.raises(ConfigurationError, match="streamer topics apply"):
        await rulebooks.Rulebooks("nowhere:1").load()
