"""Negative controls: the judge of the crash tests must see a commit in the wrong order, and a torn one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine import oracle
from tests.engine.workshop import Workshop

KILLED = -9
SLOW: dict[str, Any] = {"slow_ms": 15, "commit": 0.2, "poll": 100, "unit_target": 20_000}


@pytest.mark.parametrize(
    ("steps", "failpoint", "where"),
    [("OutputsLast", "after_changelog", {"alerts"}), ("Torn", "in_changelog", {"changelog", "last records"})],
)
async def test_a_broken_commit_is_found_out_and_the_real_one_is_not(
    workshop: Workshop, steps: str, failpoint: str, where: set[str]
) -> None:
    await workshop.create()
    await workshop.publish(oracle.events(1, 6_000))
    for count in (20, 10):
        process = workshop.spawn(f"{failpoint}:{count}", steps=f"tests.engine.sabotage:{steps}", **SLOW)
        assert await workshop.wait(process) == KILLED
    found = await workshop.finish()
    assert where <= found.keys()
    assert all("missing" in str(found[w]) or "conflicting" in str(found[w]) for w in where)

    control = Workshop(workshop.bootstrap, workshop.folder / "control")
    control.folder.mkdir()
    try:
        await control.create()
        await control.publish(oracle.events(1, 6_000))
        for count in (20, 10):
            assert await control.wait(control.spawn(f"{failpoint}:{count}", **SLOW)) == KILLED
        assert await control.finish() == {}
    finally:
        control.kill_all()
