"""``streamer audit``: the books, in words or as JSON. Not for: counting (``streamer.audit``)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from streamer import audit as books
from streamer.errors import EXIT_OK, EXIT_PROBLEM
from streamer.rulebook import sources
from streamer.settings import Settings


@click.command()
@click.option(
    "--opening", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A report of an earlier audit."
)
@click.option(
    "--timeout",
    "timeout_s",
    default=books.BARRIER_TIMEOUT_S,
    show_default=True,
    help="Seconds to wait for the workers.",
)
@click.option("--json", "as_json", is_flag=True, help="The whole report, which is also an opening balance.")
def audit(opening: Path | None, timeout_s: float, *, as_json: bool) -> int:
    """Account for every event: exit 0 when the residual is 0, else 1."""
    settings = Settings.from_env()
    start = msgspec.json.decode(opening.read_bytes(), type=books.Report).closing if opening else None
    report = asyncio.run(
        books.audit(
            settings.require_bootstrap(),
            sources=[source.id for source in sources(settings.sources)],
            intake_group=settings.app_id("intake"),
            dossier_group=settings.app_id("dossier"),
            changelog=f"{settings.app_id('dossier')}-dossier-changelog",
            opening=start,
            timeout_s=timeout_s,
        )
    )
    click.echo(msgspec.json.encode(report).decode() if as_json else in_words(report))
    return EXIT_OK if report.residual == 0 else EXIT_PROBLEM


def in_words(report: books.Report) -> str:
    """The report for a person."""
    lines = [f"{report.events:,} events, {report.items:,} items of account"]
    lines += [f"  {fate:<14}{count:>10,}" for fate, count in report.fates.items()]
    lines.append(
        f"  of the applied, {report.witnesses:,} are further witnesses; {report.resent_messages:,} messages were resent copies"
    )
    if report.reasons:
        lines.append("refused or parked, by reason")
        lines += [f"  {reason:<28}{count:>8,}" for reason, count in report.reasons.items()]
    lines += [f"  DIFFERENCE {name}: {count:,}" for name, count in report.differences.items() if count]
    lines += [f"    e.g. {example}" for example in report.examples]
    lines.append(f"residual {report.residual}")
    return "\n".join(lines)
