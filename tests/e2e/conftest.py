"""One chain for the whole folder: servers of its own (the topics' names are fixed), three roles, one rulebook."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.chain import Chain
from tests.faults.stage import Stage


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    chain = Chain(Stage(tmp_path_factory.mktemp("chain") / "home"))
    try:
        chain.up()
        yield chain
    finally:
        chain.down()


@pytest.fixture
def chain(running: Chain) -> Iterator[Chain]:
    """The chain, with every role alive before and after: no test may make one restart."""
    running.alive()
    yield running
    running.alive()
