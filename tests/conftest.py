"""Real servers for every test that asks, and an account of tests that did not run.

Fixtures: ``kafka`` (bootstrap servers), ``postgres`` (address of a database of the test's own), ``own_servers`` (start servers
in a home of the test's own, to kill and restart). KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL are used where set.
"""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import hypothesis
import pytest

from streamer import local
from streamer.local.postgres import create_database

SEED_LIMIT = 2**32

hypothesis.settings.register_profile("here", print_blob=True, derandomize=False, deadline=None)
hypothesis.settings.load_profile("here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--whole", action="store_true", help="fail when a test was skipped, deselected or expected to fail"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed of the random tests ourselves, so that it can be printed: SEED=… repeats a run."""
    if config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = os.environ.get("SEED") or str(random.randrange(SEED_LIMIT))
    config.stash[_counts] = {"skipped": 0, "deselected": 0, "xfailed": 0}


_counts = pytest.StashKey[dict[str, int]]()


def pytest_report_header(config: pytest.Config) -> str:
    seed = config.getoption("--hypothesis-seed")
    return f"random tests: seed {seed} (repeat with SEED={seed})"


def pytest_deselected(items: list[pytest.Item]) -> None:
    if items:
        items[0].config.stash[_counts]["deselected"] += len(items)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With --whole, a green run is one in which everything ran."""
    counts = session.config.stash[_counts]
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        counts["skipped"] = len(reporter.stats.get("skipped", []))
        counts["xfailed"] = len(reporter.stats.get("xfailed", [])) + len(reporter.stats.get("xpassed", []))
    if session.config.getoption("--whole") and any(counts.values()) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(" ".join(f"{what}={count}" for what, count in config.stash[_counts].items()))


@pytest.fixture(scope="session")
def servers_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of this session's servers; stopped and removed at the end."""
    home = tmp_path_factory.mktemp("servers")
    yield home
    asyncio.run(local.stop(home, purge=True))


@pytest.fixture(scope="session")
def kafka(servers_home: Path) -> str:
    """Bootstrap servers of one broker for the whole session: name topics and groups of your own."""
    return asyncio.run(local.start(1, postgres=False, home=servers_home)).bootstrap_servers


@pytest.fixture(scope="session")
def postgres_server(servers_home: Path) -> str:
    """Address of the session's PostgreSQL."""
    return asyncio.run(local.start(0, home=servers_home)).database_url


@pytest.fixture
async def postgres(postgres_server: str) -> AsyncIterator[str]:
    """Address of an empty database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    await create_database(postgres_server, name)
    yield f"{postgres_server.rpartition('/')[0]}/{name}"
    connection = await asyncpg.connect(postgres_server)
    try:
        await connection.execute(f'drop database "{name}" with (force)')
    finally:
        await connection.close()


@pytest.fixture
async def own_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[local.Servers]]]:
    """Start servers that this test may kill: ``await own_servers(brokers=1, postgres=True)``; home is ``.home`` of the answer."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    home = tmp_path / "home"

    async def start(brokers: int = 1, postgres: bool = True, **options: Any) -> local.Servers:
        return await local.start(brokers, postgres, home=home, **options)

    yield start
    await local.stop(home, purge=True)
