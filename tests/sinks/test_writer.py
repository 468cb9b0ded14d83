"""Postgres holds every row once, the highest revision stands, and nothing is lost while Postgres is away."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from sinks.batch import Batch
from sinks.errors import Position, SinkConfigurationError, SinkDataError
from sinks.sql import query
from sinks.writer import PostgresWriter, WriterLimits
from tests.sinks import samples
from tests.sinks.conftest import Server

SECRET = "110101199003070417"
INCOMPRESSIBLE = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(3000))  # too long for an index
Make = Callable[..., PostgresWriter]
End = Callable[[Server], Awaitable[None]]


def batch(*messages: samples.Message) -> Batch:
    made = Batch()
    for offset, message in enumerate(messages):
        made.add(samples.rows(message, offset=offset), Position(message[0], 2, offset))
    return made


async def write(writer: PostgresWriter, *messages: samples.Message) -> None:
    await writer.write(batch(*messages))


async def one(db: Any, sql: str) -> tuple[Any, ...]:
    (row,) = await db.fetch(sql)
    return tuple(row)


@pytest.fixture
async def make(dsn: str) -> AsyncIterator[Make]:
    writers: list[PostgresWriter] = []

    def make(**options: Any) -> PostgresWriter:
        writers.append(PostgresWriter(dsn, **options))
        return writers[-1]

    yield make
    for writer in writers:
        await writer.close()


async def test_every_kind_of_message_arrives_in_its_table(make: Make, db: Any) -> None:
    await write(
        make(),
        samples.record(name="测试公司", sealed="AAEC"),
        samples.record(org=samples.OTHER_ORG, individual=True, sealed="AAEC"),
        samples.alert(),
        samples.notice(),
        samples.status(3, name="测试公司"),
        samples.dead_letter(),
    )
    assert await one(
        db,
        """SELECT date_status, conduct, basis_stated, data #>> '{party,name}', sealed, inbound_topic, records_partition
           FROM enterprise.record""",
    ) == ("known", "unstated", False, "测试公司", b"\0\1\2", "credit.events.tax", 2)
    assert await one(db, "SELECT org_code, sealed FROM person.record") == (samples.OTHER_ORG, b"\0\1\2")
    assert await one(db, "SELECT alert_id, list, raised_at = changed_at FROM enterprise.open_alerts") == (
        "a1",
        "fic-list",
        True,
    )
    assert await one(db, "SELECT notice_id, source, raised_at = changed_at FROM enterprise.notice") == (
        "n1",
        "finance",
        True,
    )
    assert await one(db, "SELECT version, name, data ->> 'org_code' FROM enterprise.status") == (
        3,
        "测试公司",
        samples.ORG,
    )
    assert await one(db, "SELECT reason, items FROM ops.dead_letter_counts") == ("not_json", 1)


async def test_what_stands_about_an_entity_can_be_asked(make: Make, db: Any) -> None:
    await write(
        make(),
        *(samples.record(id_=f"e{n}", hash_=bytes([n] * 16)) for n in range(5)),
        samples.record(org=samples.OTHER_ORG),
        samples.alert("a1"),
        samples.alert("a2", revision=2, action="lifted"),
        samples.status(3),
    )
    assert json.loads(await db.fetchval(query("entity_status"), samples.ORG))["version"] == 3
    assert [row["alert_id"] for row in await db.fetch(query("entity_open_alerts"), samples.ORG)] == ["a1"]
    records = await db.fetch(query("entity_records"), samples.ORG, 3)
    assert [row["event_id"] for row in records] == ["e4", "e3", "e2"]


async def test_an_item_without_a_date_is_recorded_with_an_unknown_one(make: Make, db: Any) -> None:
    await write(make(), samples.record(decided_on=None))
    assert await one(db, "SELECT decided_on, date_status FROM enterprise.record") == (None, "unknown")


async def test_writing_again_changes_nothing(make: Make, db: Any) -> None:
    messages = (samples.record(), samples.alert(), samples.notice(), samples.status(), samples.dead_letter())
    writer = make()
    await write(writer, *messages)
    before = await everything(db)
    await write(writer, *messages, *messages)
    assert await everything(db) == before


async def test_the_first_copy_of_an_item_stays_and_other_content_is_another_item(make: Make, db: Any) -> None:
    writer = make()
    await write(writer, samples.record(offset=7), samples.record(offset=8))
    await write(writer, samples.record(offset=9), samples.record(offset=10, hash_=b"x" * 16))
    offsets = await db.fetch("SELECT inbound_offset FROM enterprise.record ORDER BY 1")
    assert [row[0] for row in offsets] == [7, 10]


@pytest.mark.parametrize("together", [True, False])
async def test_the_highest_revision_stands_whatever_comes_first(make: Make, db: Any, together: bool) -> None:
    messages = (
        samples.alert(revision=3, action="lifted", standing=True),
        samples.alert(revision=1),
        samples.alert(revision=3, action="lifted"),
        samples.alert(revision=2, action="amended"),
        samples.status(5),
        samples.status(4),
        samples.notice(revision=2, action="closed"),
        samples.notice(revision=1),
    )
    writer = make()
    for part in [messages] if together else [(message,) for message in messages]:
        await write(writer, *part)
    assert await one(
        db, "SELECT revision, action, extract(day FROM raised_at AT TIME ZONE 'UTC')::int FROM enterprise.alert"
    ) == (3, "lifted", 1)
    history = await db.fetch("SELECT revision FROM enterprise.alert_history ORDER BY 1")
    assert [row[0] for row in history] == [1, 2, 3]
    assert await one(db, "SELECT version FROM enterprise.status") == (5,)
    assert await one(db, "SELECT revision, action, raised_at IS NOT NULL FROM enterprise.notice") == (2, "closed", True)
    assert await db.fetch("SELECT * FROM enterprise.open_alerts") == []


async def test_batches_that_wait_for_a_transaction_go_together_into_the_next(make: Make, db: Any) -> None:
    writer = make()
    await asyncio.gather(*(write(writer, samples.record(id_=f"e{n}")) for n in range(50)))
    assert await one(db, "SELECT count(*) FROM enterprise.record") == (50,)
    assert (writer.rows, writer.messages) == (50, 50)
    assert writer.transactions < 50


async def test_a_transaction_is_bounded_in_rows(make: Make, db: Any) -> None:
    writer = make(limits=WriterLimits(transaction_rows=10))
    await asyncio.gather(*(write(writer, samples.record(id_=f"e{n}")) for n in range(50)))
    assert writer.transactions == 5


async def test_a_statement_is_bounded_in_rows_and_its_transaction_stays_one(make: Make, db: Any) -> None:
    writer = make(limits=WriterLimits(statement_rows=3))
    seen: list[int] = []

    def note(logged: Any) -> None:
        if "enterprise.record" in logged.query:
            seen.append(len(logged.args[0]))

    async def connect(*arguments: Any, **options: Any) -> Any:
        connection = await asyncpg.connect(*arguments, **options)
        connection.add_query_logger(note)
        return connection

    writer._connect = connect
    await write(writer, *(samples.record(id_=f"e{n}") for n in range(10)))
    assert await one(db, "SELECT count(*), count(DISTINCT xmin::text) FROM enterprise.record") == (10, 1)
    assert seen == [3, 3, 3, 1]


class Outage:
    """Takes the place of a writer's sleep: says that it waits, and goes on when it is told."""

    def __init__(self) -> None:
        self.delays_s: list[float] = []
        self.waits = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, delay_s: float) -> None:
        self.delays_s.append(delay_s)
        self.waits.set()
        await self.go_on.wait()


