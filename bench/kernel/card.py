"""The correctness card: each peer killed (-9) ten times on the kernel workload, then compared with the truth. Not for: speed.

Three run at a time; kills fall at seeded random moments; the local state is kept, as on a machine that goes on. A kill counts
if events were still to come then: of ours by the journal of its units, of the others by the offsets they have committed.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench.context import Bench, new_name
from bench.kernel.check import alerts_of, compare, repeats_within, states_of
from bench.kernel.watched import Range, read
from bench.kernel.worker import Worker, WorkerFailedError
from bench.peers import Peer
from bench.store import Run

AT_A_TIME: Final = 3
SEED: Final = 1
POLL_S: Final = 0.2
WATCH_S: Final = 0.01
LIVES_PER_KILL: Final = 2  # for those that end by themselves
LIFE_TIMEOUT_S: Final = 60.0  # of ours, until a kill falls due
#: A life's length, in shares of what is left for each of the kills to come.
LIFE_LEAST: Final = 0.25
LIFE_MOST: Final = 1.25
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
        self._durable: dict[int, int] = {}

    async def run(self) -> dict[str, Any]:
        """What the card says. Raises WorkerFailedError when a start brings no first event."""
        worker, kills, planned = self._worker, 0, self._bench.plan.kills
        while kills < planned and self._lives < LIVES_PER_KILL * planned:
            journal = self._start()
            if not await self._first_event():
                break
            await self._live(journal, planned - kills)
            if await self._done():
                break
            by_itself = worker.ended() is not None
            worker.kill()
            found = read(journal)
            self._in_flight += found.in_flight
            self._durable |= found.durable
            if self._left() == 0:
                break  # nothing flowed any more
            kills += not by_itself
        finished = await self._finish()
        eos = "W_EOS" in worker.peer.settings
        await asyncio.sleep(SETTLE_EXACTLY_ONCE_S if eos else SETTLE_S)
        worker.kill()
        return await self._verdict(kills, finished)

    async def _live(self, journal: Path, kills_left: int) -> None:
        """Until the next kill: ours by the events that became durable in this life, the others by the time."""
        share = self._random.uniform(LIFE_LEAST, LIFE_MOST)
        if self._worker.peer.name != "ours":
            pause_s = self._events / self._worker.peer.kill_rate / self._bench.plan.kills
            await asyncio.sleep(max(0.2, share * pause_s))
            return
        before = self._left()
        due = share * before / (kills_left + 1)
        deadline = time.monotonic() + LIFE_TIMEOUT_S
        while time.monotonic() < deadline and self._worker.ended() is None:
            if before - self._left(read(journal).durable) >= due:
                return
            await asyncio.sleep(WATCH_S)

    def _left(self, more: Mapping[int, int] | None = None) -> int:
        """Events that the journals, and ``more``, do not say to be durable."""
        return self._events - sum((self._durable | dict(more or {})).values())

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
        found = {
            "kills": kills,
            "kills_wanted": self._bench.plan.kills,
            "finished": finished,
            **compare(truth, alerts, states)._asdict(),
        }
        if self._worker.peer.name == "ours":
            found["bound"], found["beyond_bound"] = repeats_within(truth, alerts, self._in_flight)
        return found
