"""The demo, end to end: servers, world, workers with two kills on the way, ticks between phases, and the verdict.

Not for: production. It wants servers of its own (or empty ones) and simulated ticks.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg

from sinks import migrate
from streamer import admin, audit, kafka_io, local, ticks
from streamer.demo import generator, sending, verify
from streamer.demo.truth import Truth
from streamer.domain.replay import Replay, run
from streamer.errors import StreamerError
from streamer.export import export
from streamer.rulebook import load, open_domains, sources
from streamer.settings import Settings

KILL_TIMEOUT_S: Final = 120.0
CATCH_UP_TIMEOUT_S: Final = 600.0
STOP_TIMEOUT_S: Final = 15.0
POLL_S: Final = 0.25
# The first intake and the first dossier end by kill -9 at this point of their commits, in this one of them: what they had
# sent is sent again.
ENVIRONMENT: Final = {
    "STREAMER_RULEBOOK": "fictional",
    "STREAMER_INSTANCE": "demo",
}  # static members: no wait after a kill
KILLED_AT: Final = {"intake": "after_outputs:6", "dossier": "after_outputs:3"}

Say = Callable[[str], None]


class Result(NamedTuple):
    """What a run found."""

    checks: list[verify.Check]
    report: audit.Report
    truth: Truth
    emitted: verify.Emitted
    seconds: dict[str, float]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


class Demo:
    """One run. ``folder`` holds truth, events and logs."""

    def __init__(self, settings: Settings, folder: Path, *, events: int, seed: int, say: Say) -> None:
        self.settings, self.folder, self.events, self.seed, self.say = settings, folder, events, seed, say
        self.seconds: dict[str, float] = {}
        self.workers: list[subprocess.Popen[bytes]] = []
        self.bootstrap = self.database = ""
        self.sources = [source.id for source in sources(settings.sources)]

    async def servers(self) -> None:
        """Start the servers; a run on the local ones begins empty."""
        begun = time.monotonic()
        if self.settings.bootstrap_servers is None:
            await local.stop(self.settings.home, purge=True)
        found = await local.start(home=self.settings.home, say=self.say)
        self.bootstrap, self.database = found.bootstrap_servers, found.database_url
        self.seconds["servers (with downloads, the first time)"] = time.monotonic() - begun

    async def prepare(self) -> Truth:
        """Schemas, topics, rulebook; the truth, then the events."""
        begun = time.monotonic()
        connection = await asyncpg.connect(self.database)
        try:
            await migrate.migrate(connection)
        finally:
            await connection.close()
        _, ends = await kafka_io.bounds(self.bootstrap, ["credit.records"])
        if any(ends.values()):
            raise StreamerError(
                "credit.records is not empty", todo="give the demo an empty cluster, or none (it starts its own)"
            )
        truth: Truth = generator.generate(self.folder, n_events=self.events, seed=self.seed)
        await admin.ensure(
            self.bootstrap,
            sources=self.sources,
            domains=open_domains(),
            partitions=self.settings.partitions,
            replication=1,
            rulebook=load("fictional"),
            clock=truth.clock,
            ticks="simulated",
            app_id=self.settings.app_id("dossier"),
        )
        self.seconds["truth, events, topics"] = time.monotonic() - begun
        return truth

    async def work(self, truth: Truth) -> None:
        """Publish phase by phase while the roles run; kill two of them in the first."""
        begun = time.monotonic()
        for number, phase in enumerate(truth.phases):
            if phase.tick is not None:
                await self._caught_up(("intake", "dossier"))
                await ticks.send(self.bootstrap, phase.tick)
                self.say(f"tick {phase.tick}")
            if phase.messages:
                publishing = sending.publish(
                    self.bootstrap, self.folder / phase.file, self._progress(number, phase.messages)
                )
                if number == 0:
                    await asyncio.gather(publishing, self._killed("intake"))
                    self._worker("intake", "sink")
                    await self._caught_up(("intake",))
                    await self._killed("dossier")
                    self._worker("dossier")
                else:
                    await publishing
        await self._caught_up(("intake", "dossier", "sink"))
        self.seconds["events"] = time.monotonic() - begun

    async def verdict(self, truth: Truth) -> Result:
        """Everything compared with everything."""
        begun = time.monotonic()
        self.say("auditing, replaying, comparing")
        report = await audit.audit(
            self.bootstrap,
            sources=self.sources,
            intake_group=self.settings.app_id("intake"),
            dossier_group=self.settings.app_id("dossier"),
            changelog=f"{self.settings.app_id('dossier')}-dossier-changelog",
        )
        emitted = await verify.read_emitted(self.bootstrap, list(open_domains()), self.sources)
        replay: Replay = run([line async for line in export(self.bootstrap)])
        checks = [
            verify.Check("residual of the books", report.residual == 0, f"{report.residual}"),
            *verify.enough(truth, self.events),
            *verify.against_truth(truth, report, emitted),
            *verify.against_replay(replay, emitted),
            *verify.copies_of(emitted, report.resent_messages),
            *await verify.against_postgres(self.database, emitted, report),
        ]
        self.seconds["verdict"] = time.monotonic() - begun
        return Result(checks, report, truth, emitted, self.seconds)

    async def stop(self, *, servers: bool) -> None:
        """End the workers, and the servers if asked."""
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.workers:
            try:
                await asyncio.to_thread(process.wait, STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if servers and self.settings.bootstrap_servers is None:
            await local.stop(self.settings.home)

    async def _killed(self, role: str) -> None:
        """Run a role until it dies of kill -9 at its failpoint."""
        environment = {"STREAMER_FAILPOINTS": KILLED_AT[role], "STREAMER_ALLOW_FAILPOINTS": "1"}
        process = self._spawn(["-m", "streamer.app", role], environment, role)
        code = await asyncio.to_thread(process.wait, KILL_TIMEOUT_S)
        if code != -signal.SIGKILL:
            raise StreamerError(f"{role} ended with {code}, not by kill -9", where=str(self.folder / f"{role}.log"))
        self.say(f"{role} killed (kill -9) between its outputs and their commit")

    def _worker(self, *roles: str) -> None:
        arguments = [part for role in roles for part in ("--role", role)]
        self._spawn(["-m", "streamer", "worker", *arguments], {}, "worker")

    def _spawn(self, arguments: list[str], environment: dict[str, str], name: str) -> subprocess.Popen[bytes]:
        """A process in a session of its own: with KEEP=1 it outlives this one."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env={**os.environ, "STREAMER_HOME": str(self.settings.home), **ENVIRONMENT, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(process)
        return process

    async def _caught_up(self, roles: tuple[str, ...]) -> None:
        """Wait until the roles have committed all there is, in the order in which they feed each other."""
        deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
        for role in roles:
            while await self.behind(role):
                if time.monotonic() > deadline:
                    raise StreamerError(
                        f"{role} did not catch up in {CATCH_UP_TIMEOUT_S:.0f} s", where=str(self.folder)
                    )
                await asyncio.sleep(POLL_S)

    async def behind(self, role: str) -> int:
        """Messages that a role has not committed."""
        topics = {
            "intake": [f"credit.events.{source}" for source in self.sources],
            "dossier": ["credit.records"],
            "sink": ["credit.records", "credit.status", "credit.dead-letters", *self._alert_topics()],
        }[role]
        _, ends = await kafka_io.bounds(self.bootstrap, topics)
        done = await kafka_io.committed(self.bootstrap, self.settings.app_id(role))
        return sum(max(0, end - done.get(key, 0)) for key, end in ends.items())

    def _alert_topics(self) -> list[str]:
        kinds = [f"credit.{kind}.{domain}" for kind in ("alerts", "standing") for domain in open_domains()]
        return kinds + [f"credit.notices.{source}" for source in self.sources]

    def _progress(self, phase: int, total: int) -> Callable[[int], None]:
        return lambda sent: self.say(f"phase {phase + 1}: {sent:,} of {total:,} events acknowledged")


def summary(result: Result) -> dict[str, Any]:
    """The result as data."""
    return {
        "ok": result.ok,
        "fates": result.report.fates,
        "reasons": result.report.reasons,
        "checks": [check._asdict() for check in result.checks],
        "seconds": {name: round(value, 1) for name, value in result.seconds.items()},
    }
