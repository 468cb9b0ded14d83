"""``streamer publish``: a file of JSON Lines to the topics of its sources. Not for what is wrong with them later."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
import msgspec

from streamer.errors import EXIT_PROBLEM, ConfigurationError
from streamer.settings import Settings

if TYPE_CHECKING:
    from streamer.publish import Reader, Report
    from streamer.rulebook import Source


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--alias", metavar="SOURCE[/FORMAT]", help="The lines are rows in this source's own fields.")
@click.option("--skip-bad", is_flag=True, help="Send the good lines although there are bad ones.")
@click.option("--dry-run", is_flag=True, help="Check and send nothing.")
@click.option("--binary", is_flag=True, help="CloudEvents in binary mode (attributes as headers).")
@click.option(
    "--backfill", is_flag=True, help="History: it goes in a bounded number at a time, after the events of today."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def publish(
    file: str, alias: str | None, skip_bad: bool, dry_run: bool, binary: bool, backfill: bool, as_json: bool
) -> int:
    """Send the events of FILE, one JSON object a line (- for standard input); each to its source's topic.

    Every line is checked before the first is sent; with a bad line nothing is. Sent with acks=all, idempotent. Publishing
    a file again is safe: what came already is a duplicate. Exit codes: 0 all acknowledged, 1 bad lines or not all
    acknowledged (the report says which).
    """
    from streamer import publish as work

    settings = Settings.from_env()
    reader = _reader(settings, alias, binary=binary, backfill=backfill)
    with _lines(file) as lines:
        report = work.check(reader, lines)
        if not dry_run and report.read > report.bad and (skip_bad or not report.bad):
            lines.seek(0)
            asyncio.run(
                work.send(settings.require_bootstrap(), reader, lines, report, lambda text: click.echo(text, err=True))
            )
    click.echo(msgspec.json.encode(report).decode() if as_json else _text(report, dry_run))
    complete = not report.bad if dry_run else report.complete
    return 0 if complete else EXIT_PROBLEM


@contextmanager
def _lines(file: str) -> Iterator[BinaryIO]:
    """The file, to be read twice; standard input is kept in memory, for it must not lie about on a disk."""
    if file == "-":
        yield io.BytesIO(click.get_binary_stream("stdin").read())
        return
    with Path(file).open("rb") as opened:
        yield opened


def _reader(settings: Settings, alias: str | None, *, binary: bool, backfill: bool) -> Reader:
    from streamer.aliases import AliasError, read
    from streamer.publish import Reader
    from streamer.rulebook import RulebookError, sources

    try:
        known = {source.id: source for source in sources(Path(settings.sources) if settings.sources else None)}
    except RulebookError as error:
        raise ConfigurationError(str(error), todo="correct the file that STREAMER_SOURCES names") from error
    if alias is None:
        return Reader(known, binary=binary, backfill=backfill)
    source, _, form = alias.partition("/")
    try:
        alias_map = read(_map(known, source, form))
        return Reader(known, source=source, alias=alias_map, binary=binary, backfill=backfill)
    except AliasError as error:
        raise ConfigurationError(f"the alias map of {alias} is wrong: {error}") from error


def _map(known: dict[str, Source], source: str, form: str) -> dict[str, object]:
    if source not in known:
        raise click.UsageError(f"no source '{source}'; there are {', '.join(known)}")
    forms = known[source].aliases
    found = forms.get(form) if form else known[source].alias
    if found is None:
        raise click.UsageError(f"source '{source}' has no such alias map; it has {', '.join(forms) or 'none'}")
    return found


def _text(report: Report, dry_run: bool) -> str:
    lines = [f"line {b.line}: {b.reason} at {b.json_pointer or '/'}: {b.why}" for b in report.bad_lines]
    if report.bad > len(report.bad_lines):
        lines.append(f"and {report.bad - len(report.bad_lines)} more bad lines")
    lines += [f"{count:>8} {name}" for name, count in report.types.items()]
    lines.append(f"{report.read} read, {report.bad} bad, {report.sent} sent, {report.acknowledged} acknowledged")
    if report.error:
        lines.append(f"{report.error}; publish the file again: what came already is a duplicate")
    elif report.bad and not report.sent and not dry_run:
        lines.append("nothing was sent: correct the bad lines, or send the others with --skip-bad")
    return "\n".join(lines)
