"""Before anything is started: Kafka answers, every topic is there and is made as the guarantee needs. Not for: creating them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from streamer.engine.exits import Exit, Refusal
from streamer.engine.kafka_errors import advice, passes
from streamer.engine.runtime import Runtime

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 5.0

#: Topic → its settings, as far as the broker tells.
TopicSettings = Mapping[str, Mapping[str, str]]


async def wait_for_kafka(runtime: Runtime, ask: Callable[[], Awaitable[T]]) -> T:
    """What ``ask`` returns, once Kafka answers; waits as long as it takes, and says so. Raises Refusal(CONFIG) for an answer that
    asking again does not change."""
    wait_s = _FIRST_WAIT_S
    with runtime.waiting_on("kafka"):
        while True:
            try:
                return await ask()
            except (KafkaError, OSError, TimeoutError) as exc:
                if not passes(exc):
                    raise Refusal(Exit.CONFIG, f"{runtime.settings.bootstrap_servers}: {advice(exc)}") from exc
                log.warning(
                    "no answer from Kafka at %s (%s), asking again in %.1f s; is it running, is the address right?",
                    runtime.settings.bootstrap_servers,
                    type(exc).__name__,
                    wait_s,
                )
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def check_topics(found: Mapping[str, int], required: Mapping[str, int | None]) -> None:
    """``required``: topic → partitions, None for any number. Raises Refusal(CONFIG) naming what to do."""
    missing = sorted(t for t in required if t not in found)
    if missing:
        raise Refusal(Exit.CONFIG, f"topics missing: {', '.join(missing)}. Create them: streamer topics apply")
    wrong = [f"{t} has {found[t]} partitions, not {n}" for t, n in sorted(required.items()) if n and found[t] != n]
    if wrong:
        raise Refusal(Exit.CONFIG, f"{'; '.join(wrong)}. Topics that belong together need equal partitions")


async def topic_settings(bootstrap_servers: str, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    """The settings of topics; one that this user may not ask for is left out."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, t) for t in sorted(topics)])
    finally:
        await admin.close()
    return {
        name: {setting[0]: setting[1] for setting in settings}
        for answer in answers
        for error, _, _, name, settings in answer.resources
        if error == 0
    }


def compacted(settings: TopicSettings) -> set[str]:
    """Topics whose offsets have gaps: a compacted one's."""
    return {topic for topic, values in settings.items() if "compact" in values.get("cleanup.policy", "")}


def check_changelog(topic: str, settings: TopicSettings, unit_max_bytes: int) -> None:
    """Raises Refusal(CONFIG) when a changelog would lose rows or refuse a unit."""
    values = settings.get(topic)
    if values is None:
        return
    wrong = []
    if values.get("cleanup.policy", "compact") != "compact":
        wrong.append("cleanup.policy must be compact: anything else deletes state")
    if values.get("message.timestamp.type", "LogAppendTime") != "LogAppendTime":
        wrong.append("message.timestamp.type must be LogAppendTime: min.compaction.lag.ms goes by it")
    if int(values.get("max.message.bytes", unit_max_bytes)) < unit_max_bytes:
        wrong.append(f"max.message.bytes must be at least unit_max_bytes ({unit_max_bytes})")
    if wrong:
        raise Refusal(Exit.CONFIG, f"changelog {topic}: {'; '.join(wrong)}. Set it: streamer topics apply")


def delete_retention_ms(topic: str, settings: TopicSettings, default: int) -> int:
    """How long a tombstone of ``topic`` can be read at the least."""
    return int(settings.get(topic, {}).get("delete.retention.ms", default))


async def topics_found(bootstrap_servers: str) -> dict[str, int]:
    """Topic → partitions, of all that there are."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        cluster: Any = await admin._client.fetch_all_metadata()
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics(False)}
    finally:
        await admin.close()
