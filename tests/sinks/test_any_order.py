"""Any order, duplication and batching of the same messages gives the same tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.batch import Batch
from sinks.errors import Position
from sinks.writer import PostgresWriter
from tests.sinks import samples
from tests.sinks.samples import Message

TABLES = ("alert", "alert_history", "notice", "notice_history", "status")
LAST_REVISION = 4


def _messages() -> list[Message]:
    """Two alerts (both topics), a notice and two entities' status, each through all its revisions."""
    made: list[Message] = []
    for revision in range(1, LAST_REVISION + 1):
        action = {1: "raised", LAST_REVISION: "lifted"}.get(revision, "amended")
        for alert_id in ("a1", "a2"):
            made += [
                samples.alert(alert_id, revision, action),
                samples.alert(alert_id, revision, action, standing=True),
            ]
        made.append(samples.notice(revision=revision, action="closed" if revision == LAST_REVISION else "raised"))
        made += [samples.status(revision), samples.status(revision, org=samples.OTHER_ORG)]
    return made


MESSAGES = _messages()


async def _write(writer: PostgresWriter, messages: list[Message]) -> None:
    batch = Batch()
    for message in messages:
        batch.add(samples.rows(message), Position(message[0], 0, 0))
    await writer.write(batch)


async def _tables(db: Any) -> list[list[tuple[Any, ...]]]:
    return [[tuple(row) for row in await db.fetch(f"SELECT * FROM enterprise.{name} ORDER BY 1, 2")] for name in TABLES]


async def _empty(db: Any) -> None:
    await db.execute("TRUNCATE " + ", ".join(f"enterprise.{name}" for name in TABLES))


@pytest.fixture
async def writer(dsn: str) -> AsyncIterator[PostgresWriter]:
    made = PostgresWriter(dsn)
    yield made
    await made.close()


async def test_any_order_duplication_and_batching_gives_the_same_tables(writer: PostgresWriter, dsn: str) -> None:
    db = await asyncpg.connect(dsn)
    for message in MESSAGES:
        await _write(writer, [message])
    expected = await _tables(db)
    loop = asyncio.get_running_loop()
    assert [len(rows) for rows in expected] == [2, 2 * LAST_REVISION, 1, LAST_REVISION, 2]

    async def check(sent: list[Message], cuts: list[int]) -> None:
        await _empty(db)
        start = 0
        for cut in cuts:
            await _write(writer, sent[start:cut])
            start = max(start, cut)
        assert await _tables(db) == expected

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(
        order=st.permutations(MESSAGES),
        again=st.lists(st.sampled_from(MESSAGES), max_size=20),
        cuts=st.sets(st.integers(1, len(MESSAGES) + 19), max_size=12),
    )
    def holds(order: list[Message], again: list[Message], cuts: set[int]) -> None:
        checked = check([*order, *again], [*sorted(cuts), len(MESSAGES) + len(again)])
        asyncio.run_coroutine_threadsafe(checked, loop).result()

    await asyncio.to_thread(holds)  # Hypothesis is synchronous, the connections belong to this loop
    await db.close()
