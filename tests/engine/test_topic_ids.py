"""The request for topic ids: its bytes, and what is made of brokers that are slow, elect, or do not know it. No Kafka."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiokafka.errors import IncompatibleBrokerVersion, KafkaConnectionError, NodeNotReadyError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from streamer.engine import topic_ids
from streamer.engine.exits import Exit, Refusal
from streamer.engine.thread import SliceThread
from streamer.engine.topic_ids import Found, KnownIds, MetadataResponse_v10, TopicIdRequest, ask

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
        ([answer((5, "a", ID), (5, "b", ID)), answer((0, "a", ID), (0, "b", ID))], {"a": ID, "b": ID}),  # none at first
        ([NotImplementedError()], {}),
        ([IncompatibleBrokerVersion()], {}),
    ],
)
async def test_who_answers_what(monkeypatch: pytest.MonkeyPatch, answers: list[Any], found: dict[str, bytes]) -> None:
    monkeypatch.setattr(topic_ids, "AIOKafkaClient", Client)
    monkeypatch.setattr(topic_ids, "_AGAIN_S", 0)
    monkeypatch.setattr(Client, "answers", list(answers))
    assert (await ask("x", ["a", "b"])).ids == found
    assert (Client.answers, Client.open) == ([], 0)


async def test_a_broker_that_stays_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_ids, "AIOKafkaClient", Client)
    monkeypatch.setattr(topic_ids, "_AGAIN_S", 0)
    monkeypatch.setattr(Client, "answers", [NodeNotReadyError()] * topic_ids._TRIES)
    with pytest.raises(NodeNotReadyError):
        await ask("x", ["a"])
    assert Client.open == 0


OTHER = b"fedcba9876543210"


def known(folder: Path, app_id: str = "app") -> KnownIds:
    return KnownIds(folder / "deep" / "ids.json", app_id, {"a", "b"})


def test_an_id_that_is_not_told_stays_known(tmp_path: Path) -> None:
    ids = known(tmp_path)
    ids.take(Found("c", {"a": ID, "b": ID, "log": ID}))
    ids.take(Found("c", {"b": ID}))
    ids.take(Found("", {}))
    assert ids.ids == {"a": ID, "b": ID, "log": ID}
    ids.take(Found("c", {"log": OTHER}))
    assert ids.ids["log"] == OTHER, "what a changelog made anew means is decided elsewhere"


def test_a_source_made_anew_is_refused_by_this_process_and_by_the_next(tmp_path: Path) -> None:
    known(tmp_path).take(Found("c", {"a": ID, "log": ID}))
    again = known(tmp_path)
    again.take(Found("c", {"b": ID, "log": OTHER}))
    with pytest.raises(
        Refusal, match=r"^a has the id .* deleted and made anew\. Start with a new application id"
    ) as no:
        again.take(Found("c", {"a": OTHER, "b": ID}))
    assert no.value.code is Exit.CONFIG
    assert again.ids["a"] == ID
    known(tmp_path, "other").take(Found("c", {"a": OTHER}))
    known(tmp_path, "other").take(Found("a new cluster", {"a": ID}))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"cluster": "c", "app": "app", "ids": {"a": "x"}}', '{"cluster": "c"}']
)
def test_a_file_that_cannot_be_read_is_written_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "ids.json").write_text(text)
    known(tmp_path).take(Found("c", {"a": ID}))
    with pytest.raises(Refusal):
        known(tmp_path).take(Found("c", {"a": OTHER}))


async def test_an_offset_is_committed_with_the_id_that_stood_beside_it_when_none_is_told() -> None:
    tp, fresh = TopicPartition("a", 0), TopicPartition("b", 0)
    committed: dict[TopicPartition, Any] = {}

    async def offsets(tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def fetch_committed_offsets(_tps: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        return {tp: OffsetAndMetadata(3, ID.hex())}

    async def commit(marks: dict[TopicPartition, OffsetAndMetadata]) -> None:
        committed.update(marks)

    coordinator = SimpleNamespace(fetch_committed_offsets=fetch_committed_offsets)
    consumer = SimpleNamespace(beginning_offsets=offsets, end_offsets=offsets, commit=commit, _coordinator=coordinator)
    ids: dict[str, bytes] = {}
    thread = SliceThread.__new__(SliceThread)
    thread.consumer = SimpleNamespace(app=SimpleNamespace(topic_ids=ids))  # type: ignore[assignment]
    thread._ensure_consumer = lambda: consumer  # type: ignore[assignment,method-assign,return-value]
    await thread.starts([TP("a", 0), TP("b", 0)])
    assert await thread._commit({TP("a", 0): 5, TP("b", 0): 1})
    assert committed == {tp: OffsetAndMetadata(5, ID.hex()), fresh: OffsetAndMetadata(1, "")}
    ids["b"] = OTHER
    assert await thread._commit({TP("b", 0): 2})
    assert committed[fresh] == OffsetAndMetadata(2, OTHER.hex())
