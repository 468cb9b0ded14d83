"""``streamer tick``: a date into every partition of the records. Not for: production's midnight (the dossier's owner writes it)."""

from __future__ import annotations

import asyncio
from datetime import date, datetime

import click

from streamer import ticks
from streamer.domain.dates import BEIJING
from streamer.engine import wall
from streamer.settings import Settings


@click.command()
@click.argument("day", required=False)
def tick(day: str | None) -> None:
    """Move every partition's clock to DAY (YYYY-MM-DD; default: today in Beijing).

    Another date than today's is refused by the dossier unless the rulebook was activated with simulated ticks.
    """
    try:
        on = date.fromisoformat(day) if day else datetime.fromtimestamp(wall.now_s(), BEIJING).date()
    except ValueError:
        raise click.BadParameter(f"{day!r} is no date: write YYYY-MM-DD", param_hint="DAY") from None
    count = asyncio.run(ticks.send(Settings.from_env().require_bootstrap(), on.isoformat()))
    click.echo(f"ticked {count} partitions to {on.isoformat()}")
