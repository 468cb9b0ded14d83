"""The correctness card: each peer killed (-9) ten times on the kernel workload, then compared with the truth. Not for: speed.

Three run at a time; kills fall at seeded random moments; the local state is kept, as on a machine that goes on.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any, Final

from bench.context import Bench, new_name
from bench.kernel.check import alerts_of, compare, repeats_within, states_of
from bench.kernel.watched import Range, in_flight
from bench.kernel.worker import Worker, WorkerFailedError
from bench.peers import Peer
from bench.store import Run

AT_A_TIME: Final = 3
SEED: Final = 1
POLL_S: Final = 0.2
SETTLE_S: Final = 3.0
SETTLE_EXACTLY_ONCE_S: Final = 30.0  # a transaction that was left open hides later records until it times out
FINISH_TIMEOUT_S: Final = 150.0
WATCHED: Final = "bench.kernel.watched"


async def card(bench: Bench) -> None:
    """Every peer once."""
    room = asyncio.Semaphore(AT_A_TIME)

    async def one(peer: Peer) -> None:
        async with room:
            await killed(bench, peer)

    for peer in bench.peers:  # before the first: publishing is not a peer's time
        if peer.environment not in bench.environments.missing:
            events = int(peer.card_events * bench.plan.card_scale)
            await bench.topic_of(events)
            await asyncio.to_thread(bench.truth_of, events)
    await asyncio.gather(*[one(peer) for peer in bench.peers])


async def killed(bench: Bench, peer: Peer) -> None:
    events = int(peer.card_events * bench.plan.card_scale)
    if bench.store.has("card", peer.name, events, 1):
        return
    if reason := bench.environments.missing.get(peer.environment):
        bench.keep(Run("card", peer.name, events, 1, 0, 0, 0, 0, {"failed": f"not installed: {reason}"}))
        return
    topic = await bench.topic_of(events)
    worker = Worker(bench.cluster, bench.environments, peer, topic, new_name(f"{peer.name}-card"), bench.home, None)
    run = Run("card", peer.name, events, 1, 0, 0, 0, 0)
    try:
        await worker.prepare()
        bench.keep(run._replace(extra=await Kills(bench, worker, events).run()))
    except WorkerFailedError as error:
        bench.keep(run._replace(extra={"failed": str(error)}))
    finally:
        await worker.clean()


class Kills:
    """One peer's run with kills."""

    def __init__(self, bench: Bench, worker: Worker, events: int) -> None:
        self._bench, self._worker, self._events = bench, worker, events
        self._random = random.Random(f"{worker.peer.name}{SEED}")
        self._lives = 0
        self._in_flight: list[Range] = []

    async def run(self) -> dict[str, Any]:
        """What the card says. Raises WorkerFailedError when a start brings no first event."""
        worker, kills = self._worker, 0
        pause_s = self._events / worker.peer.kill_rate / self._bench.plan.kills
        for _ in range(self._bench.plan.kills):
            journal = self._start()
            if not await self._first_event():
                break
            await asyncio.sleep(max(0.2, self._random.uniform(0.25, 1.25) * pause_s))
            if await self._done():
                break
            worker.kill()
            self._in_flight += in_flight(journal)
            kills += 1
        finished = await self._finish()
        eos = "W_EOS" in worker.peer.settings
        await asyncio.sleep(SETTLE_EXACTLY_ONCE_S if eos else SETTLE_S)
        worker.kill()
        return await self._verdict(kills, finished)

    def _start(self) -> Path:
        self._lives += 1
        worker = self._worker
        journal = worker.folder.with_suffix(f".journal-{self._lives}")
        command = None
        if worker.peer.name == "ours":
            command = [*self._bench.environments.command(worker.peer, worker.folder)[:-1], WATCHED]
        worker.start({"W_JOURNAL": str(journal)}, command)
        return journal

    async def _first_event(self) -> bool:
        """False: there was none left. Raises WorkerFailedError."""
        waiting = asyncio.ensure_future(self._worker.first_event())
        while not waiting.done():
            await asyncio.wait([waiting], timeout=1.0)
            if not waiting.done() and await self._done():
                waiting.cancel()
                return False
        try:
            waiting.result()
        except WorkerFailedError:
            if not await self._done():
                raise
            return False
        return True

    async def _finish(self) -> bool:
        """The last life, to the end; one that dies by itself is started again."""
        deadline = time.monotonic() + FINISH_TIMEOUT_S
        while not await self._done():
            if time.monotonic() > deadline:
                return False
            if self._worker.ended() is not None:
                self._start()
            await asyncio.sleep(POLL_S)
        return True

    async def _done(self) -> bool:
        worker = self._worker
        if worker.peer.exits:
            return worker.ended() == 0
        return sum((await self._bench.cluster.committed(worker.app, worker.topic)).values()) >= self._events

    async def _verdict(self, kills: int, finished: bool) -> dict[str, Any]:
        truth = await asyncio.to_thread(self._bench.truth_of, self._events)
        alerts = await alerts_of(self._bench.cluster, self._worker)
        states = await states_of(self._bench.cluster, self._worker)
        found = {"kills": kills, "finished": finished, **compare(truth, alerts, states)._asdict()}
        if self._worker.peer.name == "ours":
            found["bound"], found["beyond_bound"] = repeats_within(truth, alerts, self._in_flight)
        return found
