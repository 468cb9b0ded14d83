"""The servers themselves: started, reused, killed, back with their data."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streamer import local
from streamer.errors import StreamerError
from streamer.local import kafka, postgres
from streamer.local.paths import Paths
from streamer.local.processes import HOST, free_port
from streamer.local.state import State

Start = Callable[..., Awaitable[local.Servers]]


async def create_topic(servers: str, name: str, replication: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=replication)])
    finally:
        await admin.close()


async def send(servers: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def read(servers: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_one_broker_and_postgres_start_are_reused_and_keep_their_data_over_kill_and_stop(
    own_servers: Start,
) -> None:
    servers = await own_servers()
    home = servers.home
    pids = kafka.pid(home=home), postgres.pid(home)
    assert await own_servers() == servers
    assert (kafka.pid(home=home), postgres.pid(home)) == pids
    assert all(server.answers and not server.external for server in await local.status(home))

    await create_topic(servers.bootstrap_servers, "kept", 1)
    await send(servers.bootstrap_servers, "kept", b"1")
    connection = await asyncpg.connect(servers.database_url)
    await connection.execute("create table kept as select 1 as one")
    await connection.close()

    kafka.kill(home=home)
    postgres.kill(home)
    assert (kafka.pid(home=home), postgres.pid(home)) == (None, None)
    assert not any(server.answers for server in await local.status(home))
    await postgres.start(home)
    await kafka.start(home=home)
    assert await read(servers.bootstrap_servers, "kept", 1) == [b"1"]

    await local.stop(home)
    assert (kafka.pid(home=home), postgres.pid(home)) == (None, None)
    assert await own_servers() == servers
    assert await read(servers.bootstrap_servers, "kept", 1) == [b"1"]
    connection = await asyncpg.connect(servers.database_url)
    assert await connection.fetchval("select one from kept") == 1
    await connection.close()

    with pytest.raises(StreamerError, match=r"Kafka of 1 broker\(s\), not 3"):
        await own_servers(brokers=3)
    await local.stop(home, purge=True)
    assert await local.status(home) == []
    assert [path.name for path in Paths(home).root.iterdir()] == ["lock"]


async def test_three_brokers_lose_one_and_go_on(own_servers: Start) -> None:
    servers = await own_servers(brokers=3, postgres=False)
    assert servers.brokers == 3
    assert servers.database_url == ""
    await create_topic(servers.bootstrap_servers, "replicated", 3)
    await send(servers.bootstrap_servers, "replicated", b"with three")
    kafka.kill(2, servers.home)
    await send(servers.bootstrap_servers, "replicated", b"with two")
    await kafka.start(2, servers.home)
    assert all(server.answers for server in await local.status(servers.home))
    assert await read(servers.bootstrap_servers, "replicated", 2) == [b"with three", b"with two"]


async def test_a_topic_comes_from_the_contract_only(kafka: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        assert await consumer.topics() >= set()
        assert consumer.partitions_for_topic("never-created") is None
    finally:
        await consumer.stop()


async def test_given_servers_are_used_and_neither_started_nor_stopped(
    kafka: str, postgres: str, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Paths(tmp_path).home  # type: ignore[arg-type]
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    monkeypatch.setenv("DATABASE_URL", postgres)
    servers = await local.start(home=home)
    assert (servers.bootstrap_servers, servers.database_url, servers.brokers) == (kafka, postgres, 1)
    await local.stop(home, purge=True)
    found = await local.status(home)
    assert [(server.external, server.answers) for server in found] == [(True, True), (True, True)]
    assert not any("streamer:" in server.address for server in found)


@pytest.mark.parametrize("variable", ["KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"])
async def test_a_given_server_that_does_not_answer_is_named_without_its_password(
    own_servers: Start, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    address = f"{HOST}:9" if variable.startswith("KAFKA") else f"postgresql://user:hidden@{HOST}:9/credit"
    monkeypatch.setenv(variable, address)
    with pytest.raises(StreamerError, match="does not answer") as error:
        await own_servers(brokers=int(variable.startswith("KAFKA")))
    assert variable in str(error.value)
    assert "hidden" not in str(error.value)


async def test_a_port_that_is_taken_is_named_and_another_may_be_given_until_the_server_runs(own_servers: Start) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StreamerError, match=f"port {port}, which PostgreSQL needs"):
            await own_servers(brokers=0, postgres_port=port)
    free = free_port({port})
    servers = await own_servers(brokers=0, postgres_port=free)
    assert f":{free}/" in servers.database_url
    with pytest.raises(StreamerError, match=f"PostgreSQL runs on port {free}"):
        await own_servers(brokers=0, postgres_port=port)


def test_a_given_port_is_the_first_brokers_and_the_others_follow() -> None:
    state = State()
    kafka.plan(state, 3, 21_000)
    assert kafka.bootstrap_servers(state) == f"{HOST}:21000,{HOST}:21001,{HOST}:21002"
    kafka.plan(state, 1, None)
    assert len(state.brokers) == 3  # a home keeps what it has
    kafka.plan(state, 3, 22_000)
    assert kafka.bootstrap_servers(state) == f"{HOST}:22000,{HOST}:22001,{HOST}:22002"


async def test_a_java_that_fails_is_shown_with_the_end_of_its_log(
    own_servers: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "JVM_OPTIONS", ("-XX:NoSuchOption",))
    with pytest.raises(StreamerError, match=r"(?s)ended instead of starting.*NoSuchOption"):
        await own_servers(postgres=False)


async def test_there_can_be_one_broker_or_three(own_servers: Start) -> None:
    with pytest.raises(StreamerError, match="2 brokers"):
        await own_servers(brokers=2)
