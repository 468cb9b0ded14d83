"""``streamer replay``: decide an export again, without Kafka, and say what comes out. Not for: raising anything anew."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from streamer.audit import columns
from streamer.domain.messages import decode_alert
from streamer.domain.replay import Replay, run
from streamer.domain.state import PARTITION
from streamer.export import export
from streamer.settings import Settings


@click.command()
@click.option("--export-to", type=click.File("wb"), help="Also keep the export (JSON Lines).")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An export; default: the records in Kafka.",
)
@click.option("--alerts", type=click.File("wb"), help="Write every alert message here, one a line.")
@click.option("--json", "as_json", is_flag=True)
def replay(export_to: BinaryIO | None, source: Path | None, alerts: BinaryIO | None, *, as_json: bool) -> None:
    """Run the records through the domain alone and print what must stand."""
    lines = (
        source.read_bytes().splitlines() if source else asyncio.run(_collect(Settings.from_env().require_bootstrap()))
    )
    if export_to:
        export_to.writelines(line + b"\n" for line in lines)
    result = run(lines)
    if alerts:
        alerts.writelines(body + b"\n" for _, _, body in result.effects.alerts)
    summary = summarise(result)
    if as_json:
        click.echo(orjson.dumps(summary, option=orjson.OPT_SORT_KEYS).decode())
        return
    for name, value in summary.items():
        click.echo(f"{name:<16}{value if isinstance(value, int) else ''}")
        for key, count in sorted(value.items()) if isinstance(value, dict) else ():
            click.echo(f"  {key:<26}{count:>8,}")


async def _collect(bootstrap: str) -> list[bytes]:
    return [line async for line in export(bootstrap)]


def summarise(result: Replay) -> dict[str, int | dict[str, int]]:
    """Counts by outcome, alerts by action, what stands open, refusals by reason."""
    books = Counter[str]()
    for rows in result.rows.values():
        row = rows.get(PARTITION)
        if row is not None:
            books.update(columns(row))
    events = [decode_alert(body).data for _, _, body in result.effects.alerts]
    last = {data.alert_id: data.action for data in events}
    return {
        "books": dict(books),
        "alerts": dict(Counter(data.action for data in events)),
        "open": sum(action != "lifted" for action in last.values()),
        "notices": len(result.effects.notices),
        "refused": dict(Counter(reason for _, reason, _ in result.effects.refused)),
    }
