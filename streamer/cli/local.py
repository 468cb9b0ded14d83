"""``streamer local``: the servers of this machine, up, down, status. Not for: servers of others."""

from __future__ import annotations

import asyncio
import json

import click

from streamer.errors import EXIT_PROBLEM


@click.group()
def local() -> None:
    """Kafka and PostgreSQL on this machine: up, down, status.

    Data live in STREAMER_HOME (./.streamer). With KAFKA_BOOTSTRAP_SERVERS or DATABASE_URL set, those are used instead.
    """


@local.command()
@click.option("--brokers", type=click.Choice(["1", "3"]), default="1", show_default=True, help="Kafka brokers.")
@click.option("--postgres/--no-postgres", default=True, help="Start PostgreSQL as well.")
@click.option("--kafka-port", type=click.IntRange(1024, 65_000), help="First broker's port; a free one by default.")
@click.option("--postgres-port", type=click.IntRange(1024, 65_000), help="PostgreSQL's port; a free one by default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def up(brokers: str, postgres: bool, kafka_port: int | None, postgres_port: int | None, as_json: bool) -> None:
    """Start what does not run; print where it is."""
    from streamer.local import start

    servers = asyncio.run(
        start(
            int(brokers),
            postgres,
            kafka_port=kafka_port,
            postgres_port=postgres_port,
            say=lambda text: click.echo(text, err=True),
        )
    )
    if as_json:
        click.echo(json.dumps({**servers._asdict(), "home": str(servers.home)}))
        return
    click.echo(f"export KAFKA_BOOTSTRAP_SERVERS={servers.bootstrap_servers}")
    if servers.database_url:
        click.echo(f"export DATABASE_URL={servers.database_url}")


@local.command()
@click.option("--purge", is_flag=True, help="Remove their data too.")
def down(purge: bool) -> None:
    """Stop the servers of this home."""
    from streamer.local import stop

    asyncio.run(stop(purge=purge))


@local.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def status(as_json: bool) -> None:
    """Ask every server; exit 1 when one does not answer or there is none."""
    from streamer.local import status as ask

    found = asyncio.run(ask())
    if as_json:
        click.echo(json.dumps([server._asdict() for server in found]))
    else:
        for server in found:
            state = "answers" if server.answers else "does not answer"
            whose = "given by the environment" if server.external else f"pid {server.pid or '-'}"
            click.echo(f"{server.name:<10} {server.address:<30} {state} ({whose})")
        if not found:
            click.echo("no servers: `streamer local up` starts them")
    if not found or not all(server.answers for server in found):
        raise SystemExit(EXIT_PROBLEM)
