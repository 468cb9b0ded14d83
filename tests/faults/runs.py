"""One run of one case and seed, from an empty folder to its verdict. Not for: what is printed of it (``report``)."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from streamer import kafka_io
from streamer.audit import read_books
from streamer.domain.dates import BEIJING
from tests.faults import worlds
from tests.faults.catalog import Case
from tests.faults.needs import Needs, least_events, limit_s
from tests.faults.scene import GivenUpError, Scene
from tests.faults.stage import Stage
from tests.faults.subscriber import Subscriber
from tests.faults.traffic import Traffic
from tests.faults.verdict import Judge, Verdict, judge
from tests.faults.waiting import LateError, until
from tests.faults.watch import Watch

CANCEL_TIMEOUT_S: Final = 10.0
CANCEL_TRIES: Final = 3
DRAIN_TIMEOUT_S: Final = 180.0
ROLES: Final = ("intake", "dossier", "sink")


class Result(NamedTuple):
    """What a run found. ``broken``: what the plan asked for and did not get."""

    case: Case
    seed: int
    events: int
    seconds: float
    counters: Counter[str]
    unexpected: Counter[str]
    verdict: Verdict | None
    broken: list[str]
    problem: str
    kept: str = ""

    @property
    def ok(self) -> bool:
        return self.verdict is not None and self.verdict.ok and not self.broken and not self.problem


class Run:
    """One run. ``sabotage``: arguments to Python instead of ``-m streamer.app`` for the dossier (a negative control)."""

    def __init__(
        self, case: Case, seed: int, say: Callable[[str], None], cache: Path, sabotage: tuple[str, ...] = ()
    ) -> None:
        self.case, self.seed, self.say, self.cache, self.sabotage = case, seed, say, cache, sabotage
        self.needs: Needs = case.module.NEEDS
        self.needs = self.needs._replace(events=max(self.needs.events, least_events()))
        self.home = Path(tempfile.mkdtemp(prefix=f"faults-{case.fault}-{seed}-"))
        self.stage = Stage(
            self.home / "home",
            partitions=self.needs.partitions,
            brokers=self.needs.brokers,
            environment=self.needs.environment,
        )
        self.stage.kafka_properties |= self.needs.kafka_properties
        self.scene: Scene | None = None

    async def run(self, *, keep: str = "") -> Result:
        """``keep``: "1" leaves its folder, "failed" only that of a run that failed."""
        begun, limit = time.monotonic(), limit_s(self.needs.events)
        verdict, problem = None, ""
        async with AsyncExitStack() as around:
            try:
                async with asyncio.timeout(limit):
                    if hasattr(self.case.module, "around"):
                        await around.enter_async_context(self.case.module.around(self.stage))
                    verdict = await self._run()
            except (LateError, GivenUpError, TimeoutError) as error:
                problem = str(error) or f"the run took more than {limit:.0f} s"
            except Exception as error:  # noqa: BLE001 - a fault of the suite fails its run, and no other
                problem = "".join(traceback.format_exception(error))
            finally:
                result = self._result(begun, verdict, problem)
                told_to_end = not problem and verdict is None
                kept = keep == "1" or (keep == "failed" and not result.ok and not told_to_end)
                await self.stage.down(keep=kept)
        if not kept:  # only now is nothing mounted in it
            shutil.rmtree(self.home, ignore_errors=True)
        if kept:
            self.say(f"  kept: {self.home}")
            result = result._replace(kept=str(self.home))
        return result

    def _result(self, begun: float, verdict: Verdict | None, problem: str) -> Result:
        scene = self.scene
        return Result(
            self.case,
            self.seed,
            scene.traffic.total if scene else 0,
            time.monotonic() - begun,
            scene.counters if scene else Counter(),
            Counter(f"{label.partition('-')[0]} {code}" for label, code in scene.unexpected) if scene else Counter(),
            verdict,
            self._broken(scene) if scene else [],
            problem,
        )

    async def _run(self) -> Verdict:
        needs, module = self.needs, self.case.module
        rng = random.Random(f"{self.case.name} {self.seed}")
        truth, folder = worlds.world(self.cache, needs.world, needs.events, self.seed)
        self.say(f"  {truth.messages} events, {truth.items} items, {len(truth.alerts)} alerts to come")
        simulated = needs.ticks == "simulated"
        clock = truth.clock if simulated else datetime.now(BEIJING).date().isoformat()
        await self.stage.up(clock, ticks=needs.ticks)
        watch = Watch(self.stage)
        traffic = Traffic(self.stage, watch, truth, folder, per_second=needs.per_second, backlog=needs.backlog)
        self.stage.commands |= needs.commands
        if self.sabotage:
            self.stage.commands["dossier"] = self.sabotage
        roles = {f"{name}-0": self.stage.role(name) for name in ROLES}
        scene = self.scene = Scene(self.stage, watch, traffic, roles, rng, self.say, needs.ends)
        if hasattr(module, "prepare"):
            await module.prepare(scene)
        subscribers = await self._played(scene, module.run)
        judging = Judge(self.stage, truth if simulated else None)
        judging.judged = getattr(module, "judged", judging.judged)
        judging.free = getattr(module, "FREE", judging.free)
        verdict = await judge(judging, subscribers, scene.cuts)
        if hasattr(module, "judge"):
            await module.judge(scene, judging)
        return verdict

    async def _played(self, scene: Scene, play: Any) -> list[Subscriber]:
        """The scenario, then the rest of the traffic, drained; roles stopped."""
        watch, traffic = scene.watch, scene.traffic
        watching, alive, flowing = (asyncio.create_task(w) for w in (watch.run(), scene.keep_alive(), traffic.run()))
        tasks = [watching, alive, flowing]
        low, high = traffic.total // 20, traffic.total - traffic.total // 20
        moments = sorted(scene.rng.randrange(low, high) for _ in range(self.needs.subscribers))
        subscribing = asyncio.create_task(scene.subscribers(moments))
        driving = asyncio.create_task(play(scene))
        try:
            await first_failure([driving, *tasks], driving)
            scene.counters["events left when the misfortunes ended"] = traffic.total - traffic.published
            self.say("  misfortunes are over; the rest of the traffic")
            traffic.grant_all()
            await first_failure(tasks, flowing)
            draining = asyncio.create_task(self._drained(watch))
            await first_failure([watching, alive, draining], draining)
            subscribers = await subscribing
        finally:
            await cancelled(subscribing, driving, *tasks)
        stopped = await self.stage.stop_roles()
        if any(stopped):
            scene.broken.append(f"exit codes {stopped} after SIGTERM")
        self.say(f"  all applied; roles stopped with {stopped}; judging")
        return subscribers

    async def _drained(self, watch: Watch) -> None:
        """The sink has committed all there is, too, and what is due is swept."""
        topics = [
            "credit.records", "credit.dead-letters", "credit.status",
            *(f"credit.{kind}.{d}" for kind in ("alerts", "standing") for d in self.stage.domains),
            *(f"credit.notices.{s}" for s in self.stage.sources),
        ]  # fmt: skip

        async def nothing_left() -> bool:
            books, _ = await read_books(self.stage.bootstrap, self.stage.changelog)
            if any(row.swept < row.clock for row in books.values()):
                return False
            ends = await watch.ends(topics)
            done = await kafka_io.committed(self.stage.bootstrap, self.stage.group("sink"))
            return all(done.get(key, 0) >= end for key, end in ends.items())

        await until("the sink to have written all, and what is due to be swept", nothing_left, DRAIN_TIMEOUT_S, 0.5)

    def _broken(self, scene: Scene) -> list[str]:
        """What the plan asked for and did not get."""
        broken = list(scene.broken)
        if scene.counters["misfortunes"] == 0:
            broken.append("no misfortune at all")
        if scene.counters["events left when the misfortunes ended"] <= 0:
            broken.append("the traffic was over before the misfortunes")
        return broken


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """End them all; asked again when one swallows it."""
    for _ in range(CANCEL_TRIES):
        for task in tasks:
            task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=CANCEL_TIMEOUT_S)
        if not pending:
            return


async def first_failure(tasks: list[asyncio.Task[Any]], awaited: asyncio.Task[Any]) -> None:
    """Wait for ``awaited``, raising what any of the tasks raises first."""
    pending = {*tasks, awaited}
    while not awaited.done():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    awaited.result()
