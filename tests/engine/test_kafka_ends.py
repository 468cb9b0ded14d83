"""On real Kafka: how a process ends, with which code, and what is then committed. Not for: crashes (``test_kafka_crash``)."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer

from streamer.engine.exits import Exit
from tests.engine import cluster, oracle
from tests.engine.workshop import Workshop


async def test_a_handler_that_raises_ends_the_process_and_acknowledges_nothing_of_its_unit(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(1, 4_000))
    for _ in range(2):
        assert await workshop.wait(workshop.spawn(raise_at=500, commit=0.1)) == Exit.HANDLER
    committed = await cluster.committed_offsets(workshop.bootstrap, workshop.name, workshop.config.source, 4)
    assert all(offset <= 500 for offset in committed)
    assert await workshop.finish() == {}
    assert "as asked" not in workshop.tail(), "the text of a handler's exception may hold what an event says"


async def test_sigterm_under_load_commits_what_was_begun(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(2, 10_000))
    process = workshop.spawn(slow_ms=10, poll=100, commit=0.2)
    await workshop.until_applied(1_000, process)
    assert await workshop.stop(process) == 0
    assert await workshop.lag() > 0
    process = workshop.spawn()
    await workshop.until_drained(process)
    assert workshop.metric("streamer_redelivered_records_total") == 0, "a clean stop leaves nothing to redeliver"
    assert await workshop.stop(process) == 0
    assert await workshop.differences() == {}


async def test_aborted_records_are_invisible_and_leave_no_gap(workshop: Workshop) -> None:
    await workshop.create()
    messages = list(oracle.events(3, 900))
    producer = AIOKafkaProducer(bootstrap_servers=workshop.bootstrap, transactional_id=workshop.name)
    await producer.start()
    try:
        for start in range(0, len(messages), 100):
            await producer.begin_transaction()
            for key, value in messages[start : start + 100]:
                await producer.send(workshop.config.source, value, key=key)
            if start % 300 == 100:
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()
    finally:
        await producer.stop()
    assert await workshop.finish(read_committed=1) == {}
    assert await workshop.lag() == 0


async def test_a_source_made_anew_is_refused(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(4, 2_000))
    assert await workshop.finish() == {}
    await cluster.made_anew(workshop.bootstrap, workshop.config.source, workshop.partitions)
    assert await workshop.wait(workshop.spawn()) == Exit.CONFIG
    assert "deleted and made anew" in workshop.tail()


async def test_a_changelog_made_anew_is_refused(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(5, 2_000))
    assert await workshop.finish() == {}
    await cluster.delete_records(
        workshop.bootstrap,
        workshop.config.source,
        dict(enumerate(await cluster.end_offsets(workshop.bootstrap, workshop.config.source, 4))),
    )
    workshop.config.app = workshop.config.app + "-other"  # its changelog is missing altogether
    assert await workshop.wait(workshop.spawn()) == Exit.CONFIG
    assert "topics missing" in workshop.tail()


async def test_records_deleted_before_they_were_applied_stop_it_unless_the_loss_is_accepted(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(6, 4_000))
    process = workshop.spawn(slow_ms=30, poll=50, commit=0.1)
    await workshop.until_applied(100, process)
    assert await workshop.stop(process) == 0
    ends = await cluster.end_offsets(workshop.bootstrap, workshop.config.source, 4)
    await cluster.delete_records(workshop.bootstrap, workshop.config.source, {p: e - 50 for p, e in enumerate(ends)})
    assert await workshop.wait(workshop.spawn()) == Exit.LOSS
    assert "--accept-loss" in workshop.tail()
    process = workshop.spawn(accept_loss=1)
    await workshop.until_drained(process)
    assert (workshop.metric("streamer_lost_records_total") or 0) > 0
    assert await workshop.stop(process) == 0
    process = workshop.spawn()
    await workshop.publish(oracle.events(7, 400))
    await workshop.until_drained(process)
    assert await workshop.stop(process) == 0


async def test_a_second_holder_of_a_state_folder_is_refused(workshop: Workshop) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(8, 400))
    process = workshop.spawn()
    await workshop.until_drained(process)
    assert await workshop.wait(workshop.spawn(instance=f"{workshop.name}-1")) == Exit.LOCKED
    assert await workshop.stop(process) == 0
