"""What the benchmark's runs add up to: ratios by name, tables, a chart; and docs/performance.md is what its results say."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

from bench import page
from bench.context import Plan
from bench.goals import GOALS, ratios
from bench.latency import percentile
from bench.machine import Machine
from bench.store import Run, Store

ROOT = Path(__file__).parents[2]
NAMES = [
    "kernel_vs_floor",
    "kernel_vs_quix",
    "kernel_vs_bytewax_200k",
    "kernel_vs_bytewax_1m",
    "kernel_cpu_vs_kafka_streams",
    "kernel_vs_faust",
    "repeats",
    "chain_vs_floor",
    "fact_growth",
    "entity_growth",
    "recovery_vs_raw",
    "mb_per_million_entities",
    "guarantees_price",
    "p99_half_load_ms",
    "sink_vs_raw",
]
MACHINE = Machine(2, 24, "a processor", "3.11.7", "4.3.1", True, 0.1)
PLAN = orjson.loads(orjson.dumps(asdict(Plan())))
CARD = {
    "kills": 10, "finished": True, "alerts": 100, "lost": 0, "doubled": 8, "conflicting": 0, "entities": 50,
    "wrong_state": 0, "bound": 16, "beyond_bound": 0,
}  # fmt: skip


def run(part: str, name: str, size: int, rate: float = 1.0, cpu_us: float = 10.0, **changes: Any) -> Run:
    events = 1_000
    whole = Run(part, name, size, 1, events, events / rate, cpu_us * events / 1e6, 100.0)
    return whole._replace(**changes)


RUNS = [
    *[run("kernel", "floor", 1_000_000, rate) for rate in (40, 50, 90)],
    run("kernel", "ours", 1_000_000, 60, 10, extra={"second_half_cpu_us": 8.0}),
    run("kernel", "ours", 200_000, 80),
    run("kernel", "quix", 1_000_000, 20),
    run("kernel", "bytewax", 1_000_000, 15),
    run("kernel", "bytewax", 200_000, 40),
    run("kernel", "streams", 1_000_000, 40, 99, extra={"second_half_cpu_us": 20.0}),
    run("kernel", "streams_eos", 1_000_000, events=0, extra={"failed": "not installed: no | network"}),
    run("kernel", "faust", 20_000, 2),
    run("kernel", "ours", 20_000, 30),
    run("card", "ours", 200_000, events=0, extra=CARD),
    run("chain", "floor", 100_000, 60),
    run("chain", "chain", 100_000, 15),
    run("facts", "dossier", 5, cpu_us=20),
    run("facts", "dossier", 500, cpu_us=21),
    run("facts", "dossier", 50_000, cpu_us=22),
    run("growth", "ours", 10_000, cpu_us=10, peak_mb=100.0),
    run("growth", "ours", 1_010_000, cpu_us=12, peak_mb=220.0),
    run("growth", "ours", 10_010_000, cpu_us=15, peak_mb=300.0),
    run("recovery", "ours", 1_000_000, 90),
    run("recovery", "raw", 1_000_000, 100),
    run("latency", "chain", 50, extra={"rate": 5, "alerts": 9, "p50_ms": 20.0, "p99_ms": 80.0, "p999_ms": None}),
    run("sink", "sink", 100_000, 70),
    run("sink", "raw", 100_000, 100),
    run("guarantees", "all", 500_000, cpu_us=12),
    run("guarantees", "none", 500_000, cpu_us=10),
]  # fmt: skip


def test_results_carry_every_ratio_by_its_name_at_the_top() -> None:
    found = page.results(RUNS, MACHINE, PLAN)
    assert [goal.name for goal in GOALS] == NAMES
    assert {name: found[name] for name in NAMES} == {
        "kernel_vs_floor": 1.2,
        "kernel_vs_quix": 3.0,
        "kernel_vs_bytewax_200k": 2.0,
        "kernel_vs_bytewax_1m": 4.0,
        "kernel_cpu_vs_kafka_streams": 2.5,
        "kernel_vs_faust": 40.0,
        "repeats": 0.5,
        "chain_vs_floor": 0.25,
        "fact_growth": 1.1,
        "entity_growth": 1.5,
        "recovery_vs_raw": 0.9,
        "mb_per_million_entities": 120.0,
        "guarantees_price": 0.2,
        "p99_half_load_ms": 80.0,
        "sink_vs_raw": 0.7,
    }
    assert all(goal["met"] for goal in found["goals"].values())


def test_what_was_not_run_is_null_and_said_to_be_not_measured() -> None:
    found = page.results([], MACHINE, PLAN)
    assert [found[name] for name in NAMES] == [None] * len(NAMES)
    assert page.page([], MACHINE, PLAN, "", "").count("not measured") == len(NAMES)


@pytest.mark.parametrize("fault", ["lost", "conflicting", "wrong_state", "beyond_bound"])
def test_one_fault_on_the_card_misses_the_goal_however_few_the_repeats(fault: str) -> None:
    found = ratios([run("card", "ours", 200_000, events=0, extra={**CARD, "doubled": 0, fault: 1})])
    goal = next(goal for goal in GOALS if goal.name == "repeats")
    assert found["repeats"] is not None
    assert not goal.met(found["repeats"] + 0.001)


def test_a_peer_without_figures_is_shown_with_the_reason() -> None:
    lines = "\n".join(page.kernel(RUNS, 1_000_000))
    assert "| Kafka Streams, exactly once | 0 | not installed: no / network |" in lines


def test_the_fastest_stands_first_and_medians_count() -> None:
    lines = page.kernel(RUNS, 1_000_000)[4:]
    assert lines[0].startswith("| **credit-streamer's engine** | 1 | 60 | 60 to 60 | 1.20 | 10.0 | 8.0 |")
    assert "| 3 | 50 | 40 to 90 | 1.00 |" in lines[1]


def test_the_page_has_goals_tables_method_and_notes() -> None:
    text = page.page(RUNS, MACHINE, PLAN, "## Misses\n\nNone.", "## What is measured\n\nThis.")
    assert "| kernel, ours ÷ floor | ≥ 1 | 1.20 | met |" in text
    assert "8 copies, byte for byte the same; the units in flight at the kills held 16 alerts, and 0 copies" in text
    assert "| 50 % | 5 | 9 | 20.0 | 80.0 | – |" in text
    assert text.endswith("## Misses\n\nNone.\n")


def test_the_chart_is_xml_with_a_bar_for_each_peer() -> None:
    runs = [*RUNS, run("kernel", "confluent", 1_000_000, 45)]
    drawn = ElementTree.fromstring(page.drawing(runs))
    bars = [element for element in drawn if element.tag.endswith("rect")]
    assert len(bars) == 1 + 2 * 6


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([], 0.5) is None
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([float(i) for i in range(1, 101)], 0.99) == 99.0
    assert percentile([float(i) for i in range(1, 101)], 0.999) == 100.0


def test_a_broken_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    head = {"plan": {"kernel": (1, 2)}}
    Store.begin(path, head).add(RUNS[0])
    with path.open("ab") as out:
        out.write(b'{"part":"kernel","na')
    again = Store.open(path).of_plan(head)
    assert again.has("kernel", "floor", 1_000_000, 1)
    assert not again.has("kernel", "floor", 1_000_000, 2)
    with pytest.raises(ValueError, match="other options"):
        again.of_plan({"plan": {}})


def test_docs_performance_is_what_the_results_say() -> None:
    results, text = ROOT / "bench" / "results.json", (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    if not results.exists():
        assert "bench/results.json" not in text
        return
    kept = orjson.loads(results.read_bytes())
    runs = [Run(**one) for one in kept["runs"]]
    notes, method = ((ROOT / "bench" / name).read_text(encoding="utf-8") for name in ("notes.md", "method.md"))
    assert text == page.page(runs, Machine(**kept["machine"]), kept["plan"], notes, method)


def test_every_figure_of_the_readme_is_on_that_page() -> None:
    readme, text = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/performance.md"))
    figures = re.findall(r"([\d,.]*\d) (?:events/s|events a second|µs|ms|MB|times)\b", readme)
    assert [figure for figure in figures if figure not in text] == []
