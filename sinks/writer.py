"""The one writer of Postgres: a transaction a batch, waiting as long as Postgres is away. Not for: Kafka.

Batches that arrive while a transaction runs go together into the next one. Everything written is idempotent, so a
commit whose answer was lost is simply made again. The caller moves its offsets only after ``write`` has returned.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import Any, NamedTuple

import asyncpg

from sinks.batch import Batch
from sinks.errors import Position, SinkConfigurationError, SinkDataError, Verdict, describe, verdict
from sinks.migrate import load_migrations
from sinks.rows import Row, Table
from sinks.sql import query

log = logging.getLogger(__name__)

Rows = Sequence[tuple[Row, Position]]
ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
APPLICATION = "credit-sink"


class WriterLimits(NamedTuple):
    """How much goes into a transaction, and how long anything may take."""

    transaction_rows: int = 20_000  # batches are joined up to here; one batch is never split
    statement_rows: int = 5_000  # of one table at once: also a slow server gets through one before its time is over
    connect_timeout_s: float = 10
    statement_timeout_s: float = 25  # of each statement; a transaction has several, and no limit of its own
    slow_after_s: float = 5  # a batch that takes longer waits for Postgres, and shows it: well below a stall (30 s)
    first_delay_s: float = 0.1
    max_delay_s: float = 2  # so long at most after Postgres' return until the sink goes on
    log_every_s: float = 30


class _Waiter(NamedTuple):
    batch: Batch
    done: asyncio.Future[None]


class PostgresWriter:
    """Writes batches over one connection; ``waiting`` and ``waiting_since`` (epoch seconds): Postgres is away, or slow."""

    def __init__(
        self,
        dsn: str,
        *,
        limits: WriterLimits | None = None,
        connect: Callable[..., Awaitable[Any]] = asyncpg.connect,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limits = limits or WriterLimits()
        self.while_waiting: Callable[[], AbstractContextManager[object]] = nullcontext
        #: Called with each transaction's rows written and not committed, and once more when they are.
        self.in_transaction: Callable[[], object] = _nothing
        self.after_transaction: Callable[[], object] = _nothing
        self.waiting = False
        self.waiting_since: float | None = None
        self.attempts_failed = 0
        self.transactions = 0
        self.rows = 0
        self.messages = 0
        self._dsn, self._connect, self._sleep, self._clock = dsn, connect, sleep, clock
        self._connection: Any = None
        self._was_connected = False
        self._queue: deque[_Waiter] = deque()
        self._task: asyncio.Task[None] | None = None

    def submit(self, batch: Batch) -> asyncio.Future[None]:
        """Start writing ``batch`` with the next transaction; done when it is durable, however long that takes.

        The future raises SinkDataError or SinkConfigurationError. Memory is the caller's to bound.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not len(batch):
            self.messages += batch.messages
            done.set_result(None)
            return done
        self._queue.append(_Waiter(batch, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name="postgres-writer")
        return done

    async def write(self, batch: Batch) -> None:
        """Submit and wait. Raises SinkDataError, SinkConfigurationError."""
        await self.submit(batch)

    async def close(self) -> None:
        """Give up what is not written yet (its offsets are not moved) and close the connection."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=self.limits.connect_timeout_s)
            except ERRORS:
                connection.terminate()

    async def _drain(self) -> None:
        """Write what is queued, joined, until nothing is."""
        while group := self._take():
            try:
                await self._write_joined(group)
            except BaseException as error:
                abandoned = [*group, *self._queue]
                self._queue.clear()
                for waiter in abandoned:
                    if not waiter.done.done():
                        _fail(waiter.done, error)
                if not isinstance(error, Exception):
                    raise
                return
            for waiter in group:
                if not waiter.done.done():
                    waiter.done.set_result(None)

    def _take(self) -> list[_Waiter]:
        """The next transaction's batches, without those that nobody waits for (their offsets come again)."""
        group: list[_Waiter] = []
        rows = 0
        while self._queue:
            waiter = self._queue[0]
            if not waiter.done.done():
                rows += len(waiter.batch)
                if group and rows > self.limits.transaction_rows:
                    break
                group.append(waiter)
            self._queue.popleft()
        return group

    async def _write_joined(self, group: Sequence[_Waiter]) -> None:
        batch = group[0].batch
        if len(group) > 1:
            batch = Batch()
            for waiter in group:
                batch.merge(waiter.batch)
        await self._write_until_durable(batch)
        self.transactions += 1
        self.rows += len(batch)
        self.messages += batch.messages

    async def _write_until_durable(self, batch: Batch) -> None:
        delay_s, logged_at = self.limits.first_delay_s, 0.0
        with ExitStack() as stack:
            slow = asyncio.get_running_loop().call_later(self.limits.slow_after_s, self._is_slow, stack)
            stack.callback(slow.cancel)
            while True:
                try:
                    await self._attempt(batch)
                    return
                except ERRORS as error:
                    what = verdict(error, was_connected=self._was_connected)
                    if what is Verdict.CONFIGURATION:
                        raise SinkConfigurationError(
                            f"Postgres is not as the sink needs it: {describe(error)}; check DATABASE_URL and "
                            "its rights, run `streamer db status`, then `streamer db migrate`"
                        ) from None
                    if what is Verdict.DATA:  # and yet no row is to blame
                        raise SinkDataError("one of several", "unknown", None, describe(error)) from None
                    self.attempts_failed += 1
                    if what is Verdict.AWAY:
                        self._drop_connection()
                        self._begin_waiting(stack)
                    if self._clock() - logged_at >= self.limits.log_every_s:
                        logged_at = self._clock()
                        log.warning("postgres does not take the batch, trying again: %s", describe(error))
                await self._sleep(delay_s)
                delay_s = min(delay_s * 2, self.limits.max_delay_s)

    async def _attempt(self, batch: Batch) -> None:
        """One try. A row that Postgres refuses for good is looked for, and named in SinkDataError."""
        connection = await self._connected()
        try:
            async with connection.transaction():
                for table, rows in batch.sorted_rows():
                    for start in range(0, len(rows), self.limits.statement_rows):
                        await _execute(connection, table, rows[start : start + self.limits.statement_rows])
                self.in_transaction()
            self.after_transaction()
        except ERRORS as error:
            if verdict(error, was_connected=True) is not Verdict.DATA:
                raise
            await _find_bad_row(connection, batch)
            raise

    async def _connected(self) -> Any:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        connection = await self._connect(
            self._dsn,
            timeout=self.limits.connect_timeout_s,
            command_timeout=self.limits.statement_timeout_s,
            server_settings={"application_name": APPLICATION},
        )
        self._connection = connection
        found, needed = await connection.fetchval(query("applied_schema")), len(load_migrations())
        if found < needed:
            raise SinkConfigurationError(
                f"the database is at migration {found}, the sink needs {needed}; run `streamer db migrate`"
            )
        self._was_connected = True
        return connection

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _is_slow(self, stack: ExitStack) -> None:
        if not self.waiting:
            log.warning("postgres has been at one batch for %.0f s and goes on", self.limits.slow_after_s)
        self._begin_waiting(stack)

    def _begin_waiting(self, stack: ExitStack) -> None:
        if self.waiting:
            return
        self.waiting, self.waiting_since = True, self._clock()
        stack.callback(self._end_waiting)
        stack.enter_context(self.while_waiting())

    def _end_waiting(self) -> None:
        since, self.waiting, self.waiting_since = self.waiting_since, False, None
        if since is not None:
            log.info("no longer waiting for postgres after %.1f s", self._clock() - since)


def _nothing() -> None:
    return None


def _fail(done: asyncio.Future[None], error: BaseException) -> None:
    if isinstance(error, Exception):
        done.set_exception(error)
    else:
        done.cancel()


async def _execute(connection: Any, table: Table, rows: Rows) -> None:
    await connection.execute(query(table.query), [row for row, _ in rows])


async def _find_bad_row(connection: Any, batch: Batch) -> None:
    """Raise SinkDataError for a row that is refused by itself; return when there is none. Writes nothing."""
    trial = connection.transaction()
    await trial.start()
    try:
        for table, rows in batch.sorted_rows():
            error = await _refusal(connection, table, rows)
            if error is None:
                continue
            while len(rows) > 1:  # halves: a refused batch has a refused half, or only its whole is refused
                half = rows[: len(rows) // 2]
                rows = half if await _refusal(connection, table, half) else rows[len(half) :]
            if error := await _refusal(connection, table, rows):
                raise SinkDataError(table.name, table.key_kind, rows[0][1], describe(error)) from None
    finally:
        with suppress(*ERRORS):
            await trial.rollback()


async def _refusal(connection: Any, table: Table, rows: Rows) -> Exception | None:
    """Why ``rows`` are refused, tried and undone; None when they are taken. Raises when Postgres is away."""
    savepoint = connection.transaction()
    await savepoint.start()
    refusal: Exception | None = None
    try:
        await _execute(connection, table, rows)
    except ERRORS as error:
        if verdict(error, was_connected=True) is not Verdict.DATA:
            raise
        refusal = error
    await savepoint.rollback()
    return refusal
