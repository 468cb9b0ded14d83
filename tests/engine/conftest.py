"""A workshop a test: its own topics, folders and processes on the session's broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.workshop import Workshop


@pytest.fixture
async def workshop(kafka: str, tmp_path: Path) -> AsyncIterator[Workshop]:
    made = Workshop(kafka, tmp_path)
    yield made
    made.kill_all()
