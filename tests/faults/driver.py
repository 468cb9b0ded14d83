"""Does what the plan says, one misfortune after the other, while traffic flows. Not for: judging what came of it (``verdict``)."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from streamer.engine.exits import NEVER_RESTARTED
from streamer.local import kafka, postgres
from tests.faults.plan import Limits, Step
from tests.faults.stage import RESTART_DELAY_S, SESSION_S, Role, Stage
from tests.faults.subscriber import Subscriber
from tests.faults.tails import Tails
from tests.faults.traffic import Traffic
from tests.faults.waiting import LateError, until
from tests.faults.watch import Watch

STEP_TIMEOUT_S: Final = 180.0  # for a step's traffic to be applied
DEATH_TIMEOUT_S: Final = 90.0  # from an armed start to the failpoint
READY_TIMEOUT_S: Final = 60.0
WAKE_TIMEOUT_S: Final = 40.0  # for a woken worker to end itself
POSTGRES_AWAY_S: Final = 60.0  # the length of the outage itself, not a wait
UNEXPECTED_MAX: Final = 25  # ends that nobody asked for, before a run is given up
ATTEMPTS: Final = 8  # at a failpoint that fired too early, too late, or beside the mark
FLOWING_S: Final = 2.5  # traffic goes on for so long after what a step needs: offsets are committed once a second
KILL: Final = -int(signal.SIGKILL)

FIRST_PASSAGES: Final = {
    "after_outputs": 20,
    "in_changelog": 6,
}  # of what must be newly applied, one passage in so many
BACKLOG_TIMEOUT_S: Final = 15.0
TOO_LATE: Final = 3  # times what must be newly applied: the failpoint did not fire

Say = Callable[[str], None]


class Death(NamedTuple):
    """One kill -9. ``counted``: it had everything that the plan asks of a kill."""

    role: str
    how: str
    newly: int
    remaining: int
    redelivered: int
    counted: bool


class GivenUpError(Exception):
    """The run cannot go on; says why."""


class Driver:
    """``deaths``, ``notes`` and the other fields are what the report shows."""

    def __init__(
        self, stage: Stage, watch: Watch, traffic: Traffic, limits: Limits, roles: dict[str, Role],
        say: Say, successor: Callable[[], Role],
    ) -> None:  # fmt: skip
        self.stage, self.watch, self.traffic, self.limits, self.say = stage, watch, traffic, limits, say
        self.roles, self._successor = roles, successor
        self.tails = Tails(stage, watch)
        self.deaths: list[Death] = []
        self.wiped = 0
        self.unexpected: list[tuple[str, int]] = []
        self.paused: dict[str, Any] = {}
        self.away: dict[str, Any] = {}
        self.kafka_killed = 0
        self._since = 0  # applied by the role of this step, when it began
        self._away: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ all the time

    async def keep_alive(self) -> None:
        """Start again what ended by itself, as a supervisor does."""
        while True:
            for role in list(self.roles.values()):
                self._revive(role)
            await asyncio.sleep(0.1)

    def _revive(self, role: Role) -> None:
        if role.held:
            return
        code = role.ended()
        if code is not None:
            self.unexpected.append((role.label, code))
            self.say(f"  {role.label} ended with {code} by itself: started again")
            if code in NEVER_RESTARTED or len(self.unexpected) > UNEXPECTED_MAX:
                raise GivenUpError(f"{role.label} ended with {code}; its log ends:\n{role.tail()}")
        if role.process is None and time.monotonic() - role.ended_at > RESTART_DELAY_S:
            role.start()

    async def subscribers(self, moments: list[int]) -> list[Subscriber]:
        """Start one at each moment, given in events published."""
        started = []
        for moment in moments:
            await until(f"{moment} events published", lambda m=moment: self.traffic.published >= m, 20 * STEP_TIMEOUT_S)
            subscriber = Subscriber(
                self.stage.bootstrap, self.stage.domains, self.stage.partitions, self.traffic.published
            )
            subscriber.start()
            started.append(subscriber)
        return started

    # ------------------------------------------------------------------ the plan

    async def run(self, steps: list[Step]) -> None:
        for number, step in enumerate(steps, 1):
            self.say(f"  {number}/{len(steps)} {step.kind} {step.role} {step.failpoint}".rstrip())
            await getattr(self, f"_{step.kind}")(step)
        if self._away is not None:
            await self._away
        self.traffic.grant_all()

    async def _newly(self, step: Step, role: str) -> int:
        """Grant traffic and wait until enough of it is applied by the role since the last misfortune."""
        least = int(self.limits.newly * (1 + step.more))
        if self._away is not None and role == "sink":
            await self._away
        since = self._since = self.watch.now.applied(role)
        self.traffic.grant(least + int(self.limits.per_second * FLOWING_S))
        begun = time.monotonic()
        while (newly := self.watch.now.applied(role) - since) < least:
            if time.monotonic() - begun > STEP_TIMEOUT_S:
                raise LateError(f"{role} applied {newly} of {least} in {STEP_TIMEOUT_S:.0f} s")
            if self.traffic.published >= self.traffic.granted and self.traffic.settled():
                if self.traffic.granted >= self.traffic.total:
                    raise GivenUpError("the traffic ended before the plan did: more events are needed (FAULTS_EVENTS)")
                self.traffic.grant(self.limits.newly)
            await asyncio.sleep(0.05)
        return newly

    async def _moment(self, step: Step, role: str) -> int:
        """The seed's moment within a commit interval; what is newly applied by then."""
        await asyncio.sleep(step.late_s)
        return self.watch.now.applied(role) - self._since

    async def _die(self, role: Role, how: str, newly: int, *, least: int | None = None, good: bool = True) -> Death:
        """Book a death that has just happened."""
        remaining = self.traffic.remaining
        redelivered = await self.tails.redelivered(role.name)
        counted = (
            good and newly >= (self.limits.newly if least is None else least) and (remaining >= self.limits.remaining)
        )
        death = Death(role.name, how, newly, remaining, redelivered, counted)
        self.deaths.append(death)
        self.say(
            f"     {how}: {newly} newly applied, {remaining} remaining, {redelivered} to be delivered again"
            + ("" if counted else " (not counted)")
        )
        return death

    async def _kill(self, step: Step) -> None:
        role = self.roles[step.role]
        await self._newly(step, step.role)
        newly = await self._moment(step, step.role)
        role.held = True
        role.kill()
        await self._die(role, "kill -9", newly)
        role.start()
        role.held = False

    async def _recovery(self, step: Step) -> None:
        """Killed, the state folder removed, and killed again while it reads the changelog."""
        role = self.roles["dossier"]
        await self._newly(step, "dossier")
        newly = await self._moment(step, "dossier")
        role.held = True
        role.kill()
        await self._die(role, "kill -9, state removed", newly)
        shutil.rmtree(role.state_dir)
        self.wiped += 1
        role.start(f"in_recovery:{int(step.more * 4)}")
        code = await self._death_of(role)
        if code != KILL:
            raise GivenUpError(f"the dossier ended with {code} in its recovery, not by its failpoint\n{role.tail()}")
        await self._die(role, "kill -9 in recovery", 0, good=False)
        role.start()
        role.held = False

    async def _failpoint(self, step: Step) -> None:
        """Killed by itself at a named place, as often as it takes until that was what the plan asks for."""
        role, limits = self.roles["dossier"], self.limits
        await self._newly(step, "dossier")
        passages, backlog = max(1, limits.newly // FIRST_PASSAGES[step.failpoint]), self.traffic.backlog
        self.traffic.backlog = max(100, limits.newly // 5)  # small units, so that the place is passed often
        for _ in range(ATTEMPTS):
            await until("what was granted to be applied", self._idle, STEP_TIMEOUT_S)
            role.held = True
            role.kill()
            before = await self.tails.applied()
            role.start(f"{step.failpoint}:{passages}")
            code = await self._fed_to_death(role, before)
            newly = await self.tails.applied() - before
            ahead = await self.tails.outputs_ahead() if step.failpoint == "after_outputs" else 0
            good = code == KILL and newly < TOO_LATE * limits.newly and (ahead > 0 or step.failpoint != "after_outputs")
            how = f"kill -9 {step.failpoint}:{passages}" + (f", {ahead} outputs ahead of state" if ahead else "")
            death = await self._die(role, how, newly, good=good)
            role.start()
            role.held = False
            if death.counted:
                break
            if limits.newly <= newly < TOO_LATE * limits.newly:
                passages += 1
            else:
                passages = max(1, int(passages * min(4.0, 1.3 * limits.newly / max(newly, 1))))
        else:
            raise GivenUpError(f"failpoint {step.failpoint} did not do in {ATTEMPTS} attempts")
        self.traffic.backlog = backlog

    async def _backlog(self, step: Step) -> None:
        """Killed, a backlog grows, and its successor kills itself at a named place of the first large commits."""
        role, wanted = self.roles["dossier"], 2 * self.limits.newly
        self.traffic.grant(self.limits.newly)
        await until("what was granted to be applied", self._idle, STEP_TIMEOUT_S)
        role.held = True
        role.kill()
        before = await self.tails.applied()
        self.traffic.backlog = 2 * wanted
        self.traffic.grant(wanted)
        with contextlib.suppress(LateError):  # less, where a phase of the traffic ends
            await until("a backlog", lambda: self.traffic.outstanding() >= wanted - 100, BACKLOG_TIMEOUT_S)
        role.start(f"{step.failpoint}:{int(step.more * self.stage.partitions)}")
        code = await self._fed_to_death(role, before)
        if code != KILL:
            raise GivenUpError(f"the dossier ended with {code} on a backlog, not by its failpoint\n{role.tail()}")
        await self._die(role, f"kill -9 {step.failpoint} on a backlog", await self.tails.applied() - before, good=False)
        role.start()
        role.held = False

    def _idle(self) -> bool:
        return self.traffic.published >= min(self.traffic.granted, self.traffic.total) - 50 and self.traffic.settled()

    async def _fed_to_death(self, role: Role, before: int) -> int:
        """Grant traffic until the armed process dies; one that lives too long is killed."""
        deadline = time.monotonic() + DEATH_TIMEOUT_S
        while True:
            code = role.ended()
            if code is not None:
                return code
            applied = self.watch.now.applied("dossier")
            if time.monotonic() > deadline or applied - before > 2 * TOO_LATE * self.limits.newly:
                role.kill()
                return role.exits[-1]
            if self.traffic.published >= self.traffic.total and self.traffic.settled():
                raise GivenUpError("the traffic ended before the plan did: more events are needed (FAULTS_EVENTS)")
            if self.traffic.granted - self.traffic.published < self.limits.newly / 4:
                self.traffic.grant(self.limits.newly // 2)
            await asyncio.sleep(0.02)

    async def _death_of(self, role: Role) -> int:
        codes: list[int] = []

        def ended() -> bool:
            code = role.ended()
            codes.extend([] if code is None else [code])
            return bool(codes)

        await until(f"{role.label} to die", ended, DEATH_TIMEOUT_S)
        return codes[0]

    async def _pause(self, step: Step) -> None:
        """One worker sleeps beyond its session, another takes over, the sleeper wakes."""
        sleeper = self.roles["dossier"]
        other = self._successor()
        self.roles["successor"] = other
        other.start()
        await self._assigned(sleeper, other)
        await self._newly(step, "dossier")
        sleeper.held = True
        sleeper.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        self.traffic.grant(int(self.limits.per_second * FLOWING_S * 2))
        await until("the other worker to own all partitions", lambda: self._owns(other, self.stage.partitions), 60.0)
        before = self.watch.now.applied("dossier")
        self.traffic.grant(self.limits.newly)
        await until(
            "the other worker to apply",
            lambda: self.watch.now.applied("dossier") > before or self.traffic.settled(),
            STEP_TIMEOUT_S,
        )
        slept = time.monotonic() - stopped
        sleeper.signal(signal.SIGCONT)
        try:
            code: int | None = await asyncio.wait_for(self._death_of(sleeper), WAKE_TIMEOUT_S)
        except TimeoutError:
            code = None
            sleeper.kill()
        self.paused = {"slept_s": round(slept, 1), "session_s": SESSION_S, "exit": code}
        self.say(f"     slept {slept:.1f} s (session {SESSION_S} s), ended with {code} after waking")
        self.roles["dossier"] = self.roles.pop("successor")

    async def _assigned(self, *roles: Role) -> None:
        for role in roles:
            await until(f"{role.label} to own partitions", lambda r=role: self._owns(r, 1), READY_TIMEOUT_S)

    async def _owns(self, role: Role, least: int) -> bool:
        found = await role.metrics()
        return found.get("streamer_assigned_partitions", 0) >= least and found.get("streamer_ready", 0) == 1

    async def _kafka(self, step: Step) -> None:
        await self._newly(step, "dossier")
        kafka.kill(1, self.stage.home)
        await kafka.start(1, self.stage.home)
        self.kafka_killed += 1
        before, turns = self.watch.now.applied("dossier"), self.watch.turns
        self.traffic.grant(self.limits.newly)
        await until("a look at the offsets after the broker's death", lambda: self.watch.turns > turns, STEP_TIMEOUT_S)
        await until(
            "the dossier to go on after the broker's death",
            lambda: self.watch.now.applied("dossier") > before or self.traffic.settled(),
            STEP_TIMEOUT_S,
        )

    async def _postgres(self, step: Step) -> None:
        """Away for a minute, while the plan goes on; what was raised meanwhile is in Kafka before it returns."""
        await self._newly(step, "sink")
        self._away = asyncio.create_task(self._outage())

    async def _outage(self) -> None:
        alerts = [f"credit.alerts.{domain}" for domain in self.stage.domains]
        postgres.kill(self.stage.home)
        began = time.monotonic()
        before = sum((await self.watch.ends(alerts)).values())
        self.traffic.grant(self.limits.newly)
        await asyncio.sleep(POSTGRES_AWAY_S)  # the outage
        for _ in range(ATTEMPTS):
            try:
                after = sum((await self.watch.ends(alerts)).values())
                break
            except Exception:  # noqa: BLE001 - the plan may have killed the broker
                await asyncio.sleep(1)
        sink = await self.roles["sink"].metrics()
        self.away = {
            "seconds": round(time.monotonic() - began, 1),
            "alerts_meanwhile": after - before,
            "sink_waiting": sink.get("streamer_waiting"),
            "sink_ready": sink.get("streamer_ready"),
        }
        await postgres.start(self.stage.home)
        self.say(f"     Postgres is back after {self.away['seconds']} s; alerts written meanwhile: {after - before}")
