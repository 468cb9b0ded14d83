"""``streamer db``: bring PostgreSQL to the program's schema, and look at it. Not for: reading anybody's rows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import click

from sinks import migrate as migrations
from sinks.errors import Verdict, describe, verdict
from sinks.sql import query
from streamer.errors import EXIT_PROBLEM, ConfigurationError, StreamerError

CONNECT_TIMEOUT_S: Final = 10
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def db() -> None:
    """The PostgreSQL schemas: migrate, status.

    The database is DATABASE_URL, or that of `streamer local up`.
    """


@db.command()
@JSON_OPTION
def migrate(as_json: bool) -> None:
    """Apply the migrations that are pending. Doing it again changes nothing; several at once wait for each other."""
    done = _run(migrations.migrate)
    if as_json:
        click.echo(json.dumps({"applied": [{"number": step.number, "name": step.name} for step in done]}))
        return
    for step in done:
        click.echo(f"applied {step.number:04} {step.name}")
    newest = migrations.load_migrations()[-1]
    click.echo(f"the database is at migration {newest.number:04} {newest.name}")


@db.command()
@JSON_OPTION
def status(as_json: bool) -> None:
    """Migrations applied and pending, tables with their (estimated) rows. Exit 1 when migrations are pending."""
    found = _run(_status)
    if as_json:
        click.echo(json.dumps(found))
    else:
        _print(found)
    if found["pending"]:
        raise SystemExit(EXIT_PROBLEM)


async def _status(connection: Any) -> dict[str, Any]:
    server = await connection.fetchrow(query("about_server"))
    plan = await migrations.plan(connection)
    tables = await connection.fetch(query("table_sizes"))
    return {
        "server": dict(server),
        "applied": [
            {"number": step.number, "name": step.name, "applied_at": step.applied_at.isoformat()}
            for step in plan.applied
        ],
        "pending": [{"number": step.number, "name": step.name} for step in plan.pending],
        "tables": [dict(table) for table in tables],
    }


def _print(found: dict[str, Any]) -> None:
    server = found["server"]
    click.echo(f"PostgreSQL {server['version']}, database {server['database']}{', read-only' * server['read_only']}")
    for step in found["applied"]:
        click.echo(f"applied  {step['number']:04} {step['name']} ({step['applied_at'][:19]}Z)")
    for step in found["pending"]:
        click.echo(f"pending  {step['number']:04} {step['name']}: run `streamer db migrate`")
    for table in found["tables"]:
        click.echo(f"{table['table']:<28} {table['rows']:>12,} rows {table['bytes'] / 2**20:>10,.1f} MiB")


def _run(work: Callable[[Any], Awaitable[Any]]) -> Any:
    """``work`` with a connection; what goes wrong becomes an error with a next step, without the URL (it holds a password)."""
    from streamer.settings import Settings

    url = Settings.from_env().require_database()
    try:
        return asyncio.run(_with_connection(url, work))
    except migrations.MigrationError as error:
        raise ConfigurationError(str(error), where="the database of DATABASE_URL") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, ValueError) as error:
        raise _explained(error) from None


async def _with_connection(url: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S, server_settings={"TimeZone": "UTC"})
    try:
        return await work(connection)
    finally:
        connection.terminate()


def _explained(error: BaseException) -> StreamerError:
    what = f"PostgreSQL: {describe(error)}"
    match verdict(error, was_connected=False):
        case Verdict.AWAY | Verdict.RETRY:
            return StreamerError(what, todo="see that the server of DATABASE_URL runs and is not busy, then try again")
        case _:
            return ConfigurationError(
                what,
                todo="check DATABASE_URL: address, user, password, database, and the right to create schemas and roles",
            )
