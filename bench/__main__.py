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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import click
import orjson

from bench import page
from bench.chain import chain, sink
from bench.cluster import Cluster
from bench.context import QUICK, Bench, Plan
from bench.estimate import estimate, plan_in_words, spoken
from bench.growth import growth
from bench.guarantees import guarantees
from bench.kernel.card import card
from bench.kernel.measure import kernel
from bench.latency import latency
from bench.machine import machine, source
from bench.peers import BY_NAME, HERE, REPOSITORY, Environments
from bench.recovery import recovery
from bench.store import Run, Store, failures
from streamer import local
from streamer.bench.launch import pin

HOME: Final = REPOSITORY / ".streamer" / "bench"
TRIAL: Final = HOME / "trial"
DOCS: Final = REPOSITORY / "docs"
RESULTS: Final = HERE / "results.json"
PART_TIMEOUT_S: Final = 1800.0
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
@click.option("--quick", is_flag=True, help="Everything small, in minutes.")
@click.option("--resume", is_flag=True, help="Go on with the runs of a benchmark that was broken off.")
@click.option(
    "--report", "only_report", is_flag=True, help="Measure nothing: write the page of bench/results.json again."
)
def main(
    only: str, peers: str, rounds: int | None, events: int | None, quick: bool, resume: bool, only_report: bool
) -> None:
    """Measure ours, its peers and plain loops, interleaved, each on one core; the servers on the others.

    The whole of it, without an option, writes bench/results.json, docs/performance.md and docs/performance.svg. Whatever is less
    is a trial, and writes the same files into .streamer/bench/trial/. Ends with 1 when anything was not measured.
    """
    if only_report:
        kept = orjson.loads(RESULTS.read_bytes())
        report([Run(**run) for run in kept["runs"]], kept["head"], DOCS)
        return
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics come and go: it would tell
    parts = _names(only, PARTS, "--only")
    plan = _plan(QUICK if quick else Plan(), tuple(_names(peers, BY_NAME, "--peers")), rounds, events)
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise click.ClickException(f"another benchmark runs in {HOME}; wait for its end") from error
        benchmark(parts, plan, resume=resume)


def benchmark(parts: Sequence[str], plan: Plan, *, resume: bool) -> None:
    """All of it, measured and reported. Raises click.ClickException when anything was not measured."""
    whole = is_whole(parts, plan)
    store = _store(HOME / ("runs.jsonl" if whole else "trial.jsonl"), _head(plan), resume=resume)
    say(plan_in_words(parts, plan))
    if not whole:
        say(f"a trial: not all of it, or less than the goals speak of; it writes to {TRIAL}, nothing to docs")
    began = time.time()
    broken = asyncio.run(run(parts, store, plan))
    report(store.runs, store.head, (HOME if broken else DOCS) if whole else TRIAL)
    say(f"{spoken(time.time() - began)} in all")
    failed = failures(store.runs)
    if failed:
        listed = "".join(f"\n  {page.told(run)}" for run in failed)
        raise click.ClickException(f"not measured; --resume (with the same options) tries these again:{listed}")


def is_whole(parts: Sequence[str], plan: Plan) -> bool:
    """Whether a run of these may stand in docs."""
    return set(parts) == set(PARTS) and plan == Plan()


def _head(plan: Plan) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0))
    return {
        "plan": asdict(plan),
        "machine": machine(cores, pinned=cores > 1)._asdict(),
        "source": source()._asdict(),
    }


def _store(path: Path, head: dict[str, Any], *, resume: bool) -> Store:
    if not resume or not path.exists():
        return Store.begin(path, head)
    try:
        return Store.open(path).of_head(head)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _names(text: str, known: Mapping[str, object], option: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: none of {', '.join(known)}", param_hint=option)
    return names


def _plan(plan: Plan, peers: tuple[str, ...], rounds: int | None, events: int | None) -> Plan:
    plan = replace(plan, peers=peers)
    if events:
        plan = replace(plan, kernel=((events, plan.kernel[0][1]),), guarantee_events=events, chain_floor_events=events)
    if rounds:
        plan = replace(
            plan, kernel=tuple((size, rounds) for size, _ in plan.kernel), chain_rounds=rounds, sink_rounds=rounds
        )
        plan = replace(plan, growth_rounds=rounds, recovery_rounds=rounds, guarantee_rounds=rounds)
    return plan


async def run(parts: Sequence[str], store: Store, plan: Plan) -> list[str]:
    """The parts that broke."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # so that what was started is ended
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0] if len(cores) > 1 else None
    environments = Environments(HOME, say)
    needed = {BY_NAME[name].environment for name in plan.peers} if {"kernel", "card"} & set(parts) else set()
    if "chain" in parts:
        needed.add(BY_NAME["floor"].environment)
    await environments.prepare(needed)
    pin(set(cores[1:]))  # this process and the servers that it starts
    servers_home = HOME / "servers"
    await local.stop(servers_home, purge=True)  # what a broken run left
    shutil.rmtree(HOME / "state", ignore_errors=True)
    try:
        servers = await local.start(1, home=servers_home, say=say)
        async with Cluster.open(servers.bootstrap_servers) as cluster:
            bench = Bench(plan, HOME, core, cluster, servers.database_url, environments, store, say)
            broken = await each(parts, bench, PARTS)
            await bench.forget()
    finally:
        await local.stop(servers_home, purge=True)
    return broken


async def each(
    parts: Sequence[str], bench: Bench, measures: Mapping[str, Callable[[Bench], Awaitable[None]]]
) -> list[str]:
    """Every part with its time and what is left; one that breaks is written down, and the others are still measured."""
    expected, broken = estimate(bench.plan), list[str]()
    for number, part in enumerate(parts, 1):
        left = sum(expected[name] for name in parts[number - 1 :])
        bench.say(
            f"== {part}, {number} of {len(parts)}: about {spoken(expected[part])}, {spoken(left)} with what follows"
        )
        began = time.monotonic()
        reason = ""
        try:
            async with asyncio.timeout(PART_TIMEOUT_S):
                await measures[part](bench)
        except Exception as error:  # noqa: BLE001 - the other parts can still be measured; page and exit code say it
            traceback.print_exc()
            reason = f"the part broke off: {type(error).__name__}: {error}"
            broken.append(part)
        took_s = time.monotonic() - began
        done = Run(part, "", 0, 0, 0, took_s, 0, 0)
        bench.store.add(done._replace(extra={"failed": reason}) if reason else done)
        bench.say(f"== {part} {'broke off' if reason else 'done'} after {spoken(took_s)}")
    return broken


def report(runs: Sequence[Run], head: Mapping[str, Any], folder: Path) -> None:
    """results.json, the page and its chart: into the repository for DOCS, else into ``folder``."""
    notes, method = ((HERE / name).read_text(encoding="utf-8") for name in ("notes.md", "method.md"))
    folder.mkdir(parents=True, exist_ok=True)
    found = orjson.dumps(page.results(runs, head), option=orjson.OPT_INDENT_2) + b"\n"
    (RESULTS if folder == DOCS else folder / RESULTS.name).write_bytes(found)
    (folder / "performance.md").write_text(page.page(runs, head, notes, method), encoding="utf-8")
    (folder / page.CHART).write_text(page.drawing(runs), encoding="utf-8")
    print("\n".join(page.goals(runs)))
    say(f"written: {folder / 'performance.md'}")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
