"""On Kafka itself: topics as the contract has them, created once, never shrunk; the rulebook first in every partition."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidTimestampError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from streamer import admin
from streamer.domain.law import Rulebook, decode_rulebook
from streamer.domain.records import Activation, decode_record
from streamer.local import Servers
from streamer.rulebook import rulebook_hash
from topics import catalog
from topics.settings import SETTINGS

RULEBOOK = Rulebook(name="test-rules", fictional=True)
Wanted = list[catalog.Topic]
_numbers = count(time.time_ns() % 1_000_000)


@pytest.fixture
def wanted() -> Wanted:
    """Topics that no other test has: a source and a changelog of their own."""
    name = f"t{next(_numbers)}"
    return [t for t in catalog.topics([name], [], f"{name}-dossier") if name in t.name]


async def set_on(kafka: str, topic: str, **config: str) -> None:
    async with admin.connect(kafka) as client:
        renamed = {name.replace("_", "."): value for name, value in config.items()}
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, renamed)])


async def test_plan_says_what_is_missing_and_changes_nothing(kafka: str, wanted: Wanted) -> None:
    for _ in range(2):
        found = await admin.plan(kafka, wanted, partitions=3, replication=1)
        assert [(c.topic, c.action) for c in found.changes] == [(t.name, "create") for t in wanted]


async def test_apply_makes_topics_as_the_table_has_them_and_has_nothing_to_do_again(kafka: str, wanted: Wanted) -> None:
    await admin.apply(kafka, wanted, partitions=3, replication=1)
    assert not (await admin.plan(kafka, wanted, partitions=3, replication=1)).changes
    assert not (await admin.apply(kafka, wanted, partitions=3, replication=1)).changes


async def test_a_setting_that_somebody_changed_is_set_back_and_others_stay(kafka: str, wanted: Wanted) -> None:
    await admin.apply(kafka, wanted, partitions=1, replication=1)
    changelog = next(t.name for t in wanted if t.name.endswith("changelog"))
    keep = SETTINGS[catalog.CHANGELOG.family].config(1) | {"cleanup.policy": "delete", "flush.ms": "60000"}
    await set_on(kafka, changelog, **keep)
    (change,) = (await admin.plan(kafka, wanted, partitions=1, replication=1)).changes
    assert (change.action, change.have, change.want) == (
        "alter", {"cleanup.policy": "delete"}, {"cleanup.policy": "compact"},
    )  # fmt: skip
    await admin.apply(kafka, wanted, partitions=1, replication=1)
    assert not (await admin.plan(kafka, wanted, partitions=1, replication=1)).changes
    async with admin.connect(kafka) as client:
        (response,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, changelog)])
        assert {e[0]: e[1] for e in response.resources[0][4]}["flush.ms"] == "60000"


@pytest.mark.parametrize("partitions", [1, 4])
async def test_another_number_of_partitions_is_refused_before_anything_is_done(
    kafka: str, wanted: Wanted, partitions: int
) -> None:
    await admin.apply(kafka, wanted[:1], partitions=2, replication=1)
    with pytest.raises(admin.AdminError, match="partitions"):
        await admin.apply(kafka, wanted, partitions=partitions, replication=1)
    left = await admin.plan(kafka, wanted, partitions=2, replication=1)
    assert [(c.topic, c.action) for c in left.changes] == [(t.name, "create") for t in wanted[1:]]


async def test_kafka_that_is_not_there_is_told_with_a_next_step() -> None:
    with pytest.raises(admin.AdminError, match="next:"):
        await admin.plan("127.0.0.1:1", [], partitions=1, replication=1)


async def read_all(kafka: str, topic: str) -> list[Any]:
    found: list[Any] = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                found += batch
    return found


async def test_every_partition_starts_with_the_rulebook_that_holds_in_it(
    own_servers: Callable[..., Awaitable[Servers]],
) -> None:
    kafka = (await own_servers(postgres=False)).bootstrap_servers
    kept: dict[str, Any] = {
        "sources": ["tax"], "domains": ["procurement"], "partitions": 4, "replication": 1, "rulebook": RULEBOOK,
        "clock": "2026-03-01", "ticks": "simulated",
    }  # fmt: skip
    first_time = await admin.ensure(kafka, **kept)
    assert (first_time.rulebook_published, first_time.activated) == (True, (0, 1, 2, 3))
    again = await admin.ensure(kafka, **kept)
    assert (again.created, again.altered, again.rulebook_published, again.activated) == ((), (), False, ())
    hash_ = rulebook_hash(RULEBOOK)
    rulebooks = {m.key: m.value for m in await read_all(kafka, catalog.RULEBOOK)}
    assert decode_rulebook(rulebooks[hash_.encode()]) == RULEBOOK
    first = await read_all(kafka, catalog.RECORDS)
    assert sorted((m.partition, m.offset, m.key) for m in first) == [(p, 0, None) for p in range(4)]
    assert {decode_record(m.value) for m in first} == {
        Activation(rulebook=hash_, clock="2026-03-01", ticks="simulated")
    }


async def test_a_broker_that_hears_of_a_new_topic_late_is_asked_again(
    kafka: str, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As seen on three brokers: the one that said who leads was not the one that the reader asked."""
    await admin.apply(kafka, wanted, partitions=3, replication=1)
    topic, start, late, stopped = wanted[0].name, AIOKafkaConsumer.start, [True, True], []

    async def starts(self: AIOKafkaConsumer) -> None:
        if late and late.pop():
            raise UnknownTopicOrPartitionError
        await start(self)

    async def stops(self: AIOKafkaConsumer, stop: Callable[..., Awaitable[None]] = AIOKafkaConsumer.stop) -> None:
        stopped.append(self)
        await stop(self)

    monkeypatch.setattr(AIOKafkaConsumer, "start", starts)
    monkeypatch.setattr(AIOKafkaConsumer, "stop", stops)
    async with admin._reader(kafka, topic) as (reader, partitions):
        assert (len(partitions), len(set(stopped)), reader in stopped, late) == (3, 2, False, [])
    assert (len(set(stopped)), reader in stopped) == (3, True)


