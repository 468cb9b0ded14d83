"""A topic's id, by which one that was deleted and made anew is told from the old one. Not for: ids that are kept where offsets
are (``starts``).

aiokafka asks for metadata up to version 5; ids came with version 10 (Kafka 2.8). Its structs and header are declared here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from streamer.engine.exits import Exit, Refusal

log = logging.getLogger(__name__)

_ID: Final = struct.Struct("16s")
#: Asked again while the cluster elects or a topic is not there yet; then it counts as unknown.
_TRIES: Final = 5
_AGAIN_S: Final = 0.5


class _Uuid(AbstractType[bytes]):
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return _ID.pack(value)

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        found: bytes = _ID.unpack(data.read(_ID.size))[0]
        return found


class MetadataResponse_v10(Response):  # noqa: N801 - aiokafka's way of naming
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class MetadataRequest_v10(RequestStruct):  # noqa: N801 - aiokafka's way of naming
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = MetadataResponse_v10
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicIdRequest(Request[MetadataRequest_v10]):
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[MetadataRequest_v10]) -> MetadataRequest_v10:
        return request_struct_class([(bytes(16), t, {}) for t in self._topics], False, False, False, {})


class Found(NamedTuple):
    """An answer: the cluster's id (empty: not told), and topic → id of those that it tells."""

    cluster: str
    ids: dict[str, bytes]


async def topic_ids(client: AIOKafkaClient, topics: Iterable[str]) -> Found | None:
    """Ids of those topics that the broker knows; None from a broker that does not answer this request.
    Raises KafkaError when no broker is reached."""
    wanted = sorted(topics)
    try:
        answer: Any = await client.send(client.get_random_node(), TopicIdRequest(wanted))
    except (IncompatibleBrokerVersion, NotImplementedError):
        log.warning("the broker does not tell topic ids: a topic made anew is noticed only by its offsets")
        return None
    return Found(answer.cluster_id or "", {name: topic_id for error, name, topic_id, *_ in answer.topics if error == 0})


async def ask(bootstrap_servers: str, topics: Iterable[str]) -> Found:
    """As ``topic_ids``, over a connection of its own. Raises KafkaError when no broker answers in some tries."""
    wanted, tries = set(topics), 0
    while True:
        tries += 1
        try:
            found = await _ask_once(bootstrap_servers, wanted)
        except (KafkaError, OSError, TimeoutError):
            if tries == _TRIES:
                raise
        else:
            if found is None:
                return Found("", {})
            if tries == _TRIES or found.ids.keys() >= wanted:
                return found
        await asyncio.sleep(_AGAIN_S)


async def _ask_once(bootstrap_servers: str, topics: set[str]) -> Found | None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap_servers)
    try:
        await client.bootstrap()
        return await topic_ids(client, topics)
    finally:
        await client.close()


class KnownIds:
    """Topic → id as first seen by this process, or by one before it with the same folder, application and cluster. An answer
    that lacks a topic leaves the id that is known.

    Kafka forgets a group's offsets with the topic, and with them the id that was kept beside them. So a role without a table
    would take an inbound topic made anew for one that nobody had read, and events of the old one that nobody read for nothing.
    """

    def __init__(self, path: Path, app_id: str, sources: Iterable[str]) -> None:
        self._path = path
        self._app_id = app_id
        #: Topics that must stay the same; others (a changelog) may be made anew, and what follows is decided elsewhere.
        self._sources = sources
        self.ids: dict[str, bytes] = {}
        self._loaded = False

    def take(self, found: Found) -> None:
        """Keeps what is told. Raises Refusal(CONFIG) when a source was made anew."""
        if not found.ids:
            return
        if not self._loaded:
            self.ids = self._load(found.cluster) | self.ids
            self._loaded = True
        for topic in found.ids.keys() & set(self._sources):
            known = self.ids.get(topic)
            if known is not None and known != found.ids[topic]:
                raise Refusal(
                    Exit.CONFIG,
                    f"{topic} has the id {found.ids[topic].hex()}, but this worker counted its offsets in {known.hex()}: the "
                    "topic was deleted and made anew. Start with a new application id and an empty state, or bring back the "
                    "brokers' data",
                )
        merged = self.ids | found.ids
        if merged != self.ids:
            self.ids = merged
            self._save(found.cluster)

    def _load(self, cluster: str) -> dict[str, bytes]:
        try:
            kept = json.loads(self._path.read_bytes())
            if (kept["cluster"], kept["app"]) != (cluster, self._app_id):
                return {}
            return {topic: bytes.fromhex(text) for topic, text in kept["ids"].items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("%s cannot be read: ids of topics are learned anew", self._path)
            return {}

    def _save(self, cluster: str) -> None:
        ids = {topic: id_.hex() for topic, id_ in sorted(self.ids.items()) if topic in set(self._sources)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"cluster": cluster, "app": self._app_id, "ids": ids}))
        new.replace(self._path)
