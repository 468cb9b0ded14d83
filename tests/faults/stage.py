"""The stage of a run: servers of its own, topics, tables, and the roles as child processes. Not for: what happens to them."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg

from sinks import migrate
from streamer import admin, local
from streamer.rulebook import load, open_domains, sources
from streamer.settings import Settings
from tests.faults.waiting import LateError, until

SESSION_S: Final = 6  # consumer session: a paused worker has lost its partitions after so long
STOP_TIMEOUT_S: Final = 30.0
GONE_TIMEOUT_S: Final = 10.0  # after SIGKILL
METRICS_TIMEOUT_S: Final = 3.0
RESTART_DELAY_S: Final = 0.5  # as a supervisor would
REPOSITORY: Final = Path(__file__).parents[2]
_METRIC: Final = re.compile(r"^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+|NaN)$", re.MULTILINE)


class Role:
    """One role's process and its successors. ``held``: a scenario waits for its end itself. ``instance``: "" is a dynamic
    member of its group, with a home of its own (``home`` in ``environment``)."""

    def __init__(
        self, stage: Stage, name: str, instance: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.stage, self.name, self.instance = stage, name, instance
        self.own = dict(environment)
        self.process: subprocess.Popen[bytes] | None = None
        self.command = [sys.executable, *command, name]
        self.held = False
        self.exits: list[int] = []  # of every process that ended, in order
        self.log = stage.home / "logs" / f"{name}-{instance or 'dynamic'}.log"
        self.started_at = 0.0
        self.ended_at = 0.0

    @property
    def label(self) -> str:
        return f"{self.name}-{self.instance}"

    @property
    def environment(self) -> dict[str, str]:
        return {**self.stage.environment, "STREAMER_INSTANCE": self.instance, **self.own}

    @property
    def settings(self) -> Settings:
        return Settings.from_env(self.environment)

    @property
    def state_dir(self) -> Path:
        return self.settings.state_dir(self.name)

    def start(self, failpoint: str = "") -> None:
        """A new process; with ``failpoint`` (name:count, name:count:stop) it will kill or stop itself there."""
        assert self.process is None
        environment = self.environment
        if failpoint:
            environment |= {"STREAMER_ALLOW_FAILPOINTS": "1", "STREAMER_FAILPOINTS": failpoint}
        (self.state_dir / "http.port").unlink(missing_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=REPOSITORY,
                process_group=0,  # a supervisor's children end with it
            )
        self.started_at = time.monotonic()

    @property
    def asleep(self) -> bool:
        """Stopped by a signal."""
        if self.process is None:
            return False
        try:
            state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        return state == "T"

    @property
    def gone(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def ended(self) -> int | None:
        """The exit code of a process that ended, once; None while it runs or when there is none."""
        if self.process is None or self.process.poll() is None:
            return None
        code = self.process.returncode
        self.process, self.ended_at = None, time.monotonic()
        self.exits.append(code)
        return code

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9, its children with it; returns when it is gone."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(GONE_TIMEOUT_S)
        self.ended()

    async def metrics(self) -> dict[str, float]:
        """Its metrics, summed over labels; empty while it does not answer."""
        try:
            port = int((self.state_dir / "http.port").read_text())
            timeout = aiohttp.ClientTimeout(total=METRICS_TIMEOUT_S)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://127.0.0.1:{port}/metrics") as answer,
            ):
                text = await answer.text()
        except (OSError, ValueError, TimeoutError, aiohttp.ClientError):
            return {}
        found: dict[str, float] = {}
        for name, _, value in _METRIC.findall(text):
            found[name] = found.get(name, 0.0) + float(value)
        return found

    def tail(self, lines: int = 12) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""


class Stage:
    """Servers in ``home``, and the roles on them. Ends only what it started."""

    def __init__(
        self, home: Path, *, partitions: int = 4, brokers: int = 1, environment: Mapping[str, str] | None = None
    ) -> None:
        self.home, self.partitions, self.brokers = home, partitions, brokers
        self.own = dict(environment or {})
        self.kafka_properties: dict[str, str] = {}  # of every broker; before ``up``
        self.commands: dict[str, Sequence[str]] = {}  # of every instance of a role, instead of the product's
        self.bootstrap = self.database = ""
        self.environment: dict[str, str] = {}
        self.sources = [source.id for source in sources(None)]
        self.domains = list(open_domains())
        self.roles: list[Role] = []
        self.seal_key = secrets.token_hex(32)
        self.prefix = "credit"
        self.changelogs: list[str] = []  # of every beginning, the present one last

    async def up(self, clock: str, *, rulebook: str = "fictional", ticks: admin.Ticks = "simulated") -> None:
        """Servers, tables, topics with the rulebook."""
        with _no_servers_of_others():
            servers = await local.start(self.brokers, home=self.home, kafka_properties=self.kafka_properties)
        self.bootstrap, self.database = servers.bootstrap_servers, servers.database_url
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")},
            "PYTHONPATH": str(REPOSITORY),
            "STREAMER_HOME": str(self.home),
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "DATABASE_URL": self.database,
            "STREAMER_SEAL_KEY": self.seal_key,
            "STREAMER_SESSION_TIMEOUT_S": str(SESSION_S),
            "STREAMER_PARTITIONS": str(self.partitions),
            "STREAMER_RULEBOOK": rulebook,
            "STREAMER_REPLICATION": str(self.brokers),
            **self.own,
        }
        connection = await asyncpg.connect(self.database)
        try:
            await migrate.migrate(connection)
        finally:
            await connection.close()
        self.changelogs.append(self.changelog)
        await self.topics(clock, rulebook=rulebook, ticks=ticks)

    async def topics(self, clock: str, *, rulebook: str = "fictional", ticks: admin.Ticks = "simulated") -> None:
        """What `streamer topics apply` does."""
        await admin.ensure(
            self.bootstrap,
            sources=self.sources,
            domains=self.domains,
            partitions=self.partitions,
            replication=self.brokers,
            rulebook=load(rulebook),
            clock=clock,
            ticks=ticks,
            app_id=self.group("dossier"),
        )

    @property
    def told(self) -> list[str]:
        """The topics that a repeated message would stand in."""
        return [f"credit.alerts.{d}" for d in self.domains] + [f"credit.notices.{s}" for s in self.sources]

    def begin_anew(self, prefix: str) -> None:
        """Other groups, another changelog and other state folders, for the processes that start from now on."""
        self.prefix = self.environment["STREAMER_PREFIX"] = prefix
        self.changelogs.append(self.changelog)

    def group(self, role: str) -> str:
        return f"{self.prefix}-{role}"

    @property
    def changelog(self) -> str:
        return f"{self.group('dossier')}-dossier-changelog"

    def role(
        self,
        name: str,
        instance: str = "0",
        command: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Role:
        """A role that is not started yet."""
        command = command or self.commands.get(name, ("-m", "streamer.app"))
        role = Role(self, name, instance, command, environment or {})
        self.roles.append(role)
        return role

    async def stop_roles(self) -> list[int]:
        """SIGTERM to all; their exit codes (a process that does not end in time is killed: -9)."""
        running = [role for role in self.roles if role.process is not None]
        for role in running:
            role.held = True
            role.signal(signal.SIGTERM)
        with contextlib.suppress(LateError):
            await until("the roles to end", lambda: all(role.gone for role in running), STOP_TIMEOUT_S)
        for role in running:
            if role.ended() is None:
                role.kill()
        return [role.exits[-1] for role in running]

    async def down(self, *, keep: bool = False) -> None:
        """End everything of this stage, and remove its folder unless it is to be looked at."""
        for role in self.roles:
            role.signal(signal.SIGCONT)
            role.kill()
        with _no_servers_of_others():
            await local.stop(self.home, purge=not keep)
        if not keep:
            shutil.rmtree(self.home, ignore_errors=True)


@contextlib.contextmanager
def _no_servers_of_others() -> Iterator[None]:
    """A run kills its servers and wants empty ones: never those of the environment."""
    kept = {name: os.environ.pop(name) for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL") if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