@pytest.mark.parametrize("end", [Server.crash, Server.stop])
async def test_while_postgres_is_away_nothing_is_lost_and_it_shows(server: Server, end: End) -> None:
    outage, entered = Outage(), []

    @contextmanager
    def waiting_on() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    writer = PostgresWriter(server.dsn, sleep=outage, clock=lambda: 1234.0)
    writer.while_waiting = waiting_on
    await write(writer, samples.record(id_="before"))
    await end(server)
    writes = [asyncio.create_task(write(writer, samples.record(id_=f"e{n}"))) for n in range(20)]
    await outage.waits.wait()
    assert (writer.waiting, writer.waiting_since, entered) == (True, 1234.0, ["in"])
    assert not any(task.done() for task in writes)
    await server.start()
    outage.go_on.set()
    await asyncio.gather(*writes)
    assert (writer.waiting, writer.waiting_since, entered) == (False, None, ["in", "out"])
    db = await asyncpg.connect(server.dsn)
    assert await one(db, "SELECT count(*), count(DISTINCT event_id) FROM enterprise.record") == (21, 21)
    await db.close()
    await writer.close()


async def test_a_slow_postgres_is_waited_for_and_shows_although_nothing_fails(
    make: Make, db: Any, caplog: pytest.LogCaptureFixture
) -> None:
    waits, entered = asyncio.Event(), []

    @contextmanager
    def waiting_on() -> Iterator[None]:
        entered.append("in")
        waits.set()
        yield
        entered.append("out")

    writer = make(limits=WriterLimits(slow_after_s=0.01))
    writer.while_waiting = waiting_on
    await write(writer, samples.record(id_="before"))
    waits.clear()
    entered.clear()
    async with db.transaction():
        await db.execute("LOCK TABLE enterprise.record IN ACCESS EXCLUSIVE MODE")
        written = asyncio.create_task(write(writer, samples.record(id_="slow")))
        await waits.wait()
        assert (writer.waiting, entered, written.done()) == (True, ["in"], False)
    await written
    assert (writer.waiting, writer.attempts_failed, entered) == (False, 0, ["in", "out"])
    assert "goes on" in caplog.text

    writer.limits = WriterLimits(slow_after_s=3600)
    await write(writer, samples.record(id_="quick"))
    assert entered == ["in", "out"]


