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
from bench.goals import GOALS, met, ratios, reached
from bench.machine import Machine, Source
from bench.store import Run

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
HEAD = {
    "plan": orjson.loads(orjson.dumps(asdict(Plan()))), "machine": MACHINE._asdict(), "source": Source("abc", "123")._asdict(),
}  # fmt: skip
CARD = {
    "kills": 10, "kills_wanted": 10, "finished": True, "alerts": 100, "lost": 0, "doubled": 8, "conflicting": 0, "entities": 50,
    "wrong_state": 0, "bound": 16, "beyond_bound": 0,
}  # fmt: skip


HELD = {"store_mb": 900, "budget_mb": 512, "rows_written": 2_000_000, "touched": 1_000_000}


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
    run("chain", "floor", 100_000, 60_000, events=1_000_000, seconds=1_000_000 / 60),
    run("chain", "chain", 100_000, 15),
    run("facts", "dossier", 5, cpu_us=20),
    run("facts", "dossier", 500, cpu_us=21),
    run("facts", "dossier", 50_000, cpu_us=22),
    run("growth", "ours", 10_000, cpu_us=10, peak_mb=100.0, extra=HELD | {"store_mb": 1}),
    run("growth", "ours", 1_000_000, cpu_us=12, peak_mb=200.0, extra=HELD | {"store_mb": 90}),
    run("growth", "ours", 10_000_000, cpu_us=15, peak_mb=300.0, extra=HELD),
    run("held", "ours", 1_000_000, peak_mb=218.8, extra=HELD),
    run("recovery", "ours", 1_000_000, 90),
    run("recovery", "raw", 1_000_000, 100),
    run("latency", "chain", 50, extra={
        "intended": 5.0, "rate": 4.9, "alerts": 9, "missing": 0, "extra": 0, "p50_ms": 20.0, "p99_ms": 80.0, "p999_ms": 81.0,
    }),
    run("sink", "sink", 100_000, 70),
    run("sink", "raw", 100_000, 100),
    run("guarantees", "all", 500_000, cpu_us=12),
    run("guarantees", "none", 500_000, cpu_us=10),
]  # fmt: skip


def test_results_carry_every_ratio_by_its_name_at_the_top() -> None:
    found = page.results(RUNS, HEAD)
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
    found = page.results([], HEAD)
    assert [found[name] for name in NAMES] == [None] * len(NAMES)
    assert page.page([], HEAD, "", "").count("| not measured |") == len(NAMES)


def changed(part: str, name: str, of_size: int, **changes: Any) -> list[Run]:
    """RUNS with one of them changed; what is not a field of it belongs to its ``extra``."""
    fields = {key: value for key, value in changes.items() if key in Run._fields}
    extra = {key: value for key, value in changes.items() if key not in Run._fields}
    return [
        one._replace(**fields, extra={**one.extra, **extra}) if one.key[:3] == (part, name, of_size) else one
        for one in RUNS
    ]


def verdict(runs: list[Run], name: str) -> tuple[bool | None, str]:
    one = reached(runs)[name]
    return met(next(goal for goal in GOALS if goal.name == name), one), one.because


@pytest.mark.parametrize("fault", ["lost", "conflicting", "wrong_state", "beyond_bound"])
def test_one_fault_on_the_card_misses_the_goal_however_few_the_repeats(fault: str) -> None:
    found = changed("card", "ours", 200_000, doubled=0, **{fault: 1})
    value = ratios(found)["repeats"]
    assert value is not None
    assert value >= 1.0
    assert verdict(found, "repeats") == (False, f"{fault.replace('_', ' ')} 1")


def test_fewer_than_ten_kills_prove_nothing() -> None:
    found = changed("card", "ours", 200_000, doubled=0, kills=7)
    assert verdict(found, "repeats") == (False, "kills missing 3")
    assert "7 kills of 10 landed while events flowed" in "\n".join(page.card(found))
    assert "| **credit-streamer's engine** | 200,000 | 7 of 10 |" in "\n".join(page.card(found))


