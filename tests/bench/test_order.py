"""What is set against each other is measured in turn, in the same part: A B C A B C."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import chain, guarantees
from bench.context import QUICK, Plan
from bench.guarantees import VARIANTS
from bench.kernel import measure
from bench.peers import BY_NAME
from bench.store import Run, Store
from streamer.bench import runs

TWICE = replace(QUICK, chain_rounds=2, guarantee_rounds=2, kernel=((20_000, 2),))


def bench_of(tmp_path: Path, plan: Plan) -> Any:
    store = Store.begin(tmp_path / "runs.jsonl", {})
    return SimpleNamespace(plan=plan, store=store, keep=store.add, say=lambda _: None, peers=list(BY_NAME.values()))


async def attempt(_: Any, peer: Any, run: Run, **__: Any) -> Run:
    return run._replace(seconds=1.0, cpu_s=1.0, extra={"peer": peer.name})


def order(bench: Any) -> list[tuple[str, int]]:
    return [(run.name, run.round) for run in bench.store.runs]


async def test_the_kernels_floor_stands_beside_the_chain_in_every_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Runner:
        async def publish(self, _: int) -> None:
            """Nothing."""

        async def chain(self) -> runs.Run:
            return runs.Run("chain", 4_000, 1.0, 1.0, 100.0)

    @asynccontextmanager
    async def staged(_: Any) -> AsyncIterator[tuple[Any, Any]]:
        yield None, Runner()

    async def stages(bench: Any, _: Any, number: int) -> None:
        bench.keep(Run("chain", "intake", bench.plan.chain_events, number, 1, 1, 1, 1))

    monkeypatch.setattr(chain, "staged", staged)
    monkeypatch.setattr(chain, "_stages", stages)
    monkeypatch.setattr(chain, "attempt", attempt)
    bench = bench_of(tmp_path, TWICE)
    await chain.chain(bench)
    assert order(bench) == [(name, number) for number in (1, 2) for name in ("floor", "intake", "chain")]
    floor = bench.store.runs[0]
    assert (floor.part, floor.events, floor.extra["peer"]) == ("chain", TWICE.chain_floor_events, "floor")
    await chain.chain(bench)
    assert len(bench.store.runs) == 6  # nothing was left to do


async def test_the_variants_of_the_guarantees_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarantees, "attempt", attempt)
    bench = bench_of(tmp_path, TWICE)
    await guarantees.guarantees(bench)
    assert order(bench) == [(name, number) for number in (1, 2) for name in VARIANTS]


async def test_the_peers_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "attempt", attempt)
    bench = bench_of(tmp_path, TWICE)
    await measure.kernel(bench)
    at_size = [name for name in BY_NAME if name != "faust"]
    assert order(bench)[: 2 * len(at_size)] == [(name, number) for number in (1, 2) for name in at_size]
    assert order(bench)[2 * len(at_size) :] == [(n, number) for number in (1, 2) for n in ("floor", "ours", "faust")]
