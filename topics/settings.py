"""Topic settings by family, from ``settings.yaml``, as Kafka's own configuration names. Not for reaching a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

_PATH: Final = Path(__file__).parent / "settings.yaml"
DELETE_RETENTION_MS: Final = 7 * 24 * 3600 * 1000  # a tombstone outlives any reader that is away for less than a week


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the table; its columns are explained at the head of ``settings.yaml``."""

    partitions: Literal["entity", "one"]
    cleanup: Literal["delete", "compact"]
    timestamp: Literal["append", "create"]
    max_message_bytes: int
    retention_ms: int = -1
    compression: Literal["producer", "uncompressed"] = "producer"
    oldest_ms: int | None = None
    compaction_lag_ms: int | None = None
    segment_ms: int = 7 * 24 * 3600 * 1000
    segment_bytes: int = 1 << 30

    def partition_count(self, entity_partitions: int) -> int:
        return entity_partitions if self.partitions == "entity" else 1

    def config(self, replication: int) -> dict[str, str]:
        """Kafka's topic configuration. With three replicas two must have a message before it is acknowledged."""
        config = {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "retention.bytes": "-1",
            "message.timestamp.type": "LogAppendTime" if self.timestamp == "append" else "CreateTime",
            "max.message.bytes": str(self.max_message_bytes),
            "compression.type": self.compression,
            "segment.ms": str(self.segment_ms),
            "segment.bytes": str(self.segment_bytes),
            "min.insync.replicas": str(max(1, replication - 1)),
            "unclean.leader.election.enable": "false",
        }
        if self.oldest_ms is not None:
            config["message.timestamp.before.max.ms"] = str(self.oldest_ms)
        if self.compaction_lag_ms is not None:
            config["min.compaction.lag.ms"] = str(self.compaction_lag_ms)
            config["delete.retention.ms"] = str(DELETE_RETENTION_MS)
        return config


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event_max_bytes: int
    broker_message_max_bytes: int
    families: dict[str, TopicSettings]


_TABLE: Final = msgspec.convert(yaml.safe_load(_PATH.read_text(encoding="utf-8")), _Table)

SETTINGS: Final = _TABLE.families
EVENT_MAX_BYTES: Final = _TABLE.event_max_bytes
BROKER_MESSAGE_MAX_BYTES: Final = _TABLE.broker_message_max_bytes
