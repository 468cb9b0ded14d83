"""Before anything is started: Kafka answers, and every topic is there with the partitions it needs. Not for: creating them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from streamer.engine.exits import Exit, Refusal
from streamer.engine.runtime import Runtime

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 5.0


async def wait_for_kafka(runtime: Runtime) -> dict[str, int]:
    """Topic → partitions, once Kafka answers. Raises Refusal(CONFIG) when it does not within ``kafka_wait_max_s``."""
    settings = runtime.settings
    began, wait_s = runtime.clock(), _FIRST_WAIT_S
    with runtime.waiting_on("kafka"):
        while True:
            try:
                return await _topics(settings.bootstrap_servers)
            except (KafkaError, OSError, TimeoutError) as exc:
                if runtime.clock() - began > settings.kafka_wait_max_s:
                    raise Refusal(
                        Exit.CONFIG,
                        f"no answer from Kafka at {settings.bootstrap_servers} for {settings.kafka_wait_max_s:.0f} s "
                        f"({type(exc).__name__}): check KAFKA_BOOTSTRAP_SERVERS, or start it (streamer local up)",
                    ) from exc
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


async def _topics(bootstrap_servers: str) -> dict[str, int]:
    client = AIOKafkaClient(bootstrap_servers=bootstrap_servers)
    try:
        await client.bootstrap()
        cluster: Any = await client.fetch_all_metadata()
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics(False)}
    finally:
        await client.close()
