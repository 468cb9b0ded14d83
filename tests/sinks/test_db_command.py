"""`streamer db` says what it did, is safe to repeat, and never prints a password."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from streamer.cli.db import db
from streamer.errors import EXIT_CONFIGURATION, EXIT_PROBLEM, StreamerError

PASSWORD = "hunter2-not-to-be-seen"


def run(dsn: str, *arguments: str) -> Result:
    return CliRunner().invoke(db, arguments, env={"DATABASE_URL": dsn})


def test_migrate_and_status_of_a_new_database(postgres: str) -> None:
    before = run(postgres, "status", "--json")
    assert before.exit_code == EXIT_PROBLEM
    assert json.loads(before.stdout)["applied"] == []
    assert "pending  0001 schemas" in run(postgres, "status").stdout
    first, second = (json.loads(run(postgres, "migrate", "--json").stdout)["applied"] for _ in range(2))
    assert first == json.loads(before.stdout)["pending"]
    assert second == []
    after = run(postgres, "status", "--json")
    assert after.exit_code == 0
    assert {"enterprise.record", "person.record", "enterprise.alert", "ops.dead_letter"} <= {
        table["table"] for table in json.loads(after.stdout)["tables"]
    }
    assert "the database is at migration" in run(postgres, "migrate").stdout
    assert "enterprise.alert_history" in run(postgres, "status").stdout


@pytest.mark.parametrize(
    ("dsn", "exit_code"),
    [
        (f"postgresql://someone:{PASSWORD}@127.0.0.1:1/nothing", EXIT_PROBLEM),
        (f"postgresql://someone:{PASSWORD}@127.0.0.1:notaport/x", EXIT_CONFIGURATION),
    ],
)
def test_a_database_that_cannot_be_reached_is_an_error_with_a_next_step_and_no_password(
    dsn: str, exit_code: int
) -> None:
    result = run(dsn, "status")
    assert isinstance(result.exception, StreamerError)
    assert result.exception.exit_code == exit_code
    assert result.exception.todo
    assert PASSWORD not in str(result.exception) + result.output
    assert result.exception.__suppress_context__
