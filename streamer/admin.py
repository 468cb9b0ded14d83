"""Kafka's topics as the contract has them: what is missing or differs, creating it, and each partition's first record.

Never deletes, never changes a number of partitions or replicas. Not for reading or writing events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Final, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from streamer.domain.law import Rulebook, encode_rulebook
from streamer.domain.records import Activation, encode_record
from streamer.errors import StreamerError
from streamer.rulebook import rulebook_hash
from topics import catalog
from topics.settings import SETTINGS

METADATA_WAIT_S: Final = 30.0  # until every new partition has a leader, and the broker that is asked knows its topic
METADATA_POLL_S: Final = 0.1
REQUEST_TIMEOUT_MS: Final = 30_000
_SET_ON_TOPIC: Final = 1  # config source DYNAMIC_TOPIC_CONFIG of Kafka's DescribeConfigs

Ticks = Literal["append", "simulated"]


class AdminError(StreamerError):
    """Kafka could not be asked, or refused."""


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One difference. ``refused``: why ``apply`` does not do it, and who can."""

    topic: str
    action: Literal["create", "alter", "partitions", "replication"]
    have: dict[str, str] = {}
    want: dict[str, str] = {}
    refused: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What ``apply`` would do. ``topics`` counts all that should exist."""

    topics: int
    changes: tuple[Change, ...]

    @property
    def refused(self) -> tuple[Change, ...]:
        return tuple(c for c in self.changes if c.refused)


class Ensured(msgspec.Struct, frozen=True):
    """What ``ensure`` did. ``activated``: records partitions that got their first record now."""

    created: tuple[str, ...]
    altered: tuple[str, ...]
    rulebook: str
    rulebook_published: bool
    activated: tuple[int, ...]


@contextmanager
def _explained(bootstrap: str) -> Iterator[None]:
    """Kafka's own errors as one that says what to do."""
    try:
        yield
    except (KafkaError, TimeoutError, OSError) as error:
        raise AdminError(
            f"Kafka did not do what was asked: {type(error).__name__}",
            where=bootstrap,
            todo="check the brokers and KAFKA_BOOTSTRAP_SERVERS; local ones: `streamer local status`",
        ) from error


