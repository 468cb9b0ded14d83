"""CloudEvents 1.0 on Kafka, structured and binary mode, both ways; and the canonical hash of an event's content.

Follows the CloudEvents Kafka protocol binding 1.0.2. Not for the shape of ``data`` (``topics.validation``), nor for
who may send what. No exception here carries a value of the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec
import orjson

STRUCTURED: Final = "application/cloudevents+json"
JSON: Final = "application/json"
CONTENT_TYPE: Final = "content-type"
SOURCE_PREFIX: Final = "urn:credit:source:"
CONTENT_HASH_BYTES: Final = 16

Headers = Iterable[tuple[str, bytes | None]]

_CE: Final = "ce_"
_JSON_TYPE: Final = re.compile(r"application/(?:[A-Za-z0-9.-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~+/=#-]{0,127}")  # as safeId in schemas/common.json
_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,127}")
_SOURCE: Final = re.compile(r"[!-~]{1,256}")
_TYPE_MAX: Final = 128  # what is longer fits neither pattern, and is not remembered
_SOURCE_MAX: Final = 256
_TIME: Final = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


class NotJson(ValueError):  # noqa: N818 - says what the message is
    """The message is not JSON in UTF-8."""


class NotCloudEvents(ValueError):  # noqa: N818
    """The message is no CloudEvent 1.0 with JSON data: ``why``, at ``json_pointer`` of the event in structured form."""

    def __init__(self, json_pointer: str, why: str) -> None:
        super().__init__(f"{json_pointer or 'the message'}: {why}")
        self.json_pointer = json_pointer
        self.why = why


class Envelope(msgspec.Struct, frozen=True):
    """An inbound event: the attributes that matter here, and its data. Extensions and ``subject`` are not read."""

    id: str
    source: str
    type: str
    time: str | None
    data: dict[str, Any]


def decode(value: bytes | memoryview | None, headers: Headers = ()) -> Envelope:
    """The event of a Kafka message. Raises NotJson or NotCloudEvents.

    Structured when ``content-type`` says so; binary when it has ``ce_`` headers; otherwise structured when the JSON
    itself has a ``specversion``.
    """
    if not headers:
        return _structured(value)
    found = {name.lower(): text for name, text in headers if text is not None}
    content_type = found.get(CONTENT_TYPE, b"")
    if content_type[:23].lower() == b"application/cloudevents":
        if content_type.partition(b";")[0].strip().lower() != STRUCTURED.encode():
            raise NotCloudEvents("", f"of the structured formats only {STRUCTURED} is read")
        return _structured(value)
    if any(name.startswith(_CE) for name in found):
        return _binary(value, found)
    return _structured(value)


def _structured(value: bytes | memoryview | None) -> Envelope:
    event = _json(value)
    if type(event) is not dict or "specversion" not in event:
        raise NotCloudEvents("/specversion", "missing: send a CloudEvents 1.0 object, or its attributes as ce_ headers")
    get = event.get
    return _envelope(
        get("specversion"), get("id"), get("source"), get("type"), get("time"), get("datacontenttype"), get("data"),
        based="data_base64" in event,
    )  # fmt: skip


def _binary(value: bytes | memoryview | None, headers: Mapping[str, bytes]) -> Envelope:
    def attribute(name: str) -> str | None:
        raw = headers.get(_CE + name)
        if raw is None:
            return None
        return raw.decode("utf-8", "replace")  # a replaced character fails the attribute's own pattern

    content_type = headers.get(CONTENT_TYPE)
    return _envelope(
        attribute("specversion"), attribute("id"), attribute("source"), attribute("type"), attribute("time"),
        None if content_type is None else content_type.decode("utf-8", "replace"), _json(value),
    )  # fmt: skip


def _envelope(
    specversion: object, id_: object, source: object, type_: object, time: object, datacontenttype: object,
    data: object, *, based: bool = False,
) -> Envelope:  # fmt: skip
    if specversion != "1.0":
        raise NotCloudEvents("/specversion", 'must be "1.0"')
    if type(id_) is not str or not _ID.fullmatch(id_):
        raise NotCloudEvents("/id", "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : ~ + / = # - without spaces")
    if type(source) is not str or len(source) > _SOURCE_MAX or not _source_like(source):
        raise NotCloudEvents("/source", f"must be {SOURCE_PREFIX}<source>, ASCII, at most 256 characters")
    if type(type_) is not str or len(type_) > _TYPE_MAX or not _type_like(type_):
        raise NotCloudEvents("/type", "must be the name of a type, such as credit.decision.penalty.v1")
    if time is not None and (type(time) is not str or not _TIME.fullmatch(time)):
        raise NotCloudEvents("/time", "must be a time by RFC 3339, such as 2026-01-05T08:00:00+08:00, or absent")
    if datacontenttype is not None and not (type(datacontenttype) is str and _JSON_TYPE.fullmatch(datacontenttype)):
        raise NotCloudEvents("/datacontenttype", f"must be {JSON} or absent")
    if based:
        raise NotCloudEvents("/data_base64", "binary data is not read: put the JSON object into data")
    if type(data) is not dict:
        raise NotCloudEvents("/data", "must be a JSON object")
    return Envelope(id_, source, type_, time, data)


@lru_cache(maxsize=256)  # sources and types are few, and come again with every event
def _source_like(source: str) -> bool:
    return _SOURCE.fullmatch(source) is not None


@lru_cache(maxsize=256)
def _type_like(type_: str) -> bool:
    return _TYPE.fullmatch(type_) is not None


def _json(value: bytes | memoryview | None) -> Any:
    if value is not None:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            pass  # its error holds the document: raise another one, outside
    raise NotJson("the value is not JSON in UTF-8" if value else "the value is empty")


def encode_structured(event: Envelope) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers in structured mode."""
    whole: dict[str, Any] = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    if event.time is not None:
        whole["time"] = event.time
    whole["datacontenttype"] = JSON
    whole["data"] = event.data
    return orjson.dumps(whole), [(CONTENT_TYPE, STRUCTURED.encode())]


def encode_binary(event: Envelope) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers in binary mode."""
    headers = [
        (CONTENT_TYPE, JSON.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
    ]
    if event.time is not None:
        headers.append(("ce_time", event.time.encode()))
    return orjson.dumps(event.data), headers


def content_hash(type_name: str, data: Mapping[str, Any]) -> bytes:
    """16 bytes over the type and the canonical JSON of the data: sorted names, no spaces, UTF-8.

    The same for both modes and any order of fields; id, source and time are no part of it, so it tells a resend with
    another time (the same content) from an id used twice.
    """
    digest = _hash_of_type(type_name).copy()
    digest.update(orjson.dumps(data, option=orjson.OPT_SORT_KEYS))
    return digest.digest()


@lru_cache(maxsize=256)
def _hash_of_type(type_name: str) -> blake2b:
    return blake2b(type_name.encode() + b"\0", digest_size=CONTENT_HASH_BYTES)