@pytest.mark.parametrize(
    ("goal", "runs", "because"),
    [
        ("mb_per_million_entities", changed("growth", "ours", 10_000_000, peak_mb=513.0), "the budget is 512"),
        (
            "mb_per_million_entities",
            changed("held", "ours", 1_000_000, peak_mb=520.0),
            "1,000,000 entities took 520 MB",
        ),
        (
            "mb_per_million_entities",
            changed("kernel", "ours", 1_000_000, peak_mb=697.0),
            "1,000,000 events took 697 MB",
        ),
        (
            "mb_per_million_entities",
            changed("held", "ours", 1_000_000, rows_written=999_999),
            "only 999,999 of 1,000,000",
        ),
        ("mb_per_million_entities", changed("held", "ours", 1_000_000, touched=999_999), "only 999,999 of 1,000,000"),
        ("mb_per_million_entities", changed("held", "ours", 1_000_000, size=20_000), "with 20,000 entities"),
        ("entity_growth", changed("growth", "ours", 10_000_000, store_mb=512), "RocksDB has 512 MB, the budget 512"),
        ("entity_growth", changed("growth", "ours", 10_000_000, size=2_000_000), "not 10,000,000"),
        ("fact_growth", changed("facts", "dossier", 50_000, size=5_000), "not 50,000"),
        ("chain_vs_floor", changed("chain", "floor", 100_000, events=20_000), "not 1,000,000"),
        ("recovery_vs_raw", changed("recovery", "ours", 1_000_000, size=10_000), "not 1,000,000"),
        ("kernel_vs_floor", [run("kernel", "ours", 20_000, 9), run("kernel", "floor", 20_000, 1)], "not 1,000,000"),
    ],
)
def test_a_ratio_that_rests_on_less_than_the_goal_says_is_no_goal_met(goal: str, runs: list[Run], because: str) -> None:
    assert verdict(RUNS, goal) == (True, "")
    reached_it, why = verdict(runs, goal)
    assert reached_it is False
    assert because in why
    assert why in "\n".join(page.goals(runs))


def test_memory_needs_the_run_that_touches_every_entity() -> None:
    assert ratios([one for one in RUNS if one.part != "held"])["mb_per_million_entities"] is None


def test_a_peer_without_figures_is_shown_with_the_reason() -> None:
    lines = "\n".join(page.kernel(RUNS))
    assert "| Kafka Streams, exactly once | not installed: no / network |" in lines


def test_what_was_not_measured_is_named_before_everything_else_but_the_goals() -> None:
    broken = Run("growth", "", 0, 0, 0, 60.0, 0, 0, {"failed": "the part broke off: OSError: no | room"})
    text = page.page([*RUNS, broken], HEAD, "", "")
    assert "- kernel, Kafka Streams, exactly once, 1,000,000, round 1: not installed: no / network" in text
    assert "- growth: the part broke off: OSError: no / room" in text
    assert text.index("**Not measured:**") < text.index("## Kernel")
    mended = page.page([*RUNS, broken, broken._replace(extra={})], HEAD, "", "")
    assert "broke off" not in mended


def test_the_fastest_stands_first_and_medians_count() -> None:
    lines = page.kernel(RUNS)
    assert lines[2].startswith("| **credit-streamer's engine** | 60 | 1.20 | 80 | – | 10.0 | 8.0 |")
    assert "| 50 (40 to 90) | 1.00 |" in lines[3]
    assert {line.count("|") for line in lines[:-2]} == {lines[0].count("|")}
    assert lines[-1] == "On 20,000 events, events/s: textbook Faust 2, credit-streamer's engine 30."


def test_the_page_has_goals_tables_method_and_notes() -> None:
    text = page.page(RUNS, HEAD, "## Misses\n\nNone.", "## What is measured\n\nThis.")
    assert "| kernel, ours ÷ floor | ≥ 1 | 1.20 | reached |\n" in text
    assert "the units in flight then held 16 alerts; 8 were repeated, byte for byte, and 0 copies" in text
    assert "| 50 % | 5 (5) | 9 | 0, 0 | 20.0 | 80.0 | 81.0 |" in text
    assert text.index("## Misses") < text.index("## Kernel") < text.index("## What is measured")
    assert "commit abc, files 123" in text


def test_the_chart_is_xml_with_a_bar_for_each_peer() -> None:
    runs = [*RUNS, run("kernel", "confluent", 1_000_000, 45)]
    drawn = ElementTree.fromstring(page.drawing(runs))
    bars = [element for element in drawn if element.tag.endswith("rect")]
    assert len(bars) == 1 + 2 * 6
    texts = [element.text for element in drawn if element.tag.endswith("text")]
    assert texts[0] == "1,000,000 events: events a second on one core (more is better)"
    assert texts[2] == "60.0 events/s"
    assert texts[1] == "credit-streamer's engine"


def test_docs_performance_is_what_the_results_say() -> None:
    results, text = ROOT / "bench" / "results.json", (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    if not results.exists():
        assert "bench/results.json" not in text
        return
    kept = orjson.loads(results.read_bytes())
    runs = [Run(**one) for one in kept["runs"]]
    notes, method = ((ROOT / "bench" / name).read_text(encoding="utf-8") for name in ("notes.md", "method.md"))
    assert text == page.page(runs, kept["head"], notes, method)


def test_every_figure_of_the_readme_is_on_that_page() -> None:
    readme, text = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/performance.md"))
    figures = re.findall(r"([\d,.]*\d) (?:events/s|events a second|µs|ms|MB|times)\b", readme)
    assert [figure for figure in figures if figure not in text] == []
