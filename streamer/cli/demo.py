"""``streamer demo``: everything end to end on a generated, visibly fictional world, checked against its truth.

Not for: real data. Exit code 0 only when outcome, truth and replay agree.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import orjson

from streamer.demo import tell, verify
from streamer.demo.runner import Demo, Result, summary
from streamer.errors import EXIT_OK, EXIT_PROBLEM
from streamer.settings import Settings

FURTHER: Final = (
    'export STREAMER_HOME="$PWD/.streamer/demo" PATH="$PWD/.venv/bin:$PATH"',
    "streamer status            lag of each role; `streamer status CODE` what stands about an entity",
    "streamer audit             the books",
    "streamer local status      where Kafka and PostgreSQL are; `streamer local down` stops them",
    "SQL      SELECT domain, action, count(*) FROM enterprise.alert GROUP BY 1, 2;",
    "topics   credit.alerts.procurement, credit.standing.procurement, credit.outcomes.tax, credit.dead-letters",
    "metrics  GET /metrics on the port in $STREAMER_HOME/state/credit-<role>-demo/http.port",
)


@click.command()
@click.option("--events", default=verify.FULL_SIZE, show_default=True, help="At least so many.")
@click.option("--seed", default=20_260_105, show_default=True)
@click.option(
    "--keep", is_flag=True, default=lambda: os.environ.get("KEEP") == "1", help="Leave all of it running (KEEP=1)."
)
@click.option("--json", "as_json", is_flag=True)
def demo(events: int, seed: int, *, keep: bool, as_json: bool) -> int:
    """Run departments, workers, kills, ticks and checks on this machine."""
    result = asyncio.run(_run(events, seed, keep=keep, quiet=as_json))
    if as_json:
        click.echo(orjson.dumps(summary(result)).decode())
    else:
        _print(result, keep=keep)
    return EXIT_OK if result.ok else EXIT_PROBLEM


async def _run(events: int, seed: int, *, keep: bool, quiet: bool) -> Result:
    given = Settings.from_env()
    settings = replace(given, home=given.home / "demo")  # its own servers and state: it begins by removing them
    folder = settings.home / "world"
    folder.mkdir(parents=True, exist_ok=True)
    _forget(settings.home, folder)
    begun = time.monotonic()

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"{time.monotonic() - begun:6.1f} s  {text}", err=True)

    run = Demo(settings, folder, events=events, seed=seed, say=say)
    done = False
    try:
        await run.servers()
        truth = await run.prepare()
        say(f"truth written, then {truth.messages:,} events of {len(run.sources)} sources; seed {seed}")
        await run.work(truth)
        result = await run.verdict(truth)
        done = True
        return result
    finally:
        if not (keep and done):
            await run.stop(servers=True)


def _forget(home: Path, folder: Path) -> None:
    """State folders and logs of an earlier demo: its topics are gone with its servers."""
    shutil.rmtree(home / "state", ignore_errors=True)
    for log in folder.glob("*.log"):
        log.unlink()


def _print(result: Result, *, keep: bool) -> None:
    click.echo("\nitems by fate")
    for fate, count in result.report.fates.items():
        click.echo(f"  {fate:<16}{count:>9,}")
    click.echo("refused or parked, by reason")
    for reason, count in result.report.reasons.items():
        click.echo(f"  {reason:<28}{count:>7,}")
    click.echo("\nthree alerts in words\n")
    last = sorted(verify.last_alerts(result.emitted).values(), key=lambda data: data.alert_id)
    for action in ("raised", "lifted"):
        for data in [data for data in last if data.action == action][: 2 if action == "raised" else 1]:
            click.echo(tell.alert(data) + "\n")
    click.echo("checks")
    for check in result.checks:
        click.echo(f"  {'ok  ' if check.ok else 'FAIL'}  {check.name:<40}{check.detail}")
    click.echo("\ntime: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.seconds.items()))
    click.echo("\nto look further" + ("" if keep else " (run it with KEEP=1 first: everything is stopped now)"))
    for line in FURTHER:
        click.echo("  " + line)
