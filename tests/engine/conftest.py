"""A workshop a test: its own topics, folders and processes on the session's broker; ends that a test sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.engine import exits
from tests.engine.workshop import Workshop


@pytest.fixture
async def workshop(kafka: str, tmp_path: Path) -> AsyncIterator[Workshop]:
    made = Workshop(kafka, tmp_path)
    yield made
    made.kill_all()


class EndedError(BaseException):
    """In place of the end of the process; no handler of exceptions sees it, as none sees the end."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Exit codes of processes that ended."""
    codes: list[int] = []

    def terminate(code: int) -> None:
        codes.append(code)
        raise EndedError(code)

    monkeypatch.setattr(exits, "terminate", terminate)
    return codes
