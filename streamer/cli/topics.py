"""``streamer topics``: compare the cluster with the contract, and create what is missing. Not for data in topics."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from streamer.errors import EXIT_PROBLEM, ConfigurationError
from streamer.settings import Settings

if TYPE_CHECKING:
    from streamer.admin import Change, Ticks
    from streamer.domain.law import Rulebook

BEIJING: Final = dt.timezone(dt.timedelta(hours=8))  # no summer time since 1991
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def topics() -> None:
    """The topics of the contract: plan, apply.

    Which there are follows from the sources (STREAMER_SOURCES) and approval domains; how many partitions and replicas
    from STREAMER_PARTITIONS and STREAMER_REPLICATION; all else from topics/settings.yaml.
    """


@topics.command()
@JSON_OPTION
def plan(as_json: bool) -> int:
    """Say what ``apply`` would do. Exit code 0: nothing to do, 1: changes."""
    from streamer import admin
    from streamer.rulebook import open_domains
    from topics import catalog

    settings = Settings.from_env()
    wanted = catalog.topics(source_ids(settings), open_domains(), settings.app_id("dossier"))
    found = asyncio.run(
        admin.plan(
            settings.require_bootstrap(), wanted, partitions=settings.partitions, replication=settings.replication
        )
    )
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for change in found.changes:
            click.echo(_line(change))
        click.echo(f"{found.topics} topics, {len(found.changes)} changes")
    return EXIT_PROBLEM if found.changes else 0


@topics.command()
@click.option("--rulebook", help="fictional, real or a folder (STREAMER_RULEBOOK).")
@click.option(
    "--clock", help="The Beijing date that new partitions start with; only with simulated ticks. Default: today."
)
@click.option("--ticks", type=click.Choice(["append", "simulated"]), default="append", show_default=True)
@JSON_OPTION
def apply(rulebook: str | None, clock: str | None, ticks: Ticks, as_json: bool) -> None:
    """Create topics, set their settings, publish the rulebook, activate it in partitions that are empty.

    Repeats nothing, deletes nothing, and refuses another number of partitions.
    """
    from streamer import admin
    from streamer.rulebook import open_domains

    settings = Settings.from_env()
    done = asyncio.run(
        admin.ensure(
            settings.require_bootstrap(),
            sources=source_ids(settings),
            domains=open_domains(),
            partitions=settings.partitions,
            replication=settings.replication,
            rulebook=_rulebook(rulebook or settings.rulebook),
            clock=_clock(clock, ticks),
            ticks=ticks,
            app_id=settings.app_id("dossier"),
        )
    )
    if as_json:
        click.echo(msgspec.json.encode(done).decode())
        return
    for name in done.created:
        click.echo(f"created {name}")
    for name in done.altered:
        click.echo(f"settings of {name} set")
    click.echo(f"rulebook {done.rulebook} {'published' if done.rulebook_published else 'was there'}")
    click.echo(f"activated in {len(done.activated)} empty partitions of credit.records")


def source_ids(settings: Settings) -> list[str]:
    """The sources of the deployment's own file (STREAMER_SOURCES), or of the one that ships."""
    from streamer.rulebook import RulebookError, sources

    try:
        return [source.id for source in sources(Path(settings.sources) if settings.sources else None)]
    except RulebookError as error:
        raise ConfigurationError(str(error), todo="correct the file that STREAMER_SOURCES names") from error


def _rulebook(name: str) -> Rulebook:
    from streamer.rulebook import RulebookError, load

    try:
        return load(name)
    except RulebookError as error:
        raise ConfigurationError(str(error), todo="see `streamer rules check`") from error


def _clock(text: str | None, ticks: Ticks) -> str:
    today = dt.datetime.now(BEIJING).date().isoformat()
    if text is None:
        return today
    if ticks == "append" and text != today:
        raise click.UsageError("--clock other than today needs --ticks simulated: in production a date is what it is")
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise click.UsageError("--clock is a date that exists, YYYY-MM-DD") from None


def _line(change: Change) -> str:
    if change.action == "create":
        return f"create {change.topic} ({change.want['partitions']} partitions, {change.want['replication']} replicas)"
    if change.refused:
        return f"REFUSED {change.topic}: {change.refused}"
    return f"set on {change.topic}: " + ", ".join(
        f"{name} {change.have[name] or 'unset'} -> {want}" for name, want in change.want.items()
    )