@asynccontextmanager
async def connect(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client. Raises AdminError when Kafka does not answer, or refuses what is asked inside."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    with _explained(bootstrap):
        try:
            await client.start()
            yield client
        finally:
            await client.close()


async def plan(bootstrap: str, wanted: Sequence[catalog.Topic], *, partitions: int, replication: int) -> Plan:
    """Compare the cluster with the contract. Changes nothing."""
    async with connect(bootstrap) as client:
        return await _plan(client, wanted, partitions, replication)


async def apply(bootstrap: str, wanted: Sequence[catalog.Topic], *, partitions: int, replication: int) -> Plan:
    """Create what is missing, set what differs; return what was done. Safe to repeat and to run twice at once.

    Raises AdminError before it changes anything when a topic has another number of partitions or replicas.
    """
    async with connect(bootstrap) as client:
        found = await _plan(client, wanted, partitions, replication)
        if found.refused:
            first, more = found.refused[0], len(found.refused) - 1
            raise AdminError(
                f"{first.topic} {first.refused}" + (f" ({more} more like it)" if more else ""),
                where=bootstrap,
                todo="keep the number, or build a new cluster and publish into it again",
            )
        by_name = {t.name: t.family for t in wanted}
        await _create(client, [c for c in found.changes if c.action == "create"], by_name, partitions, replication)
        await _alter(client, [c for c in found.changes if c.action == "alter"])
        await _wait_for_leaders(client, by_name, partitions)
        return found


async def ensure(
    bootstrap: str,
    *,
    sources: Iterable[str],
    domains: Iterable[str],
    partitions: int,
    replication: int,
    rulebook: Rulebook,
    clock: str,
    ticks: Ticks = "append",
    app_id: str = catalog.DOSSIER_APP_ID,
) -> Ensured:
    """Every topic, the rulebook in ``credit.rulebook``, and an activation as the first record of each empty partition.

    ``clock``: the Beijing date that the partitions start with; ``app_id``: the dossier's, which names its changelog.
    """
    wanted = catalog.topics(sources, domains, app_id)
    done = await apply(bootstrap, wanted, partitions=partitions, replication=replication)
    identifier = rulebook_hash(rulebook)
    published = await publish_rulebook(bootstrap, identifier, encode_rulebook(rulebook))
    activated = await activate_empty(bootstrap, Activation(rulebook=identifier, clock=clock, ticks=ticks))
    return Ensured(
        created=tuple(c.topic for c in done.changes if c.action == "create"),
        altered=tuple(c.topic for c in done.changes if c.action == "alter"),
        rulebook=identifier,
        rulebook_published=published,
        activated=activated,
    )


async def publish_rulebook(bootstrap: str, identifier: str, body: bytes) -> bool:
    """Put a version of the rulebook under its hash, unless it is there. True when it was written."""
    limit = SETTINGS[catalog.RULEBOOK].max_message_bytes
    if len(body) > limit:
        raise AdminError(
            f"the rulebook has {len(body)} bytes, {catalog.RULEBOOK} takes {limit}", todo="make it smaller"
        )
    if identifier.encode() in await _rulebook_keys(bootstrap):
        return False
    async with _producer(bootstrap, limit) as producer:
        await producer.send_and_wait(catalog.RULEBOOK, key=identifier.encode(), value=body)
    return True


async def activate_empty(bootstrap: str, activation: Activation) -> tuple[int, ...]:
    """Write ``activation`` as the first record of each partition of the records that never had one; return those."""
    async with _reader(bootstrap, catalog.RECORDS) as (reader, partitions):
        ends = await reader.end_offsets(partitions)
    empty = sorted(p.partition for p, end in ends.items() if end == 0)
    body = encode_record(activation)
    async with _producer(bootstrap, SETTINGS[catalog.RECORDS].max_message_bytes) as producer:
        for partition in empty:
            await producer.send_and_wait(catalog.RECORDS, value=body, partition=partition)
    return tuple(empty)


async def _plan(
    client: AIOKafkaAdminClient, wanted: Sequence[catalog.Topic], partitions: int, replication: int
) -> Plan:
    existing = await _existing(client)
    configs = await _configs(client, [t.name for t in wanted if t.name in existing])
    changes: list[Change] = []
    for topic in wanted:
        count = topic.family.settings.partition_count(partitions)
        config = topic.family.settings.config(replication)
        if topic.name not in existing:
            numbers = {"partitions": str(count), "replication": str(replication)}
            changes.append(Change(topic.name, "create", want=numbers | config))
            continue
        changes += _numbers(topic.name, existing[topic.name], count, replication)
        values = configs[topic.name]
        differs = {name for name, value in config.items() if values.get(name, (None, 0))[0] != value}
        if differs:
            have = {name: str(values[name][0]) if name in values else "" for name in sorted(differs)}
            changes.append(
                Change(topic.name, "alter", have=have, want={name: config[name] for name in sorted(differs)})
            )
    return Plan(topics=len(wanted), changes=tuple(changes))


def _numbers(topic: str, replicas: list[int], partitions: int, replication: int) -> Iterable[Change]:
    """``replicas``: how many each partition has."""
    if len(replicas) != partitions:
        yield Change(
            topic, "partitions", {"partitions": str(len(replicas))}, {"partitions": str(partitions)},
            f"has {len(replicas)} partitions, {partitions} are wanted; another number parts entities from their state",
        )  # fmt: skip
    if set(replicas) != {replication}:
        have = "/".join(str(n) for n in sorted(set(replicas)))
        yield Change(
            topic, "replication", {"replication": have}, {"replication": str(replication)},
            f"has {have} replicas, {replication} are wanted; Kafka's own kafka-reassign-partitions moves them",
        )  # fmt: skip


async def _existing(client: AIOKafkaAdminClient) -> dict[str, list[int]]:
    """Topics with the number of replicas of each partition. Asks for all: asking by name could create one."""
    return {t["topic"]: [len(p["replicas"]) for p in t["partitions"]] for t in await client.describe_topics()}


async def _configs(client: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, tuple[str | None, int]]]:
    """By topic: setting → (value, where it was set)."""
    if not names:
        return {}
    found: dict[str, dict[str, tuple[str | None, int]]] = {}
    for response in await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for code, _message, _kind, name, entries in response.resources:
            if code:
                raise for_code(code)(f"describing {name}")
            found[name] = {entry[0]: (entry[1], entry[3]) for entry in entries}
    return found


