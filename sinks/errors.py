"""What can go wrong with Postgres, in words, and what to do about it. Not for: doing it (``sinks.writer``)."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

import asyncpg


class Position(NamedTuple):
    """Where a message lies in Kafka: enough to find it, without a word of its content."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic} partition {self.partition} offset {self.offset}"


class UndecodableMessage(ValueError):  # noqa: N818 - says what the message is
    """A message on a topic of our own is not what its contract says: a bug of its producer."""

    def __init__(self, at: Position, why: str) -> None:
        super().__init__(f"{at}: {why}; the producer of this topic broke its contract, the sink does not guess")
        self.at = at


class SinkDataError(Exception):
    """Postgres refuses a row for good: a bug. Says table, key and column, never a value."""

    def __init__(self, table: str, key: str, at: Position | None, why: str) -> None:
        where = f" from {at}" if at else ""
        super().__init__(f"{table}: a row (key {key}){where} is refused: {why}; nothing of its batch was written")
        self.table, self.key, self.at = table, key, at


class SinkConfigurationError(Exception):
    """The database is there but not as the sink needs it; waiting would not help."""


class Verdict(Enum):
    """What to do about an error: wait for the server, try again, repair the configuration, or find the bad row."""

    AWAY = "away"
    RETRY = "retry"
    CONFIGURATION = "configuration"
    DATA = "data"


# SQLSTATE, longest prefix first (PostgreSQL, appendix A). What is not named here is about the rows.
_BY_SQLSTATE: Final = {
    "25006": Verdict.AWAY,  # read-only: a standby, or a fail-over under way
    "25P03": Verdict.AWAY,  # idle in transaction for too long
    "57P04": Verdict.CONFIGURATION,  # database dropped
    "26": Verdict.AWAY,  # a prepared statement is gone: a pooler gave another session
    "55": Verdict.RETRY,  # lock not available
    "40": Verdict.RETRY,  # deadlock, serialisation
    "08": Verdict.AWAY,  # connection
    "53": Verdict.AWAY,  # out of disk, memory, connections
    "57": Verdict.AWAY,  # shutting down, starting up, cancelled
    "58": Verdict.AWAY,  # I/O
    "XX": Verdict.AWAY,  # internal
    "28": Verdict.CONFIGURATION,  # login
    "3D": Verdict.CONFIGURATION,  # no such database
    "3F": Verdict.CONFIGURATION,  # no such schema
    "42": Verdict.CONFIGURATION,  # no such table, no right to it
    "0A": Verdict.CONFIGURATION,  # not supported by this server
}
_DOUBTFUL: Final = ("28", "3D", "57P04")  # during a fail-over a proxy may say so for a while


def verdict(error: BaseException, *, was_connected: bool) -> Verdict:
    """What to do about ``error``. A login that fails is waited for once one succeeded (a fail-over)."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate or "")
        if was_connected and state.startswith(_DOUBTFUL):
            return Verdict.AWAY
        return next((found for prefix, found in _BY_SQLSTATE.items() if state.startswith(prefix)), Verdict.DATA)
    if isinstance(error, asyncpg.exceptions.ClientConfigurationError):
        return Verdict.CONFIGURATION
    if isinstance(error, OSError | asyncpg.InternalClientError):
        return Verdict.AWAY
    if isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError):
        return Verdict.AWAY  # the connection was closed under it
    return Verdict.DATA


def describe(error: BaseException) -> str:
    """Kind, SQLSTATE, column and constraint of an error; its own text may quote values and stays out."""
    state = getattr(error, "sqlstate", None)
    column = getattr(error, "column_name", None)
    constraint = getattr(error, "constraint_name", None)
    parts = [f"SQLSTATE {state}" if state else "", f"column {column}" if column else ""]
    parts.append(f"constraint {constraint}" if constraint else "")
    detail = ", ".join(part for part in parts if part)
    return f"{type(error).__name__} ({detail})" if detail else type(error).__name__
