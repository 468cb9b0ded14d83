"""Messages as the demo's departments send them: CloudEvents 1.0, structured or binary, as lines of a file.

Not for: saying what should become of them (``streamer.demo.truth``).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from streamer.demo.codes import Entity

STRUCTURED: Final = "structured"
BINARY: Final = "binary"
SENT_AT: Final = "2026-01-05T08:00:00+08:00"
TOPIC_PREFIX: Final = "credit.events."


class Message(NamedTuple):
    """One message of an inbound topic. ``headers`` are names and bytes; ``key`` any bytes."""

    source: str
    key: bytes
    mode: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def topic(self) -> str:
        return TOPIC_PREFIX + self.source


class Body(NamedTuple):
    """One authority's body as the invented rulebook has it, and the source system that reports for it."""

    code: str
    name: str
    source: str
    domain: str
    mark: str  # in document numbers


TAX: Final = Body("11449900TTTT00022E", "国家税务总局测试省税务局", "tax", "tax", "测税")
CUSTOMS: Final = Body("11449900TTTT00065U", "中华人民共和国测试海关", "customs", "customs", "测关")
COURT: Final = Body("11449900TTTT00014K", "测试省高级人民法院", "court", "court", "测法")
MARKET: Final = Body("11449900TTTT000496", "测试省市场监督管理局", "market", "market", "测市监")
FINANCE: Final = Body("11449900TTTT000309", "测试省财政厅", "finance", "procurement", "测财采")
QUALITY: Final = Body("11449900TTTT000496", "测试省市场监督管理局", "quality", "quality", "测质监")
HOUSING: Final = Body("11449900TTTT001022", "测试省住房和城乡建设厅", "housing", "contract", "测建")
DRUG: Final = Body("11449900TTTT00073N", "测试省药品监督管理局", "drug", "food-drug", "测药监")
BODIES: Final = (TAX, CUSTOMS, COURT, MARKET, FINANCE, QUALITY, HOUSING, DRUG)


def authority(body: Body) -> dict[str, str]:
    return {"code": body.code, "name": body.name}


def party(entity: Entity, kind: str = "organisation") -> dict[str, Any]:
    return {"kind": kind, "identifiers": {"uscc": entity.uscc}, "name": entity.name}


def event(source: str, type_: str, event_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": f"urn:credit:source:{source}",
        "type": f"credit.{type_}.v1",
        "time": SENT_AT,
        "datacontenttype": "application/json",
        "data": data,
    }


def encode(source: str, key: str, content: Mapping[str, Any], mode: str) -> Message:
    """``content``: an event as ``event`` gives it."""
    if mode == STRUCTURED:
        headers = (("content-type", b"application/cloudevents+json"),)
        return Message(source, key.encode(), mode, orjson.dumps(content), headers)
    attributes = {"content-type": content["datacontenttype"]}
    attributes |= {f"ce_{name}": content[name] for name in ("specversion", "id", "source", "type", "time")}
    headers_binary = tuple((name, text.encode()) for name, text in attributes.items())
    return Message(source, key.encode(), mode, orjson.dumps(content["data"]), headers_binary)


def line(message: Message) -> bytes:
    """One line of an events file: ``value`` as text where it is UTF-8, else ``base64``."""
    row: dict[str, Any] = {
        "topic": message.topic,
        "source": message.source,
        "key": message.key.decode(),
        "mode": message.mode,
        "headers": {name: text.decode() for name, text in message.headers},
    }
    try:
        row["value"] = message.value.decode("utf-8")
    except UnicodeDecodeError:
        row["base64"] = base64.b64encode(message.value).decode()
    return orjson.dumps(row) + b"\n"


def read(path: Path) -> Iterator[Message]:
    """The messages of an events file, in order."""
    with path.open("rb") as file:
        for text in file:
            row = orjson.loads(text)
            value = base64.b64decode(row["base64"]) if "base64" in row else row["value"].encode()
            headers = tuple((name, content.encode()) for name, content in row["headers"].items())
            yield Message(row["source"], row["key"].encode(), row["mode"], value, headers)