async def test_a_server_that_starts_later_than_the_writer_is_waited_for(server: Server) -> None:
    outage = Outage()
    writer = PostgresWriter(server.dsn, sleep=outage)
    await server.stop()
    written = asyncio.create_task(write(writer, samples.record()))
    await outage.waits.wait()
    await server.start()
    outage.go_on.set()
    await written
    assert writer.rows == 1
    await writer.close()


async def test_what_nobody_waits_for_any_more_is_not_kept(make: Make) -> None:
    outage = Outage()
    refused = [ConnectionRefusedError()]

    async def connect(*arguments: Any, **options: Any) -> Any:
        if refused:
            raise refused.pop()
        return await asyncpg.connect(*arguments, **options)

    writer = make(sleep=outage, connect=connect)
    first = writer.submit(batch(samples.record(id_="e1")))
    await outage.waits.wait()
    second, third = (writer.submit(batch(samples.record(id_=f"e{n}"))) for n in (2, 3))
    second.cancel()
    outage.go_on.set()
    await asyncio.gather(first, third)
    assert writer.rows == 2


async def test_waiting_backs_off_within_bounds_and_logs_at_first_and_then_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now, delays_s = [0.0], []

    async def refuse(*_: Any, **__: Any) -> Any:
        if len(delays_s) == 40:
            raise asyncpg.InvalidCatalogNameError("ends the test")
        raise ConnectionRefusedError(SECRET)

    async def sleep(delay_s: float) -> None:
        delays_s.append(delay_s)
        now[0] += delay_s

    now[0] = 1000.0
    writer = PostgresWriter("", connect=refuse, sleep=sleep, clock=lambda: now[0])
    with caplog.at_level(logging.WARNING), pytest.raises(SinkConfigurationError):
        await write(writer, samples.record())
    assert delays_s[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 2]
    assert max(delays_s) == 2
    assert len(caplog.records) == 1 + int(sum(delays_s) // 30)
    assert SECRET not in caplog.text
    assert writer.attempts_failed == 40


async def test_a_connection_cut_in_the_middle_is_made_again(make: Make, db: Any) -> None:
    writer = make()
    await write(writer, samples.record(id_="e1"))
    await db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'credit-sink'")
    await write(writer, samples.record(id_="e2"))
    assert await one(db, "SELECT count(*) FROM enterprise.record") == (2,)


async def test_a_read_only_database_is_waited_for(make: Make, db: Any) -> None:
    outage = Outage()
    writer = make(sleep=outage)
    name = await db.fetchval("SELECT current_database()")
    await db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    written = asyncio.create_task(write(writer, samples.record()))
    await outage.waits.wait()
    assert writer.waiting
    await db.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
    outage.go_on.set()
    await written


async def test_a_deadlock_is_tried_again_and_is_no_absence(make: Make, dsn: str, db: Any) -> None:
    """The other transaction locks a status row and then wants a record that the writer has already inserted."""
    writer = make()
    await write(writer, samples.status(1))
    await db.execute("SET deadlock_timeout = '1h'")  # let the writer be the one that is cancelled
    blocker = db.transaction()
    await blocker.start()
    await db.execute("UPDATE enterprise.status SET version = 1")
    written = asyncio.create_task(write(writer, samples.record(), samples.status(2)))
    other = await asyncpg.connect(dsn)
    while not await other.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):  # noqa: ASYNC110 - the server decides
        await asyncio.sleep(0)
    crossing = asyncio.create_task(
        db.execute(
            """INSERT INTO enterprise.record (source, event_id, org_code, content_hash, type, domain, document_number,
                    version, data, inbound_topic, inbound_partition, inbound_offset, party, parties, records_partition,
                    records_offset, appended_at)
                    VALUES ($1, $2, $3, $4, 't', 'd', 'n', 1, '{}', 't', 0, 0, 0, 1, 0, 0, now())
                    ON CONFLICT DO NOTHING""",
            "tax",
            "e1",
            samples.ORG,
            b"h" * 16,
        )
    )
    await crossing
    await blocker.commit()
    await written
    await other.close()
    assert writer.attempts_failed >= 1
    assert not writer.waiting
    assert await one(db, "SELECT version FROM enterprise.status") == (2,)


