"""Which errors of Postgres are waited for, and which end the sink."""

from __future__ import annotations

import asyncpg
import pytest

from sinks.errors import Verdict, verdict


@pytest.mark.parametrize(
    ("error", "was_connected", "expected"),
    [
        (ConnectionRefusedError(), False, Verdict.AWAY),
        (TimeoutError(), True, Verdict.AWAY),
        (asyncpg.AdminShutdownError(""), True, Verdict.AWAY),
        (asyncpg.CannotConnectNowError(""), False, Verdict.AWAY),
        (asyncpg.ReadOnlySQLTransactionError(""), True, Verdict.AWAY),
        (asyncpg.DiskFullError(""), True, Verdict.AWAY),
        (asyncpg.ConnectionDoesNotExistError(""), True, Verdict.AWAY),
        (asyncpg.InterfaceError("connection is closed"), True, Verdict.AWAY),
        (asyncpg.DeadlockDetectedError(""), True, Verdict.RETRY),
        (asyncpg.SerializationError(""), True, Verdict.RETRY),
        (asyncpg.LockNotAvailableError(""), True, Verdict.RETRY),
        (asyncpg.InvalidPasswordError(""), False, Verdict.CONFIGURATION),
        (asyncpg.InvalidPasswordError(""), True, Verdict.AWAY),
        (asyncpg.UndefinedTableError(""), True, Verdict.CONFIGURATION),
        (asyncpg.InsufficientPrivilegeError(""), True, Verdict.CONFIGURATION),
        (asyncpg.CheckViolationError(""), True, Verdict.DATA),
        (asyncpg.UntranslatableCharacterError(""), True, Verdict.DATA),
        (asyncpg.ProgramLimitExceededError(""), True, Verdict.DATA),
    ],
)
def test_an_error_is_waited_for_retried_reported_or_searched(
    error: BaseException, was_connected: bool, expected: Verdict
) -> None:
    assert verdict(error, was_connected=was_connected) is expected
