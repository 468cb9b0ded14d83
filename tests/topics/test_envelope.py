"""CloudEvents both ways, against the official SDK, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from topics.envelope import (
    Envelope,
    NotCloudEvents,
    NotJson,
    content_hash,
    decode,
    encode_binary,
    encode_structured,
)

DATA: dict[str, Any] = {
    "document_number": "测税稽罚〔2026〕1号",
    "n": 5,
    "parties": [{"name": "测试省第一建设有限公司"}],
}
EVENT = Envelope(
    "2026-000123", "urn:credit:source:tax", "credit.decision.penalty.v1", "2026-03-02T09:30:00+08:00", DATA
)
WITHOUT_TIME = Envelope(EVENT.id, EVENT.source, EVENT.type, None, DATA)
WHOLE: dict[str, Any] = {
    "specversion": "1.0", "id": EVENT.id, "source": EVENT.source, "type": EVENT.type, "time": EVENT.time, "data": DATA,
}  # fmt: skip


def sdk_event(event: Envelope) -> CloudEvent:
    attributes: dict[str, Any] = {
        "id": event.id, "source": event.source, "type": event.type, "specversion": "1.0",
        "datacontenttype": "application/json",
    }  # fmt: skip
    if event.time:
        attributes["time"] = datetime.fromisoformat(event.time)
    return CloudEvent(attributes=attributes, data=event.data)


@pytest.mark.parametrize("event", [EVENT, WITHOUT_TIME])
@pytest.mark.parametrize("write", [kafka.to_structured, kafka.to_binary])
def test_what_the_official_sdk_writes_is_read(event: Envelope, write: Any) -> None:
    message = write(sdk_event(event), JSONFormat())
    assert decode(message.value, list(message.headers.items())) == (
        event if event.time else Envelope(event.id, event.source, event.type, decode_time(message), event.data)
    )


def decode_time(message: kafka.KafkaMessage) -> str | None:
    """The SDK gives an event without a time the current one."""
    raw = message.headers.get("ce_time")
    return raw.decode() if raw else orjson.loads(message.value).get("time")


@pytest.mark.parametrize("event", [EVENT, WITHOUT_TIME])
@pytest.mark.parametrize("encode", [encode_structured, encode_binary])
def test_what_is_written_the_official_sdk_reads(event: Envelope, encode: Any) -> None:
    value, headers = encode(event)
    read = kafka.from_kafka(kafka.KafkaMessage(headers=dict(headers), key=None, value=value), JSONFormat())
    assert (read.get_id(), read.get_source(), read.get_type(), read.get_data()) == (
        event.id, event.source, event.type, event.data,
    )  # fmt: skip
    assert read.get_specversion() == "1.0"
    assert read.get_datacontenttype() == "application/json"
    if event.time:
        assert read.get_time() == datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=8)))


def test_a_time_in_utc_is_read_as_the_sdk_writes_it() -> None:
    event = CloudEvent(
        attributes={"id": "1", "source": "s", "type": "t", "time": datetime(2026, 3, 2, tzinfo=UTC)}, data={}
    )
    for write in (kafka.to_structured, kafka.to_binary):
        message = write(event, JSONFormat())
        assert decode(message.value, list(message.headers.items())).time == "2026-03-02T00:00:00Z"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner)
    ),
    max_leaves=20,
)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:~+/=#-]{0,127}", fullmatch=True)
data_objects = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), json_values, max_size=6)


@given(id_=ids, data=data_objects)
def test_both_modes_bring_back_the_same_event(id_: str, data: dict[str, Any]) -> None:
    event = Envelope(id_, EVENT.source, EVENT.type, EVENT.time, data)
    assert decode(*encode_structured(event)) == decode(*encode_binary(event)) == event


@given(data=data_objects)
def test_the_content_hash_does_not_depend_on_mode_or_order(data: dict[str, Any]) -> None:
    event = Envelope("1", EVENT.source, EVENT.type, None, data)
    other_order = dict(reversed(data.items()))
    wanted = content_hash(event.type, data)
    assert len(wanted) == 16
    assert content_hash(event.type, other_order) == wanted
    assert content_hash(event.type, decode(*encode_binary(event)).data) == wanted
    assert content_hash("credit.withdrawal.v1", data) != wanted


def test_the_content_hash_sees_every_difference() -> None:
    seen = {
        content_hash("t", d) for d in ({}, {"a": 1}, {"a": "1"}, {"a": None}, {"b": 1}, {"a": [1]}, {"a": 1, "b": 1})
    }
    assert len(seen) == 7


def test_structured_needs_no_header_and_a_header_of_any_case_is_read() -> None:
    assert decode(orjson.dumps(WHOLE)) == EVENT
    assert decode(orjson.dumps(WHOLE), [("Content-Type", b"application/CloudEvents+json; charset=UTF-8")]) == EVENT
    value, headers = encode_binary(EVENT)
    assert decode(value, [(name.upper(), text) for name, text in headers]) == EVENT
    assert decode(memoryview(value), headers) == EVENT
    assert decode(value, [*headers, ("trace", None)]) == EVENT


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"\xff\xfe", b"NaN", b'"\\ud800"', b"[" * 100_000, b'{"a":1}{"a":1}', b"a,b\n1,2"]
)
def test_what_is_not_json_is_told(value: bytes | None) -> None:
    with pytest.raises(NotJson) as caught:
        decode(value)
    assert caught.value.__context__ is None  # the decoder's own error holds the document


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"specversion": None}, "/specversion"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"specversion": 1.0}, "/specversion"),
        ({"id": None}, "/id"),
        ({"id": ""}, "/id"),
        ({"id": 5}, "/id"),
        ({"id": "a" * 129}, "/id"),
        ({"id": "测1"}, "/id"),
        ({"id": "a b"}, "/id"),
        ({"id": "a\n"}, "/id"),
        ({"source": None}, "/source"),
        ({"source": ""}, "/source"),
        ({"source": "税务"}, "/source"),
        ({"type": None}, "/type"),
        ({"type": ["t"]}, "/type"),
        ({"type": "t t"}, "/type"),
        ({"time": "2026-03-02"}, "/time"),
        ({"time": "2026-13-02T00:00:00Z"}, "/time"),
        ({"time": 5}, "/time"),
        ({"datacontenttype": "text/xml"}, "/datacontenttype"),
        ({"data": None}, "/data"),
        ({"data": "{}"}, "/data"),
        ({"data": [1]}, "/data"),
        ({"data_base64": "e30="}, "/data_base64"),
    ],
)
def test_what_is_no_cloudevent_is_told_where(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(NotCloudEvents) as caught:
        decode(orjson.dumps(WHOLE | changes))
    assert caught.value.json_pointer == pointer
    assert caught.value.why


@pytest.mark.parametrize("value", [b"[]", b"5", b"null", b'"a"', b"{}", b'{"id":"1"}'])
def test_json_that_is_no_event_is_told(value: bytes) -> None:
    with pytest.raises(NotCloudEvents):
        decode(value)


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        ([("ce_id", b"1")], "/specversion"),
        ([("ce_specversion", b"1.0"), ("ce_id", b"\xff\xfe")], "/id"),
        ([("content-type", b"application/cloudevents-batch+json")], ""),
        ([("content-type", b"application/cloudevents+avro")], ""),
        ([("content-type", b"text/csv"), *encode_binary(EVENT)[1][1:]], "/datacontenttype"),
    ],
)
def test_headers_that_make_no_event_are_told(headers: list[tuple[str, bytes]], pointer: str) -> None:
    with pytest.raises(NotCloudEvents) as caught:
        decode(orjson.dumps(DATA), headers)
    assert caught.value.json_pointer == pointer


def test_a_refusal_never_repeats_the_value() -> None:
    number = "11010519491231002X 测试人"
    for name in ("id", "source", "type", "time", "datacontenttype"):
        with pytest.raises(NotCloudEvents) as caught:
            decode(orjson.dumps(WHOLE | {name: number}))
        assert number not in str(caught.value) + repr(caught.value.__dict__)
