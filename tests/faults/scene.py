"""What a scenario acts on: stage, roles, traffic, and the deeds that scenarios share. Not for: judging (``verdict``).

A scenario is ``async run(scene)``: it does its misfortunes while traffic flows and says with ``promise`` what it must have done;
a run whose promises were not kept has failed. Everything that waits is bounded.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import asyncpg
from aiokafka.errors import KafkaError

from tests.faults.in_flight import Cut
from tests.faults.stage import RESTART_DELAY_S, Role, Stage
from tests.faults.subscriber import Subscriber
from tests.faults.tails import RECORDS, Tails
from tests.faults.traffic import Traffic
from tests.faults.waiting import LateError, until
from tests.faults.watch import Watch

APPLIED_TIMEOUT_S: Final = 120.0  # for granted traffic to be applied
DEATH_TIMEOUT_S: Final = 90.0  # from an armed start to the failpoint
READY_TIMEOUT_S: Final = 150.0
SUBSCRIBE_TIMEOUT_S: Final = 7_200.0  # the run's own limit comes first
TAIL_TIMEOUT_S: Final = 30.0  # to read what a dead role had written
LOOK_BACK_S: Final = 10.0  # an end beside others: they may have owned its partitions before, for a session and more
STARVED: Final = 200  # events that are granted when an armed role waits for work
KILL: Final = -int(signal.SIGKILL)

UNREACHABLE: Final = (KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

Say = Callable[[str], None]


class Death(NamedTuple):
    """One kill -9. ``redelivered``: what it had done and not committed, at least."""

    role: str
    how: str
    redelivered: int


class GivenUpError(Exception):
    """The run cannot go on; says why."""


class Scene:
    """``roles``: by label; those that end by themselves are started again (``keep_alive``) unless ``held``. ``counters``:
    what the report shows, ``misfortunes`` first. ``ends``: exit codes with which roles may end by themselves, each so often."""

    def __init__(
        self,
        stage: Stage,
        watch: Watch,
        traffic: Traffic,
        roles: dict[str, Role],
        rng: random.Random,
        say: Say,
        ends: Mapping[int, int],
    ) -> None:
        self.stage, self.watch, self.traffic, self.roles, self.rng, self.say = stage, watch, traffic, roles, rng, say
        self.tails = Tails(stage, watch)
        self.counters: Counter[str] = Counter()
        self.deaths: list[Death] = []
        self.cuts: list[Cut] = []
        self.broken: list[str] = []
        self.unexpected: list[tuple[str, int]] = []
        self.ends = dict(ends)
        self._reading = asyncio.Lock()

    # ------------------------------------------------------------------ what must have happened

    def misfortune(self, what: str, more: int = 1) -> None:
        """One more of what the report calls kills or cuts."""
        self.counters["misfortunes"] += more
        self.counters[what] += more

    def promise(self, what: str, found: float, least: float = 1) -> None:
        """The plan asks for so many; fewer fail the run."""
        if found < least:
            self.broken.append(f"{what}: {found:g} of {least:g}")

    # ------------------------------------------------------------------ roles

    def role(self, name: str, instance: str = "0") -> Role:
        """A role that is watched over from now on; not started."""
        role = self.stage.role(name, instance)
        self.roles[role.label] = role
        return role

    async def keep_alive(self) -> None:
        """Start again what ended by itself, as a supervisor does."""
        while True:
            for role in list(self.roles.values()):
                if not role.held:
                    await self._revive(role)
            await asyncio.sleep(0.1)

    async def ended_by_itself(self, role: Role, code: int) -> None:
        """Book an end that nobody asked for. Raises GivenUpError when the scenario does not expect it, or not so often."""
        self.unexpected.append((role.label, code))
        self.say(f"  {role.label} ended with {code} by itself")
        most, found = self.ends.get(code, 0), sum(other == code for _, other in self.unexpected)
        if found > most:
            often = f"{found} times, {most} at most are expected" if most else "which nothing here should cause"
            raise GivenUpError(f"{role.label} ended with {code}, {often}; its log ends:\n{role.tail()}")
        others = any(other is not role and other.name == role.name and other.process for other in self.stage.roles)
        await self.cut(role, LOOK_BACK_S if others else 0.0)

    async def _revive(self, role: Role) -> None:
        code = role.ended()
        if code is not None:
            await self.ended_by_itself(role, code)
        if role.process is None and not role.held and time.monotonic() - role.ended_at > RESTART_DELAY_S:
            role.start()

    async def kill(self, role: Role, how: str = "kill -9", *, start: str | None = "") -> Death:
        """Kill -9, book it, start again (``start``: armed with this failpoint; None: leave it dead and held)."""
        role.held = True
        role.kill()
        death = await self.died(role, how)
        if start is not None:
            role.start(start)
            role.held = False
        return death

    async def lay_down(self, role: Role) -> None:
        """Kill -9 whatever runs; dead and held."""
        role.held = True
        if not role.gone:
            await self.kill(role, start=None)
        role.ended()

    async def died(self, role: Role, how: str) -> Death:
        """Book a death that has just happened."""
        redelivered = await self.cut(role)
        death = Death(role.name, how, redelivered)
        self.deaths.append(death)
        self.misfortune(f"kills of {role.name}")
        self.say(f"    {role.label}: {how}; to be delivered again: {redelivered}")
        return death

    async def cut(self, role: Role, since_s: float = 0.0) -> int:
        """Note what was in flight at a role's end, now or some time ago; what it had done beyond its offsets, 0 where nobody can be
        asked."""
        if role.name == "dossier":
            self.cuts.append(await self._cut(since_s))
        try:
            async with self._reading, asyncio.timeout(TAIL_TIMEOUT_S):
                return await self.tails.redelivered(role.name)
        except UNREACHABLE:
            return 0

    async def _cut(self, since_s: float) -> Cut:
        if since_s:
            return self.watch.before(since_s)
        try:
            async with asyncio.timeout(TAIL_TIMEOUT_S):
                return await self.watch.cut()
        except UNREACHABLE:
            self.counters["cuts looked at later"] += 1
            return self.watch.before()

    async def falls_silent(self, role: Role) -> Cut | None:
        """A dossier that is not dead yet may say later what it has in flight now; ``heard`` ends that."""
        if role.name != "dossier":
            return None
        cut = Cut(await self.watch.ends([self.stage.changelog]))
        self.cuts.append(cut)
        return cut

    async def read_no_more(self, cut: Cut | None) -> None:
        """Records that come from now on are none that it has."""
        if cut is not None:
            cut.records = {p: end for (_, p), end in (await self.watch.ends([RECORDS])).items()}

    async def heard(self, cut: Cut | None) -> None:
        """It has said all that it will say."""
        if cut is not None:
            cut.told = await self.watch.ends(self.stage.told)

    async def death_of(self, role: Role, timeout_s: float = DEATH_TIMEOUT_S) -> int:
        """The exit code of a held role that is about to end."""
        codes: list[int] = []

        def ended() -> bool:
            code = role.ended()
            codes.extend([] if code is None else [code])
            return bool(codes)

        await until(f"{role.label} to end", ended, timeout_s)
        return codes[0]

    async def killed_at(self, role: Role, failpoint: str, timeout_s: float = DEATH_TIMEOUT_S) -> Death | None:
        """Wait for a held role that was started armed to kill itself there, feeding it; None when it did not, and was killed."""
        deadline = time.monotonic() + timeout_s
        while (code := role.ended()) is None:
            if time.monotonic() > deadline:
                role.kill()
                self.say(f"    {role.label} did not come to {failpoint} in {timeout_s:.0f} s")
                await self.cut(role)
                return None
            self.feed(role.name)
            await asyncio.sleep(0.02)
        if code != KILL:
            raise GivenUpError(f"{role.label} ended with {code}, not by kill -9 at {failpoint}\n{role.tail()}")
        return await self.died(role, f"kill -9 {failpoint}")

    async def ready(self, *roles: Role, least: int = 1) -> None:
        """Each has recovered and owns partitions."""
        for role in roles:
            await until(f"{role.label} to own partitions", lambda r=role: self.owns(r, least), READY_TIMEOUT_S)

    async def owns(self, role: Role, least: int) -> bool:
        found = await role.metrics()
        return found.get("streamer_assigned_partitions", 0) >= least and found.get("streamer_ready", 0) == 1

    # ------------------------------------------------------------------ traffic

    def feed(self, role: str = "dossier") -> None:
        """Grant a little when nearly all that was granted is out and the role has little left to do (one that is still
        starting needs no more). Raises GivenUpError when there is no more."""
        traffic = self.traffic
        if traffic.granted - traffic.published >= STARVED / 2 or traffic.lag(role) >= STARVED:
            return
        if traffic.granted < traffic.total:
            traffic.grant(STARVED)
        elif traffic.published >= traffic.total and traffic.settled():
            raise GivenUpError("the traffic ended before the misfortunes did: this scenario needs more events")

    async def newly(self, role: str, least: int) -> int:
        """Grant traffic until a role has applied so many more."""
        since = self.watch.now.applied(role)
        deadline = time.monotonic() + APPLIED_TIMEOUT_S
        while (found := self.watch.now.applied(role) - since) < least:
            if time.monotonic() > deadline:
                raise LateError(f"{role} applied {found} of {least} in {APPLIED_TIMEOUT_S:.0f} s")
            self.feed(role)
            await asyncio.sleep(0.05)
        return found

    async def subscribers(self, moments: Iterable[int]) -> list[Subscriber]:
        """Start one at each moment, given in events published."""
        started = []
        for moment in moments:
            await until(f"{moment} events published", lambda m=moment: self.traffic.published >= m, SUBSCRIBE_TIMEOUT_S)
            subscriber = Subscriber(self.stage.bootstrap, self.stage.domains, self.stage.partitions, moment)
            subscriber.start()
            started.append(subscriber)
        return started
