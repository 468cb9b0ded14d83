"""``streamer bench``: the roles measured quickly, as a table and JSON. Not for: how (``streamer.bench``), or
docs/performance.md (``python -m bench`` in the repository writes it)."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

if TYPE_CHECKING:
    from streamer.bench.report import Result
    from streamer.bench.runs import Run


@click.command()
@click.option("--events", type=click.IntRange(1_000, 2_000_000), default=200_000, show_default=True)
@click.option(
    "--rounds", type=click.IntRange(1, 20), default=2, show_default=True, help="Each measures everything once."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all runs there.")
@click.option("--profile", is_flag=True, help="One more round that says where the time goes.")
@click.option("--growth/--no-growth", default=True, help="An entity with 50,000 facts next to entities with 5.")
def bench(events: int, rounds: int, json_file: Path | None, profile: bool, growth: bool) -> None:
    """Measure intake, dossier, sink and the whole chain, on one core each, in turn.

    Takes a Kafka and a PostgreSQL of its own in a temporary folder, removed at the end; or those of KAFKA_BOOTSTRAP_SERVERS
    and DATABASE_URL when they are empty.
    """
    from streamer.bench import report

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics come and go between runs: it would tell
    result = asyncio.run(_measure(events, rounds, profile=profile, growth=growth))
    for part in (report.table, report.growth, report.goals, report.profiles):
        click.echo("\n" + "\n".join(part(result)))
    if json_file is not None:
        json_file.write_bytes(orjson.dumps(report.as_json(result), option=orjson.OPT_INDENT_2) + b"\n")


async def _measure(events: int, rounds: int, *, profile: bool, growth: bool) -> Result:
    from streamer import local
    from streamer.bench import profiler
    from streamer.bench.launch import pin
    from streamer.bench.report import Machine, Result
    from streamer.bench.runs import Runner
    from streamer.bench.stage import Stage

    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    core = cores[0] if len(cores) > 1 else None
    pin(set(cores[1:]))  # this process and the servers that it starts
    home = Path(tempfile.mkdtemp(prefix="streamer-bench-"))
    runs: list[Run] = []
    many: list[Run] = []
    few: list[Run] = []
    found: dict[str, profiler.Profile] = {}
    try:
        servers = await local.start(1, home=home, say=_say)
        async with Stage.open(servers.bootstrap_servers, servers.database_url, home) as stage:
            runner = Runner(stage, core=core)
            _say(f"publishing {events} events")
            await runner.publish(events)
            for number in range(1, rounds + 1):
                _say(f"round {number} of {rounds}")
                runs += await runner.round(_say_run)
            if profile:
                _say("one more round, sampled")
                sampled = Runner(stage, core=core, profiles=home)
                sampled.events = runner.events
                await sampled.stages()
                found = {role: profiler.read(home / f"{role}.json") for role in ("intake", "dossier", "sink")}
            if growth:
                _say("an entity with many facts")
                many, few = await runner.growth(rounds)
    finally:
        await local.stop(home)
        shutil.rmtree(home, ignore_errors=True)
    machine = Machine(len(cores) or os.cpu_count() or 1, _memory_gb(), platform.python_version(), core is not None)
    return Result(events, rounds, machine, runs, many, few, found)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _say_run(run: Run) -> None:
    _say(f"  {run.name:<8} {run.rate:>8,.0f} events/s {run.cpu_us:>7.1f} µs CPU an event {run.peak_mb:>6,.0f} MB")


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
