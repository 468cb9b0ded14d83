"""``python -m bench.raw_sink URL``: the rows of every table of a database once more, by INSERT … SELECT unnest into tables with
the same columns and indexes. Timed: the inserts; not the reading. Not for: anything but the measurement of a limit.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import uvloop

from bench.raw import Clock, answer, pinned

TABLES: Final = (
    ("enterprise", "record"),
    ("person", "record"),
    ("enterprise", "alert_history"),
    ("enterprise", "alert"),
    ("enterprise", "notice_history"),
    ("enterprise", "notice"),
    ("enterprise", "status"),
    ("ops", "dead_letter"),
)
BATCH_ROWS: Final = 20_000  # as the sink's transactions
COLUMNS: Final = """
SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


async def copied(connection: Any, schema: str, table: str, clock: Clock) -> int:
    """One table; how many rows."""
    columns = await connection.fetch(COLUMNS, f"{schema}.{table}")
    names = ", ".join(f'"{column["name"]}"' for column in columns)
    rows = await connection.fetch(f"SELECT {names} FROM {schema}.{table}")
    target = f"bench_raw.{schema}_{table}"
    await connection.execute(f"CREATE TABLE {target} (LIKE {schema}.{table} INCLUDING ALL)")
    arrays = ", ".join(f"${number}::{column['type']}[]" for number, column in enumerate(columns, 1))
    insert = f"INSERT INTO {target} ({names}) SELECT * FROM unnest({arrays})"
    for start in range(0, len(rows), BATCH_ROWS):
        values: list[Sequence[Any]] = [list(column) for column in zip(*rows[start : start + BATCH_ROWS], strict=True)]
        with clock:
            async with connection.transaction():
                await connection.execute(insert, *values)
    return len(rows)


async def main(url: str) -> None:
    pinned()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE SCHEMA bench_raw")
        clock = Clock()
        rows = sum([await copied(connection, schema, table, clock) for schema, table in TABLES])
        await connection.execute("DROP SCHEMA bench_raw CASCADE")
    finally:
        await connection.close()
    answer(clock, rows=rows)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
