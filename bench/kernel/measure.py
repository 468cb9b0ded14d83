"""The kernel workload measured: every peer in turn, round after round. Not for: right or wrong (``card``)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from bench.context import Bench, new_name
from bench.kernel.check import alerts_of, compare, states_of
from bench.kernel.worker import Worker, WorkerFailedError
from bench.peers import Peer
from bench.store import Run

POLL_S: Final = 0.03
RUN_TIMEOUT_S: Final = 400.0
HALF: Final = 0.5


async def kernel(bench: Bench) -> None:
    """A B C A B C: all peers once a round, at each size."""
    for events, rounds in bench.plan.kernel:
        for number in range(1, rounds + 1):
            bench.say(f"kernel, {events:,} events, round {number} of {rounds}")
            for peer in bench.peers:
                if peer.name != "faust":
                    await once(bench, peer, events, number)
    if "faust" in bench.plan.peers:  # a twentieth of the others' speed: fewer events, the floor beside it
        for number in range(1, bench.plan.kernel[0][1] + 1):
            for peer in bench.peers:
                if peer.name in {"faust", "ours", "floor"}:
                    await once(bench, peer, bench.plan.faust_events, number)


async def once(bench: Bench, peer: Peer, events: int, number: int) -> None:
    """One run, kept, if there is none yet."""
    if bench.store.has("kernel", peer.name, events, number):
        return
    compared = number == 1 and events == bench.plan.kernel[0][0]
    bench.keep(await attempt(bench, peer, Run("kernel", peer.name, events, number, events, 0, 0, 0), compared=compared))


async def attempt(
    bench: Bench, peer: Peer, run: Run, *, compared: bool = False, module: str = "",
    settings: Mapping[str, str] | None = None,
) -> Run:  # fmt: skip
    """``peer`` over ``run.events`` of the kernel workload; a failure is a run that says why. ``compared``: what it left is
    compared with the truth; ``module``: another program than the peer's."""
    if reason := bench.environments.missing.get(peer.environment):
        return run.without(f"not installed: {reason}")
    topic = await bench.topic_of(run.events)
    worker = Worker(bench.cluster, bench.environments, peer, topic, new_name(run.name), bench.home, bench.core)
    try:
        await worker.prepare()
        command = bench.environments.command(peer, worker.folder)
        worker.start(settings, [*command[:-1], module] if module else command)
        done = await measured(bench, worker, run)
        if compared:
            done.extra["faults"] = await faults(bench, worker, run.events)
    except WorkerFailedError as error:
        return run.without(str(error))
    finally:
        await worker.clean()
    return done


async def faults(bench: Bench, worker: Worker, events: int) -> int:
    """Alerts and states that are not as they should be although nobody was killed."""
    alerts, states = await alerts_of(bench.cluster, worker), await states_of(bench.cluster, worker)
    card = compare(await asyncio.to_thread(bench.truth_of, events), alerts, states)
    return card.lost + card.doubled + card.conflicting + card.wrong_state


async def measured(bench: Bench, worker: Worker, run: Run, *, stop: bool = False) -> Run:
    """From the first event to the poll that sees the last offset committed (Bytewax: to its exit), and the second half by
    itself (without the start of caches and of a JIT). Raises WorkerFailedError."""
    at, cpu_s = await worker.first_event()
    deadline = time.monotonic() + RUN_TIMEOUT_S
    half: tuple[float, int, float] | None = None
    while True:
        code, done = worker.ended(), 0
        if worker.peer.exits:
            if code == 0:
                break
        else:
            done = sum((await bench.cluster.committed(worker.app, worker.topic)).values())
            if done >= run.events:
                break
        if half is None and done >= run.events * HALF:
            half = time.time(), done, worker.usage().cpu_s
        if code is not None or time.monotonic() > deadline:
            raise WorkerFailedError(f"exit {code} after {done} events; {worker.log_tail()}")
        await asyncio.sleep(POLL_S)
    end, usage = time.time(), worker.usage()
    if stop:
        await worker.stop()
    worker.kill()
    extra = dict(run.extra)
    if half is not None and half[1] < run.events:
        extra["second_half_rate"] = round((run.events - half[1]) / (end - half[0]), 1)
        extra["second_half_cpu_us"] = round((usage.cpu_s - half[2]) / (run.events - half[1]) * 1e6, 2)
    return run._replace(seconds=end - at, cpu_s=usage.cpu_s - cpu_s, peak_mb=usage.peak_mb, extra=extra)