async def test_a_topic_that_no_broker_knows_is_told_with_a_next_step(
    kafka: str, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "METADATA_WAIT_S", 0.5)
    with pytest.raises(admin.AdminError, match=rf"{wanted[0].name} is not known after 0.5 s[\s\S]*topics apply"):
        async with admin._reader(kafka, wanted[0].name):
            pytest.fail("it does not exist")


Send = Callable[..., Awaitable[Any]]


@pytest.fixture
async def send(kafka: str) -> AsyncIterator[Send]:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", max_request_size=8 << 20, compression_type="gzip"
    ) as producer:
        yield producer.send_and_wait


async def test_the_broker_holds_inbound_messages_to_the_contract(kafka: str, wanted: Wanted, send: Send) -> None:
    """What an acknowledged event may be: not packed beyond its limit, not so old that it is deleted before it is read."""
    await admin.apply(kafka, wanted, partitions=1, replication=1)
    topic = next(t.name for t in wanted if t.family is catalog.EVENTS)
    row = catalog.EVENTS.settings
    await send(topic, b"x" * (row.max_message_bytes - 1024))
    with pytest.raises(MessageSizeTooLargeError):
        await send(topic, b"x" * (row.max_message_bytes + 1))  # a few kilobytes as sent
    assert row.oldest_ms is not None
    now_ms = time.time_ns() // 1_000_000
    await send(topic, b"x", timestamp_ms=now_ms - row.oldest_ms + 60_000)
    with pytest.raises(InvalidTimestampError):
        await send(topic, b"x", timestamp_ms=now_ms - row.oldest_ms - 60_000)
