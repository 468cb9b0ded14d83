"""A schema is made once, by whoever comes first, and what was applied never changes quietly."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import asyncpg
import pytest

from sinks.migrate import MigrationError, load_migrations, migrate, parse_migrations, plan
from sinks.rows import TABLES
from sinks.sql import QueryNotFoundError, all_queries, parse, query

ONE = {"0001_one.sql": "CREATE TABLE ops.one (id integer);"}
TWO = ONE | {"0002_two.sql": "CREATE TABLE ops.two (id integer);"}


@pytest.fixture
async def empty(postgres: str) -> Any:
    connection = await asyncpg.connect(postgres)
    yield connection
    connection.terminate()


async def test_migrating_twice_applies_once(empty: Any) -> None:
    applied = await migrate(empty)
    assert [step.number for step in applied] == list(range(1, len(load_migrations()) + 1))
    before = await empty.fetch("SELECT * FROM ops.migration")
    assert await migrate(empty) == []
    assert await empty.fetch("SELECT * FROM ops.migration") == before
    assert (await plan(empty)).pending == ()


async def test_two_migrators_at_once_apply_each_once(empty: Any, postgres: str) -> None:
    other = await asyncpg.connect(postgres)
    done = await asyncio.gather(migrate(empty), migrate(other))
    await other.close()
    assert sorted(step.number for steps in done for step in steps) == [step.number for step in load_migrations()]


async def test_a_changed_migration_is_refused_by_number_and_checksums(empty: Any) -> None:
    await migrate(empty, parse_migrations(ONE))
    changed = parse_migrations({"0001_one.sql": "CREATE TABLE ops.one (id bigint);"})
    with pytest.raises(MigrationError, match=r"0001_one was changed after it was applied.*add a new migration"):
        await migrate(empty, changed)


async def test_a_database_from_a_newer_program_is_refused(empty: Any) -> None:
    await migrate(empty, parse_migrations(TWO))
    with pytest.raises(MigrationError, match="use the newer program"):
        await migrate(empty, parse_migrations(ONE))


async def test_a_migration_that_fails_leaves_nothing_and_keeps_those_before_it(empty: Any) -> None:
    broken = parse_migrations(ONE | {"0002_two.sql": "CREATE TABLE ops.two (id integer); SELECT nothing;"})
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(empty, broken)
    assert await empty.fetchval("SELECT to_regclass('ops.two') IS NULL")
    assert [row["number"] for row in await empty.fetch("SELECT number FROM ops.migration")] == [1]
    assert len(await migrate(empty, parse_migrations(TWO))) == 1


async def test_planning_an_empty_database_changes_nothing(empty: Any) -> None:
    assert len((await plan(empty)).pending) == len(load_migrations())
    assert await empty.fetchval("SELECT to_regnamespace('ops') IS NULL")


@pytest.mark.parametrize("names", [["0002_a.sql"], ["0001_a.sql", "0001_b.sql"], ["1_a.sql"], ["0001_A.sql"]])
def test_a_hole_a_double_or_a_bad_name_is_refused(names: list[str]) -> None:
    with pytest.raises(MigrationError):
        parse_migrations(dict.fromkeys(names, ""))


def test_no_migration_ends_its_own_transaction() -> None:
    for step in load_migrations():
        assert not re.search(r"^\s*(BEGIN|COMMIT|ROLLBACK)\s*;", step.sql, re.MULTILINE | re.IGNORECASE), step.name


def test_queries_are_found_by_name_and_a_double_is_refused() -> None:
    assert query("upsert_alerts").startswith("INSERT INTO enterprise.alert")
    assert {table.query for table in TABLES} <= all_queries().keys()
    with pytest.raises(QueryNotFoundError):
        query("nothing")
    with pytest.raises(ValueError, match="twice"):
        parse("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;\n")


async def test_every_query_takes_rows_of_the_fields_that_its_table_sends_in_their_order(db: Any) -> None:
    for table in TABLES:
        (rows,) = (await db.prepare(query(table.query))).get_parameters()
        fields = await db.fetch(
            """SELECT attname FROM pg_attribute JOIN pg_type ON attrelid = typrelid
               WHERE typarray = $1 AND attnum > 0 ORDER BY attnum""",
            rows.oid,
        )
        assert [row["attname"] for row in fields] == [name.rstrip("_") for name in table.row._fields], table.query


READERS = {
    "credit_enterprise_reader": {"enterprise"},
    "credit_person_reader": {"person"},
    "credit_ops_reader": {"ops"},
    "credit_public_reader": {"public_info"},
}


@pytest.mark.parametrize("reader", READERS)
async def test_a_reader_reads_its_own_schema_writes_nothing_and_sees_nothing_sealed(db: Any, reader: str) -> None:
    schemas = await db.fetch(
        "SELECT s FROM unnest($1::text[]) s WHERE has_schema_privilege($2, s, 'USAGE')",
        ["public_info", "enterprise", "person", "ops"],
        reader,
    )
    assert {row["s"] for row in schemas} == READERS[reader]
    columns = await db.fetch(
        """SELECT table_schema, column_name, privilege_type FROM information_schema.column_privileges
           WHERE grantee = $1""",
        reader,
    )
    assert {row["table_schema"] for row in columns} <= READERS[reader]
    assert {row["privilege_type"] for row in columns} <= {"SELECT"}
    assert "sealed" not in {row["column_name"] for row in columns}


async def test_a_journal_refuses_to_be_changed(db: Any) -> None:
    for table in ("enterprise.record", "person.record", "enterprise.alert_history", "ops.dead_letter"):
        with pytest.raises(asyncpg.RestrictViolationError, match="never changed"):
            column = "origin" if table == "ops.dead_letter" else "org_code"
            await db.execute(f"UPDATE {table} SET {column} = 'x'")
