"""The plan of a kill run: the same for the same seed, and with all that a run has to go through."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.plan import Limits, control_steps, steps, subscriber_moments

SEEDS = (1, 2, 3, 2**31 - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_is_a_plan(seed: int) -> None:
    assert steps(seed) == steps(seed)
    assert control_steps(seed) == control_steps(seed)
    assert subscriber_moments(seed, 60_000) == subscriber_moments(seed, 60_000)
    assert steps(seed) != steps(seed + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_has_everything(seed: int) -> None:
    kinds = Counter(step.kind for step in steps(seed))
    assert kinds == {"kill": 7, "failpoint": 2, "recovery": 1, "pause": 1, "kafka": 1, "postgres": 1}
    kills = Counter(step.role for step in steps(seed) if step.kind in {"kill", "failpoint", "recovery"})
    assert kills == {"dossier": 6, "intake": 2, "sink": 2}
    assert {step.failpoint for step in steps(seed)} >= {"after_outputs", "in_changelog", "in_recovery"}
    assert len(subscriber_moments(seed, 60_000)) == 5


def test_the_limits_of_a_full_run_are_those_that_are_asked_for() -> None:
    assert Limits.of(60_000)[:2] == (2_000, 5_000)
    assert Limits.of(100_000)[:2] == (2_000, 5_000)
    assert Limits.of(6_000)[:2] == (200, 500), "a trial's are smaller, and said to be"