async def _create(
    client: AIOKafkaAdminClient,
    changes: Sequence[Change],
    families: dict[str, catalog.Family],
    partitions: int,
    replication: int,
) -> None:
    new = [
        NewTopic(
            c.topic,
            families[c.topic].settings.partition_count(partitions),
            replication,
            topic_configs=families[c.topic].settings.config(replication),
        )
        for c in changes
    ]
    if not new:
        return
    response = await client.create_topics(new, timeout_ms=REQUEST_TIMEOUT_MS)
    for topic, code, *message in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):  # somebody else was quicker: fine
            raise AdminError(
                f"Kafka refused to create {topic}: {for_code(code).__name__} {message[0] if message else ''}"
            )


async def _alter(client: AIOKafkaAdminClient, changes: Sequence[Change]) -> None:
    """The request replaces all that is set on a topic, so what somebody else set there is sent along."""
    if not changes:
        return
    configs = await _configs(client, [c.topic for c in changes])
    resources = []
    for change in changes:
        kept = {n: v for n, (v, source) in configs[change.topic].items() if source == _SET_ON_TOPIC and v is not None}
        resources.append(ConfigResource(ConfigResourceType.TOPIC, change.topic, kept | change.want))
    for response in await client.alter_configs(resources):
        for code, message, _kind, name in response.resources:
            if code:
                raise AdminError(f"Kafka refused to set {name}: {for_code(code).__name__} {message or ''}")


async def _wait_for_leaders(client: AIOKafkaAdminClient, wanted: dict[str, catalog.Family], partitions: int) -> None:
    counts = {name: family.settings.partition_count(partitions) for name, family in wanted.items()}
    missing: list[str] = []
    try:
        async with asyncio.timeout(METADATA_WAIT_S):
            while True:
                led = {
                    t["topic"]: sum(p["leader"] >= 0 for p in t["partitions"]) for t in await client.describe_topics()
                }
                missing = [name for name, count in counts.items() if led.get(name, 0) < count]
                if not missing:
                    return
                await asyncio.sleep(METADATA_POLL_S)
    except TimeoutError:
        raise AdminError(
            f"no leader after {METADATA_WAIT_S:g} s for {', '.join(missing[:5])}", todo="see the brokers' logs"
        ) from None


async def _rulebook_keys(bootstrap: str) -> set[bytes]:
    keys = set()
    async with _reader(bootstrap, catalog.RULEBOOK) as (reader, partitions):
        ends = await reader.end_offsets(partitions)
        while any([await reader.position(p) < ends[p] for p in partitions]):
            batches = await reader.getmany(timeout_ms=1000)
            keys |= {message.key for batch in batches.values() for message in batch}
    return keys


@asynccontextmanager
async def _reader(bootstrap: str, topic: str) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
    """A consumer without a group, which has all partitions of a topic."""
    with _explained(bootstrap):
        reader = await _started(bootstrap, topic)
        try:
            yield reader, sorted(reader.assignment())
        finally:
            await reader.stop()


async def _started(bootstrap: str, topic: str) -> AIOKafkaConsumer:
    """Once the broker that is asked knows the topic: of several, one may hear of a new topic later than the others."""
    try:
        async with asyncio.timeout(METADATA_WAIT_S):
            while True:
                async with AsyncExitStack() as undo:
                    reader = AIOKafkaConsumer(
                        topic, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
                    )
                    undo.push_async_callback(reader.stop)
                    with suppress(UnknownTopicOrPartitionError):
                        await reader.start()
                        undo.pop_all()
                        return reader
                await asyncio.sleep(METADATA_POLL_S)
    except TimeoutError:
        raise AdminError(
            f"{topic} is not known after {METADATA_WAIT_S:g} s",
            where=bootstrap,
            todo="create it with `streamer topics apply`, or see the brokers' logs",
        ) from None


@asynccontextmanager
async def _producer(bootstrap: str, max_message_bytes: int) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_request_size=max_message_bytes
    )
    with _explained(bootstrap):
        try:
            await producer.start()
            yield producer
        finally:
            await producer.stop()
