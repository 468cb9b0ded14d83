"""``python -m bench``: runs the parts, writes results.json, docs/performance.md and its chart. Not for: how a part measures."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import click
import orjson

from bench import page
from bench.chain import chain, sink
from bench.cluster import Cluster
from bench.context import QUICK, Bench, Plan
from bench.growth import growth
from bench.guarantees import guarantees
from bench.kernel.card import card
from bench.kernel.measure import kernel
from bench.latency import latency
from bench.machine import Machine, machine
from bench.peers import BY_NAME, HERE, REPOSITORY, Environments
from bench.recovery import recovery
from bench.store import Run, Store
from streamer import local
from streamer.bench.launch import pin

HOME: Final = REPOSITORY / ".streamer" / "bench"
RESULTS: Final = HERE / "results.json"
PARTS: Final[dict[str, Callable[[Bench], Awaitable[None]]]] = {
    "kernel": kernel,
    "chain": chain,
    "growth": growth,
    "recovery": recovery,
    "latency": latency,
    "sink": sink,
    "guarantees": guarantees,
    "card": card,
}


@click.command()
@click.option("--only", default=",".join(PARTS), show_default=True, help="Parts, by comma.")
@click.option("--peers", default=",".join(BY_NAME), help="Peers of the kernel workload and of the card, by comma.")
@click.option("--rounds", type=click.IntRange(1, 20), help="Of every part, instead of its own number.")
@click.option("--events", type=click.IntRange(1_000, 5_000_000), help="Of the kernel workload, instead of both sizes.")
@click.option("--quick", is_flag=True, help="Everything small, in minutes; writes nothing to docs.")
@click.option("--resume", is_flag=True, help="Go on with the runs of a benchmark that was broken off.")
@click.option(
    "--report", "only_report", is_flag=True, help="Measure nothing: write the page of bench/results.json again."
)
def main(
    only: str, peers: str, rounds: int | None, events: int | None, quick: bool, resume: bool, only_report: bool
) -> None:
    """Measure ours, its peers and plain loops, interleaved, each on one core; the servers on the others.

    A run of all parts writes bench/results.json, docs/performance.md and docs/performance.svg; any other writes the same
    files into .streamer/bench/.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics come and go: it would tell
    parts = _names(only, PARTS, "--only")
    plan = _plan(QUICK if quick else Plan(), tuple(_names(peers, BY_NAME, "--peers")), rounds, events)
    docs = set(parts) == set(PARTS) and not quick
    if only_report:
        kept = orjson.loads(RESULTS.read_bytes())
        report([Run(**run) for run in kept["runs"]], Machine(**kept["machine"]), kept["plan"], docs=True)
        return
    cores = len(os.sched_getaffinity(0))
    head = {"plan": asdict(plan), "quick": quick, "machine": machine(cores, pinned=cores > 1)._asdict()}
    path = HOME / "runs.jsonl"
    HOME.mkdir(parents=True, exist_ok=True)
    lock = (HOME / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # to the end of this process
    except BlockingIOError as error:
        raise click.ClickException(f"another benchmark runs in {HOME}; wait for its end") from error
    try:
        store = Store.open(path).of_plan(head) if resume and path.exists() else Store.begin(path, head)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    began = time.time()
    broken = asyncio.run(run(parts, store, plan))
    report(store.runs, Machine(**store.head["machine"]), store.head["plan"], docs=docs and not broken)
    say(f"{time.time() - began:.0f} s")
    if broken:
        raise click.ClickException(f"not measured: {', '.join(broken)}; --resume goes on with them")


def _names(text: str, known: Mapping[str, object], option: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: none of {', '.join(known)}", param_hint=option)
    return names


def _plan(plan: Plan, peers: tuple[str, ...], rounds: int | None, events: int | None) -> Plan:
    plan = replace(plan, peers=peers)
    if events:
        plan = replace(plan, kernel=((events, plan.kernel[0][1]),), guarantee_events=events)
    if rounds:
        plan = replace(
            plan, kernel=tuple((size, rounds) for size, _ in plan.kernel), chain_rounds=rounds, sink_rounds=rounds
        )
        plan = replace(plan, growth_rounds=rounds, recovery_rounds=rounds, guarantee_rounds=rounds)
    return plan


async def run(parts: list[str], store: Store, plan: Plan) -> list[str]:
    """The parts that broke."""
    broken: list[str] = []
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # so that what was started is ended
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0] if len(cores) > 1 else None
    environments = Environments(HOME, say)
    needed = {BY_NAME[name].environment for name in plan.peers}
    await environments.prepare(needed if {"kernel", "card"} & set(parts) else set())
    pin(set(cores[1:]))  # this process and the servers that it starts
    servers_home = HOME / "servers"
    await local.stop(servers_home, purge=True)  # what a broken run left
    shutil.rmtree(HOME / "state", ignore_errors=True)
    try:
        servers = await local.start(1, home=servers_home, say=say)
        async with Cluster.open(servers.bootstrap_servers) as cluster:
            bench = Bench(plan, HOME, core, cluster, servers.database_url, environments, store, say)
            for part in parts:
                say(f"== {part}")
                try:
                    await PARTS[part](bench)
                except Exception:  # noqa: BLE001 - the other parts can still be measured; the exit code says it
                    traceback.print_exc()
                    broken.append(part)
            await bench.forget()
    finally:
        await local.stop(servers_home, purge=True)
    return broken


def report(runs: list[Run], on: Machine, plan: dict[str, Any], *, docs: bool) -> None:
    """results.json, the page and its chart: into the repository, or beside the runs."""
    notes, method = ((HERE / name).read_text(encoding="utf-8") for name in ("notes.md", "method.md"))
    text = page.page(runs, on, plan, notes, method)
    found = orjson.dumps(page.results(runs, on, plan), option=orjson.OPT_INDENT_2) + b"\n"
    folder = REPOSITORY / "docs" if docs else HOME
    (folder / "performance.md").write_text(text, encoding="utf-8")
    (folder / page.CHART).write_text(page.drawing(runs), encoding="utf-8")
    (RESULTS if docs else HOME / RESULTS.name).write_bytes(found)
    print("\n".join(page.goals(runs)))
    if not docs:
        say("not all of it, or smaller than the goals speak of: a trial")
    say(f"written: {folder / 'performance.md'}")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
