"""Numbered migrations, each in a transaction of its own and recorded with its checksum. Not for: going back.

What is applied is never edited: a changed file is refused, and a new number made instead.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from sinks.sql import query

LOCK_KEY: Final = 0x63726564_69740001  # "credit", 1: the advisory lock of migrators
LOCK_WAIT_S: Final = 60
_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")


class MigrationError(Exception):
    """The database cannot be brought to this program's schema; says what to do."""


class Migration(NamedTuple):
    number: int
    name: str
    checksum: str
    sql: str


class Applied(NamedTuple):
    number: int
    name: str
    checksum: str
    applied_at: datetime


class Plan(NamedTuple):
    """What a database has, and what it lacks."""

    applied: tuple[Applied, ...]
    pending: tuple[Migration, ...]


@cache
def load_migrations() -> tuple[Migration, ...]:
    """The shipped migrations, 1 to n without a hole. Raises MigrationError."""
    texts = {
        file.name: file.read_text(encoding="utf-8")
        for file in files("sinks").joinpath("migrations").iterdir()
        if file.name.endswith(".sql")
    }
    return parse_migrations(texts)


def parse_migrations(texts: dict[str, str]) -> tuple[Migration, ...]:
    """Migrations from file names and texts. Raises MigrationError on a bad name, a hole or a number used twice."""
    found: list[Migration] = []
    for name in sorted(texts):
        match = _FILE.match(name)
        if match is None:
            raise MigrationError(f"{name}: a migration is called NNNN_what_it_does.sql")
        text = texts[name].replace("\r\n", "\n")  # a checkout's line ends are not a change
        found.append(Migration(int(match[1]), match[2], hashlib.sha256(text.encode()).hexdigest(), text))
    numbers = [migration.number for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise MigrationError(f"migrations are numbered 1, 2, 3 …, each once; found {numbers}")
    return tuple(found)


def compare(applied: Sequence[Applied], shipped: Sequence[Migration]) -> Plan:
    """What is pending. Raises MigrationError when what is applied is not the beginning of what is shipped."""
    for done, migration in zip(applied, shipped, strict=False):
        if done.number != migration.number:
            raise MigrationError(
                f"migration {migration.number:04} is missing in the database although a later one is applied; "
                "restore ops.migration from a backup"
            )
        if done.checksum != migration.checksum:
            raise MigrationError(
                f"migration {done.number:04}_{done.name} was changed after it was applied "
                f"(applied {done.checksum[:12]}, now {migration.checksum[:12]}); "
                "put the file back and add a new migration"
            )
    if len(applied) > len(shipped):
        raise MigrationError(
            f"the database is at migration {applied[-1].number:04}, this program knows {len(shipped):04}; "
            "use the newer program"
        )
    return Plan(tuple(applied), tuple(shipped[len(applied) :]))


async def plan(connection: Any, shipped: Sequence[Migration] | None = None) -> Plan:
    """What the database has and lacks; changes nothing. Raises MigrationError."""
    rows = []
    if await connection.fetchval(query("migration_table_exists")):
        rows = await connection.fetch(query("applied_migrations"))
    return compare([Applied(*row) for row in rows], load_migrations() if shipped is None else shipped)


async def migrate(connection: Any, shipped: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply what is pending, one transaction each, under an advisory lock; what was applied. Raises MigrationError."""
    encoding = await connection.fetchval(query("server_encoding"))
    if encoding != "UTF8":
        raise MigrationError(f"the database's encoding is {encoding}; create one with ENCODING 'UTF8'")
    done: list[Migration] = []
    while True:
        async with connection.transaction():
            await connection.fetchval(query("limit_lock_wait"), f"{LOCK_WAIT_S}s")
            await connection.execute(query("lock_migrations"), LOCK_KEY)
            await connection.execute(query("create_migration_table"))
            pending = (await plan(connection, shipped)).pending
            if not pending:
                return done
            step = pending[0]
            await connection.execute(step.sql)
            await connection.execute(query("record_migration"), step.number, step.name, step.checksum)
        done.append(step)
