"""``python -m bench``: runs the parts, writes results.json, docs/performance.md and its chart. Not for: how a part measures."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import click

from bench.cluster import Cluster
from bench.context import QUICK, Bench, Plan
from bench.kernel.measure import kernel
from bench.peers import BY_NAME, REPOSITORY, Environments
from bench.store import Store
from streamer import local
from streamer.bench.launch import pin

HOME: Final = REPOSITORY / ".streamer" / "bench"
PARTS: Final[dict[str, Callable[[Bench], Awaitable[None]]]] = {"kernel": kernel}


@click.command()
@click.option("--only", default=",".join(PARTS), show_default=True, help="Parts, by comma.")
@click.option("--peers", default=",".join(BY_NAME), help="Peers of the kernel workload and of the card, by comma.")
@click.option("--rounds", type=click.IntRange(1, 20), help="Of every part, instead of its own number.")
@click.option("--events", type=click.IntRange(1_000, 5_000_000), help="Of the kernel workload, instead of both sizes.")
@click.option("--quick", is_flag=True, help="Everything small, in minutes; writes nothing to docs.")
@click.option("--resume", is_flag=True, help="Go on with the runs of a benchmark that was broken off.")
def main(only: str, peers: str, rounds: int | None, events: int | None, quick: bool, resume: bool) -> None:
    """Measure ours, its peers and plain loops, interleaved, each on one core; the servers on the others."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics come and go: it would tell
    parts = _names(only, PARTS, "--only")
    plan = _plan(QUICK if quick else Plan(), tuple(_names(peers, BY_NAME, "--peers")), rounds, events)
    began = time.time()
    asyncio.run(run(parts, plan, resume=resume))
    say(f"{time.time() - began:.0f} s")


def _names(text: str, known: dict[str, object] | object, option: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in known]  # type: ignore[operator]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: none of {', '.join(known)}", param_hint=option)  # type: ignore[arg-type]
    return names


def _plan(plan: Plan, peers: tuple[str, ...], rounds: int | None, events: int | None) -> Plan:
    plan = replace(plan, peers=peers)
    if events:
        plan = replace(plan, kernel=((events, plan.kernel[0][1]),), guarantee_events=events)
    if rounds:
        names = [name for name in asdict(plan) if name.endswith("_rounds")]
        plan = replace(plan, kernel=tuple((size, rounds) for size, _ in plan.kernel), **dict.fromkeys(names, rounds))
    return plan


async def run(parts: list[str], plan: Plan, *, resume: bool) -> None:
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0] if len(cores) > 1 else None
    pin(set(cores[1:]))  # this process and the servers that it starts
    store = Store(HOME / "runs.jsonl", {"plan": asdict(plan), "python": platform.python_version()}, resume=resume)
    environments = Environments(HOME, say)
    needed = {BY_NAME[name].environment for name in plan.peers}
    await environments.prepare(needed if {"kernel", "card"} & set(parts) else set())
    servers_home = HOME / "servers"
    await local.stop(servers_home, purge=True)  # what a broken run left
    try:
        servers = await local.start(1, home=servers_home, say=say)
        async with Cluster.open(servers.bootstrap_servers) as cluster:
            bench = Bench(plan, HOME, core, cluster, servers.database_url, environments, store, say)
            for part in parts:
                say(f"== {part}")
                await PARTS[part](bench)
    finally:
        await local.stop(servers_home, purge=True)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
