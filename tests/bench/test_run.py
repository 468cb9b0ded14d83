"""How a benchmark runs: what may stand in docs, what a broken one goes on with, what becomes of a part that breaks."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from bench import __main__ as command
from bench.context import QUICK, Bench, Plan
from bench.estimate import estimate
from bench.machine import Machine, source
from bench.store import Run, Store, failures

MACHINE = Machine(2, 24, "a processor", "3.11.7", "4.3.1", True, 0.1)
HEAD: dict[str, Any] = {
    "plan": {"kernel": (1, 2)},
    "machine": MACHINE._asdict(),
    "source": {"commit": "abc", "files": "1"},
}
RUN = Run("kernel", "floor", 1_000, 1, 1_000, 1.0, 1.0, 100.0)


def test_a_broken_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    Store.begin(path, HEAD).add(RUN)
    with path.open("ab") as out:
        out.write(b'{"part":"kernel","na')
    busy = {**HEAD, "machine": {**HEAD["machine"], "load": 3.5}}
    again = Store.open(path).of_head(busy)
    assert again.has("kernel", "floor", 1_000, 1)
    assert not again.has("kernel", "floor", 1_000, 2)
    again.add(RUN._replace(round=2))
    assert Store.open(path).has("kernel", "floor", 1_000, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"plan": {}}, "other options"),
        ({"source": {"commit": "abd", "files": "1"}}, "another state of the source"),
        ({"source": {"commit": "abc", "files": "2"}}, "another state of the source"),
        ({"machine": {**MACHINE._asdict(), "cores": 4}}, "another machine"),
        ({"machine": {**MACHINE._asdict(), "kafka": "4.4.0"}}, "another machine"),
    ],
)
def test_figures_of_two_states_are_never_mixed(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    store = Store.begin(tmp_path / "runs.jsonl", HEAD)
    with pytest.raises(ValueError, match=said):
        store.of_head({**HEAD, **change})


def test_the_source_is_told_apart_by_what_is_in_its_files(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    file = tmp_path / "bench" / "a.py"
    file.write_text("a = 1")
    before = source(tmp_path)
    assert source(tmp_path) == before
    file.write_text("a = 2")
    changed = source(tmp_path)
    assert changed.files != before.files
    (tmp_path / "bench" / "results.json").write_text("{}")  # its own result is none of it
    (tmp_path / "bench" / "notes.md").write_text("text")
    assert source(tmp_path) == changed


@pytest.mark.parametrize(
    "arguments",
    [
        ["--quick"],
        ["--events", "5000"],
        ["--rounds", "1"],
        ["--peers", "ours,floor"],
        ["--only", "kernel"],
        ["--only", "chain,growth,recovery,latency,sink,guarantees,card"],
    ],
)
def test_less_than_the_whole_never_touches_docs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    found = made(tmp_path, monkeypatch, arguments)
    assert found.exit_code == 0
    assert sorted(file.name for file in (tmp_path / "docs").iterdir()) == []
    assert not (tmp_path / "bench" / "results.json").exists()
    assert (tmp_path / "home" / "trial" / "performance.md").exists()


def test_the_whole_goes_to_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(tmp_path, monkeypatch, [])
    assert found.exit_code == 0
    assert sorted(file.name for file in (tmp_path / "docs").iterdir()) == ["performance.md", "performance.svg"]
    assert orjson.loads((tmp_path / "bench" / "results.json").read_bytes())["head"]["plan"]["kills"] == 10


def test_a_whole_run_with_a_broken_part_keeps_the_others_beside_docs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(tmp_path, monkeypatch, [], breaks="growth")
    assert found.exit_code == 1
    assert "growth: the part broke off: RuntimeError: no room" in found.output
    assert list((tmp_path / "docs").iterdir()) == []
    kept = orjson.loads((tmp_path / "home" / "results.json").read_bytes())
    assert {run["part"] for run in kept["runs"] if not run["extra"]} == set(command.PARTS) - {"growth"}
    mended = made(tmp_path, monkeypatch, ["--resume"])
    assert mended.exit_code == 0
    assert (tmp_path / "docs" / "performance.md").exists()


def test_a_run_without_figures_fails_the_command_though_its_part_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(tmp_path, monkeypatch, [], leaves=RUN.without("exit 70 after 0 events"))
    assert found.exit_code == 1
    assert "kernel, floor: plain aiokafka + RocksDB loop, flushed every fetch, 1,000, round 1: exit 70" in found.output


def made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    *,
    breaks: str = "",
    leaves: Run | None = None,
) -> Any:
    """The command with parts that measure nothing, in folders of its own."""

    async def run(parts: list[str], store: Store, plan: Plan) -> list[str]:
        async def nothing(bench: Bench) -> None:
            if leaves is not None:
                bench.store.add(leaves)

        async def broken(_: Bench) -> None:
            raise RuntimeError("no room")

        parts_of = {part: broken if part == breaks else nothing for part in command.PARTS}
        return await command.each(parts, spoken_to(plan, store), parts_of)

    for name in ("docs", "bench", "home"):
        (tmp_path / name).mkdir(exist_ok=True)
    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "HOME", tmp_path / "home")
    monkeypatch.setattr(command, "TRIAL", tmp_path / "home" / "trial")
    monkeypatch.setattr(command, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(command, "RESULTS", tmp_path / "bench" / "results.json")
    return CliRunner().invoke(command.main, arguments)


def spoken_to(plan: Plan, store: Store) -> Any:
    return SimpleNamespace(plan=plan, store=store, say=lambda _: None)


def test_what_failed_once_and_came_right_is_no_failure() -> None:
    failed = RUN.without("no room")
    assert failures([failed]) == [failed]
    assert failures([failed, RUN]) == []
    assert failures([failed, RUN._replace(round=2)]) == [failed]


def test_every_part_has_an_estimate_and_the_whole_stays_below_an_hour() -> None:
    assert set(estimate(Plan())) == set(command.PARTS)
    assert sum(estimate(Plan()).values()) <= 60 * 60
    assert sum(estimate(QUICK).values()) < sum(estimate(replace(Plan(), peers=("ours",))).values())


def test_a_head_can_be_written_down() -> None:
    head = orjson.loads(orjson.dumps(command._head(Plan())))
    assert Machine(**head["machine"]).cores >= 1
    assert head["source"] == source()._asdict()


def test_the_peak_is_of_the_process_itself_and_not_of_the_one_that_started_it() -> None:
    ballast = bytearray(300 << 20)  # resident here when the child is forked
    program = "import os; from bench.raw import peak_mb; print(peak_mb(os.getpid()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 1 < float(done.stdout) < len(ballast) >> 20
