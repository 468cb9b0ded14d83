"""The kernel workload measured: every peer in turn, round after round. Not for: right or wrong (``card``)."""

from __future__ import annotations

import asyncio
import time
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
    """One run, kept; a failure is kept as one."""
    if bench.store.has("kernel", peer.name, events, number):
        return
    if reason := bench.environments.missing.get(peer.environment):
        bench.keep(Run("kernel", peer.name, events, number, 0, 0, 0, 0, {"failed": f"not installed: {reason}"}))
        return
    topic = await bench.topic_of(events)
    worker = Worker(bench.cluster, bench.environments, peer, topic, new_name(peer.name), bench.home, bench.core)
    try:
        await worker.prepare()
        worker.start()
        run = await measured(bench, worker, Run("kernel", peer.name, events, number, events, 0, 0, 0))
        if number == 1 and events == bench.plan.kernel[0][0]:
            run.extra["faults"] = await faults(bench, worker, events)
        bench.keep(run)
    except WorkerFailedError as error:
        bench.keep(Run("kernel", peer.name, events, number, 0, 0, 0, 0, {"failed": str(error)}))
    finally:
        await worker.clean()


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
