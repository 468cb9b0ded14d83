"""One run of one seed, from an empty folder to its verdict. Not for: what is printed of it (``__main__``)."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from streamer import kafka_io
from streamer.demo import generator
from streamer.demo.truth import Truth
from streamer.engine.exits import Exit
from tests.faults.driver import Death, Driver, GivenUpError
from tests.faults.plan import REDELIVERED_SHARE_MIN, Limits, Step, control_steps, steps, subscriber_moments
from tests.faults.stage import Role, Stage
from tests.faults.traffic import Traffic
from tests.faults.verdict import Verdict, judge
from tests.faults.waiting import LateError, until
from tests.faults.watch import Watch

RUN_TIMEOUT_S: Final = 1_500.0
DRAIN_TIMEOUT_S: Final = 180.0
# What a role may end with when its neighbours or servers die; a restart mends these (streamer.engine.exits).
SAFE_ENDS: Final = {Exit.GAP, Exit.REVOKE, Exit.RECOVERY, Exit.FOREIGN, Exit.STALL, Exit.PAUSE}
SABOTAGE: Final = {"outputs-last": "outputs after changelog", "torn-batch": "batch torn between head and fact"}


class Result(NamedTuple):
    """What a run found. ``plan_kept`` lists what the plan asked for and did not get."""

    seed: int
    build: str
    events: int
    seconds: float
    deaths: list[Death]
    notes: dict[str, Any]
    verdict: Verdict | None
    plan_broken: list[str]
    problem: str

    @property
    def ok(self) -> bool:
        return self.verdict is not None and self.verdict.ok and not self.plan_broken and not self.problem


class Run:
    """One run. ``sabotage``: the name of a negative control, or nothing for the real build."""

    def __init__(
        self, seed: int, events: int, say: Callable[[str], None], *, control: bool = False, sabotage: str = ""
    ) -> None:
        self.seed, self.events, self.say, self.control, self.sabotage = seed, events, say, control, sabotage
        self.home = Path(tempfile.mkdtemp(prefix=f"faults-{seed}-"))
        self.stage = Stage(self.home / "home")
        self.limits = Limits.of(events)
        self.driver: Driver | None = None
        self.stopped: list[int] = []

    async def run(self, *, keep: bool = False) -> Result:
        begun = time.monotonic()
        verdict, problem = None, ""
        try:
            async with asyncio.timeout(RUN_TIMEOUT_S):
                verdict = await self._run()
        except (LateError, GivenUpError, TimeoutError) as error:
            problem = str(error) or f"the run took more than {RUN_TIMEOUT_S:.0f} s"
        finally:
            await self.stage.down(keep=keep)
            if keep:
                self.say(f"  kept: {self.home}")
            else:
                shutil.rmtree(self.home, ignore_errors=True)
        driver = self.driver
        return Result(
            self.seed,
            self.sabotage or "real",
            self.events,
            time.monotonic() - begun,
            driver.deaths if driver else [],
            self._notes(driver) if driver else {},
            verdict,
            self._broken(driver) if driver and not self.control else [],
            problem,
        )

    async def _run(self) -> Verdict:
        truth: Truth = generator.generate(self.home / "events", n_events=self.events, seed=self.seed)
        self.say(f"  {truth.messages} events, {truth.items} items, {len(truth.alerts)} alerts to come")
        await self.stage.up(truth.clock)
        watch = Watch(self.stage)
        traffic = Traffic(self.stage, watch, truth, self.home / "events", self.limits.per_second)
        roles = {name: self._role(name) for name in ("intake", "dossier", "sink")}
        driver = self.driver = Driver(
            self.stage, watch, traffic, self.limits, roles, self.say, lambda: self._role("dossier", "1")
        )
        tasks = [asyncio.create_task(work) for work in (watch.run(), driver.keep_alive(), traffic.run())]
        moments = [] if self.control else subscriber_moments(self.seed, truth.messages)
        subscribing = asyncio.create_task(driver.subscribers(moments))
        try:
            plan: list[Step] = control_steps(self.seed) if self.control else steps(self.seed)
            driving = asyncio.create_task(driver.run(plan))
            await _first_failure(driving, *tasks, until_done=[driving])
            await _first_failure(*tasks, until_done=[tasks[2]])
            await _first_failure(*tasks[:2], asyncio.create_task(self._drained(watch)), until_done=None)
            subscribers = await subscribing
        except BaseException:
            subscribing.cancel()
            driving.cancel()
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.stopped = await self.stage.stop_roles()
        self.say(f"  all applied; roles stopped with {self.stopped}; judging")
        return await judge(self.stage, truth, subscribers)

    def _role(self, name: str, instance: str = "0") -> Role:
        if self.sabotage and name == "dossier":
            return self.stage.role(name, instance, ("-m", "tests.faults.sabotage", self.sabotage))
        return self.stage.role(name, instance)

    async def _drained(self, watch: Watch) -> None:
        """The sink has committed all there is, too, and what is due is swept."""
        topics = [
            "credit.records", "credit.dead-letters", "credit.status",
            *(f"credit.{kind}.{d}" for kind in ("alerts", "standing") for d in self.stage.domains),
            *(f"credit.notices.{s}" for s in self.stage.sources),
        ]  # fmt: skip

        async def nothing_left() -> bool:
            from streamer.audit import read_books

            books, _ = await read_books(self.stage.bootstrap, self.stage.changelog)
            if any(row.swept < row.clock for row in books.values()):
                return False
            ends = await watch.ends(topics)
            done = await kafka_io.committed(self.stage.bootstrap, self.stage.group("sink"))
            return all(done.get(key, 0) >= end for key, end in ends.items())

        await until("the sink to have written all, and what is due to be swept", nothing_left, DRAIN_TIMEOUT_S, 1.0)

    def _notes(self, driver: Driver) -> dict[str, Any]:
        return {
            "wiped": driver.wiped,
            "paused": driver.paused,
            "kafka killed": driver.kafka_killed,
            "Postgres away": driver.away,
            "ended by themselves": driver.unexpected,
            "stopped with": self.stopped,
        }

    def _broken(self, driver: Driver) -> list[str]:
        """What the plan asked for and did not get."""
        counted = [death for death in driver.deaths if death.counted]
        broken = []
        for role, least in (("dossier", 6), ("intake", 2), ("sink", 2)):
            count = sum(death.role == role for death in counted)
            if count < least:
                broken.append(f"{count} of {least} kills of {role}")
        places = ("after_outputs", "in_changelog")
        broken += [f"no kill at {place}" for place in places if not any(place in death.how for death in counted)]
        if not any("in recovery" in death.how for death in driver.deaths):
            broken.append("no kill in recovery")
        shown = sum(death.redelivered > 0 for death in counted)
        if shown < REDELIVERED_SHARE_MIN * len(counted):
            broken.append(f"redelivery after {shown} of {len(counted)} kills only")
        if not driver.wiped:
            broken.append("no state folder removed")
        if driver.paused.get("slept_s", 0) <= driver.paused.get("session_s", 0):
            broken.append("no worker paused beyond its session")
        if not driver.kafka_killed:
            broken.append("no broker killed")
        if driver.away.get("alerts_meanwhile", 0) <= 0:
            broken.append("no alert reached Kafka while Postgres was away")
        broken += [f"{role} ended with {code} by itself" for role, code in driver.unexpected if code not in SAFE_ENDS]
        if any(self.stopped):
            broken.append(f"exit codes {self.stopped} after SIGTERM")
        return broken


async def _first_failure(*tasks: asyncio.Task[Any], until_done: list[asyncio.Task[Any]] | None) -> None:
    """Wait for ``until_done`` (default: the last task), raising what any of the tasks raises first."""
    awaited = set(until_done or [tasks[-1]])
    while True:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if awaited <= done:
            return
        tasks = tuple(task for task in tasks if task not in done)
