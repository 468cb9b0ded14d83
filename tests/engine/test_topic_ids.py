"""The request for topic ids: its bytes, and what is made of brokers that are slow, elect, or do not know it. No Kafka."""

from __future__ import annotations

from io import BytesIO
from typing import Any, ClassVar

import pytest
from aiokafka.errors import IncompatibleBrokerVersion, KafkaConnectionError, NodeNotReadyError

from streamer.engine import topic_ids
from streamer.engine.topic_ids import MetadataResponse_v10, TopicIdRequest, ask

ID = b"0123456789abcdef"


def test_the_request_has_the_bytes_of_the_protocol() -> None:
    request = TopicIdRequest(["abc"]).prepare({3: (0, 13)})
    assert request.encode() == b"\x02" + bytes(16) + b"\x04abc\x00" + b"\x00\x00\x00" + b"\x00"
    with pytest.raises(NotImplementedError):
        TopicIdRequest(["abc"]).prepare({3: (0, 9)})


def answer(*topics: tuple[int, str, bytes]) -> MetadataResponse_v10:
    """As it comes over the wire."""
    rows = [(error, name, id_, False, [(0, 0, 1, 3, [1], [1], [], {})], -1, {}) for error, name, id_ in topics]
    raw = MetadataResponse_v10(0, [(1, "h", 9, None, {})], "c", 1, rows, -1, {}).encode()
    made: MetadataResponse_v10 = MetadataResponse_v10.decode(BytesIO(raw))
    return made


class Client:
    """In place of aiokafka's: gives ``answers`` in turn, whatever is asked."""

    answers: ClassVar[list[Any]] = []
    open = 0

    def __init__(self, **_: Any) -> None:
        Client.open += 1

    async def bootstrap(self) -> None:
        if isinstance(Client.answers[0], KafkaConnectionError):
            raise Client.answers.pop(0)

    async def close(self) -> None:
        Client.open -= 1

    def get_random_node(self) -> int:
        return 1

    async def send(self, _node: int, _request: Any) -> Any:
        given = Client.answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([answer((0, "a", ID), (0, "b", ID))], {"a": ID, "b": ID}),
        ([KafkaConnectionError(), NodeNotReadyError(), answer((0, "a", ID), (0, "b", ID))], {"a": ID, "b": ID}),
        ([answer((0, "a", ID), (5, "b", ID)), answer((0, "a", ID), (0, "b", ID))], {"a": ID, "b": ID}),
        ([answer((0, "a", ID), (3, "b", ID))] * topic_ids._TRIES, {"a": ID}),  # not there
        ([NotImplementedError()], {}),
        ([IncompatibleBrokerVersion()], {}),
    ],
)
async def test_who_answers_what(monkeypatch: pytest.MonkeyPatch, answers: list[Any], found: dict[str, bytes]) -> None:
    monkeypatch.setattr(topic_ids, "AIOKafkaClient", Client)
    monkeypatch.setattr(topic_ids, "_AGAIN_S", 0)
    monkeypatch.setattr(Client, "answers", list(answers))
    assert await ask("x", ["a", "b"]) == found
    assert (Client.answers, Client.open) == ([], 0)


async def test_a_broker_that_stays_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_ids, "AIOKafkaClient", Client)
    monkeypatch.setattr(topic_ids, "_AGAIN_S", 0)
    monkeypatch.setattr(Client, "answers", [NodeNotReadyError()] * topic_ids._TRIES)
    with pytest.raises(NodeNotReadyError):
        await ask("x", ["a"])
    assert Client.open == 0