@pytest.mark.parametrize(
    ("bad", "table", "key"),
    [
        (samples.alert("a77", revision=0), "enterprise.alert_history", "alert_id, revision"),
        (samples.status(2**70, org=SECRET), "enterprise.status", "org_code"),
        (samples.record(id_=SECRET + INCOMPRESSIBLE), "enterprise.record", "source, event_id, org_code, content_hash"),
    ],
)
async def test_a_row_that_postgres_refuses_for_good_is_named_by_place_and_nothing_is_written(
    make: Make, db: Any, bad: samples.Message, table: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = [samples.record(id_=f"e{n}") for n in range(30)]
    messages = [*good[:20], bad, *good[20:], samples.alert("a1")]
    with pytest.raises(SinkDataError) as caught:
        await write(make(), *messages)
    assert (caught.value.table, caught.value.key) == (table, key)
    assert caught.value.at == Position(bad[0], 2, 20)
    assert SECRET not in str(caught.value) + caplog.text
    assert await one(db, "SELECT count(*) FROM enterprise.record") == (0,)


async def test_a_database_without_the_schema_says_what_to_run(postgres: str) -> None:
    writer = PostgresWriter(postgres)
    with pytest.raises(SinkConfigurationError, match="`streamer db migrate`"):
        await write(writer, samples.record())
    await writer.close()


async def test_a_database_that_is_behind_says_what_to_run(make: Make, db: Any) -> None:
    await db.execute("DELETE FROM ops.migration WHERE number > 1")
    with pytest.raises(SinkConfigurationError, match="run `streamer db migrate`"):
        await write(make(), samples.record())


async def test_closing_gives_up_what_is_not_written(make: Make) -> None:
    outage = Outage()

    async def refuse(*_: Any, **__: Any) -> Any:
        raise ConnectionRefusedError

    writer = make(sleep=outage, connect=refuse)
    written = asyncio.create_task(write(writer, samples.record()))
    await outage.waits.wait()
    await writer.close()
    with pytest.raises(asyncio.CancelledError):
        await written
    assert not writer.waiting


async def everything(db: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that the sink writes."""
    tables = await db.fetch(
        """SELECT table_schema || '.' || table_name FROM information_schema.tables
           WHERE table_schema IN ('enterprise', 'person', 'ops') AND table_type = 'BASE TABLE'
           AND table_name <> 'migration' ORDER BY 1"""
    )
    return {name: [tuple(row) for row in await db.fetch(f"SELECT * FROM {name} ORDER BY 1, 2")] for (name,) in tables}
