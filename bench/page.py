"""results.json and docs/performance.md from the runs. Pure. Not for: measuring, or what the ratios are (``goals``)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from bench.chart import Bar, Panel, chart
from bench.goals import GOALS, cpu_us, rate, ratios, sizes, typical, warm_cpu_us
from bench.guarantees import TITLES, VARIANTS
from bench.machine import Machine
from bench.peers import PEERS
from bench.store import Run, of

CHART: Final = "performance.svg"
STAGES: Final = {"floor": "floor: plain loop over the same bytes", "intake": "intake", "dossier": "dossier", "sink": "sink",
                 "chain": "**whole chain**"}  # fmt: skip


def results(runs: Sequence[Run], machine: Machine, plan: dict[str, Any]) -> dict[str, Any]:
    """results.json: the ratios by name at the top, then everything they come from."""
    found = {name: None if value is None else round(value, 4) for name, value in ratios(runs).items()}
    goals = {goal.name: goal for goal in GOALS}
    return {
        **found,
        "goals": {
            name: {"bound": goal.bound, "at_least": goal.at_least, "definition": goal.definition, "met": _met(name, found)}
            for name, goal in goals.items()
        },
        "machine": machine._asdict(),
        "plan": plan,
        "runs": [run._asdict() for run in runs],
    }  # fmt: skip


def _met(name: str, found: dict[str, float | None]) -> bool | None:
    value = found[name]
    return None if value is None else next(goal for goal in GOALS if goal.name == name).met(value)


def goals(runs: Sequence[Run]) -> list[str]:
    """What was wanted and what was reached."""
    found = ratios(runs)
    lines = ["| goal | bound | reached | | how it is counted |", "|---|---:|---:|---|---|"]
    for goal in GOALS:
        value = found[goal.name]
        sign = "≥" if goal.at_least else "≤"
        shown = "not measured" if value is None else f"{value:,.2f}"
        verdict = "" if value is None else "met" if goal.met(value) else "**missed**"
        lines.append(f"| {goal.what} | {sign} {goal.bound:g} | {shown} | {verdict} | {goal.definition} |")
    return lines


def spread(runs: Sequence[Run]) -> str:
    """The least and the greatest rate."""
    rates = [run.rate for run in runs]
    return f"{min(rates):,.0f} to {max(rates):,.0f}"


def kernel(runs: Sequence[Run], size: int) -> list[str]:
    """One size: all peers, fastest first; then those without figures and why."""
    floor = typical(of(runs, "kernel", "floor", size), rate)
    rows, failed = list[tuple[float, str]](), list[str]()
    for peer in PEERS:
        found = of(runs, "kernel", peer.name, size)
        if found:
            per_s = median(run.rate for run in found)
            ratio = f"{per_s / floor:.2f}" if floor else "–"
            warm = f"{median(warm_cpu_us(run) for run in found):.1f}"
            rows.append(
                (per_s, (f"| {peer.title} | {len(found)} | {per_s:,.0f} | {spread(found)} | {ratio} "
                 f"| {median(run.cpu_us for run in found):.1f} | {warm} | {max(run.peak_mb for run in found):,.0f} |"))
            )  # fmt: skip
        else:
            reasons = [run.failed for run in runs if (run.part, run.name, run.size) == ("kernel", peer.name, size)]
            failed += [f"| {peer.title} | 0 | {_cell(reasons[0])} | | | | | |"] if reasons else []
    head = [
        f"### {size:,} events",
        "",
        "| | runs | events/s | least to greatest | ÷ floor | CPU µs an event | second half | peak MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    return [*head, *(row for _, row in sorted(rows, reverse=True)), *failed, ""]


def undisturbed(runs: Sequence[Run]) -> str:
    """What the first runs came to, although nobody was killed."""
    checked = {run.name: int(run.extra["faults"]) for run in runs if run.part == "kernel" and "faults" in run.extra}
    wrong = ", ".join(f"{name} {count:,}" for name, count in checked.items() if count)
    return (
        f"After the first round at the smallest size, alerts and states of {', '.join(checked) or 'none'} were compared with "
        f"the truth; faults: {wrong or 'none'}."
    )


def card(runs: Sequence[Run]) -> list[str]:
    """Every peer after its kills."""
    lines = [
        "| | events | kills | alerts due | lost | doubled | conflicting | entities | state wrong |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for peer in PEERS:
        for run in [run for run in runs if run.part == "card" and run.name == peer.name][-1:]:
            if run.failed:
                lines.append(f"| {peer.title} | {run.size:,} | {_cell(run.failed)} | | | | | | |")
                continue
            one = run.extra
            names = ("alerts", "lost", "doubled", "conflicting", "entities", "wrong_state")
            cells = " | ".join(f"{one[name]:,}" for name in names)
            late = "" if one["finished"] else " (did not finish)"
            lines.append(f"| {peer.title}{late} | {run.size:,} | {one['kills']} | {cells} |")
    bound = [run.extra for run in of(runs, "card", "ours")]
    if bound:
        lines += [
            "",
            (
                f"Ours: {bound[-1]['doubled']:,} copies, byte for byte the same; the units in flight at the kills held "
                f"{bound[-1]['bound']:,} alerts, and {bound[-1]['beyond_bound']:,} copies are not explained by them."
            ),
        ]
    return lines


def plain(runs: Sequence[Run], part: str, titles: dict[str, str], unit: str, *, floor: str = "") -> list[str]:
    """A table of a part's names in order."""
    base = typical(of(runs, part, floor), rate)
    ratio = f" ÷ {floor} |" if floor else ""
    lines = [
        f"| | runs | {unit}/s | least to greatest |{ratio} CPU µs each | peak MB |",
        f"|---|---:|---:|---:|{'---:|' if floor else ''}---:|---:|",
    ]
    for name, title in titles.items():
        found = of(runs, part, name)
        if found:
            per_s = median(run.rate for run in found)
            share = f" {per_s / base:.2f} |" if base else ""
            lines.append(
                f"| {title} | {len(found)} | {per_s:,.0f} | {spread(found)} |{share} "
                f"{median(run.cpu_us for run in found):.1f} | {max(run.peak_mb for run in found):,.0f} |"
            )
    return lines


def grown(runs: Sequence[Run], part: str, name: str, what: str) -> list[str]:
    """Cost by size."""
    lines = [f"| {what} | runs | CPU µs an event | events/s | peak MB | store MB |", "|---:|---:|---:|---:|---:|---:|"]
    for size in sizes(runs, part, name):
        found = of(runs, part, name, size)
        store = max(int(run.extra.get("store_mb", 0)) for run in found)
        lines.append(
            f"| {size:,} | {len(found)} | {typical(found, cpu_us):.1f} | {typical(found, rate):,.0f} "
            f"| {max(run.peak_mb for run in found):,.0f} | {f'{store:,}' if store else ''} |"
        )
    return lines


def latency(runs: Sequence[Run]) -> list[str]:
    lines = [
        "| share of the sustained rate | events/s | alerts | p50 ms | p99 ms | p99.9 ms |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for run in of(runs, "latency", "chain"):
        one = run.extra
        cells = " | ".join(
            f"{one[name]:,.1f}" if one[name] is not None else "–" for name in ("p50_ms", "p99_ms", "p999_ms")
        )
        lines.append(f"| {run.size} % | {one['rate']:,} | {one['alerts']:,} | {cells} |")
    return lines


def drawing(runs: Sequence[Run]) -> str:
    """The kernel's rates and costs at the largest size that most peers ran."""
    panels = []
    for size in [size for size in sizes(runs, "kernel", "ours") if of(runs, "kernel", "confluent", size)]:
        for title, value in (
            (f"{size:,} events: events/s", rate),
            (f"{size:,} events: CPU µs an event (less is better)", cpu_us),
        ):
            bars = [
                Bar(peer.title.replace("*", "").partition(":")[0], typical(found, value) or 0.0, peer.name == "ours")
                for peer in PEERS
                if (found := of(runs, "kernel", peer.name, size))
            ]
            panels.append(Panel(title, bars))
    return chart(panels)


def _cell(text: str) -> str:
    """One line that breaks no table."""
    return " ".join(text.replace("|", "/").split())[:120]


def page(runs: Sequence[Run], machine: Machine, plan: dict[str, Any], notes: str, method: str) -> str:
    """docs/performance.md."""
    where = "workers on one core, servers on the others" if machine.pinned else "nothing pinned to a core"
    sized = list(sizes(runs, "kernel", "ours"))
    parts = [
        "# Performance",
        "",
        "Written by `make bench` (`python -m bench`); every figure is from one run of it, all runs are in `bench/results.json`.",
        "",
        (
            f"Machine: {machine.cores} cores ({machine.processor}), {machine.memory_gb} GB of memory, Python {machine.python}, "
            f"Apache Kafka {machine.kafka}; {where}; load before the first run {machine.load:g}. "
            "Medians of interleaved rounds (A B C A B C)."
        ),
        "",
        "## Goals",
        "",
        *goals(runs),
        "",
        f"![Events a second and CPU an event]({CHART})",
        "",
        "## Kernel workload: ours, plain loops, peers",
        "",
        *[line for size in reversed(sized) for line in kernel(runs, size)],
        undisturbed(runs),
        "",
        "## Correctness: ten times kill -9",
        "",
        *card(runs),
        "",
        "## The real chain",
        "",
        f"{plan['chain_events']:,} events as departments send them.",
        "",
        *plain(runs, "chain", STAGES, "events", floor="floor"),
        "",
        "## Growth",
        "",
        *grown(runs, "growth", "ours", "entities held"),
        "",
        *grown(runs, "facts", "dossier", "facts of an entity"),
        "",
        "## Recovery",
        "",
        f"{plan['recovery_entities']:,} entities of two rows each, from the changelog into an empty local store.",
        "",
        *plain(runs, "recovery", {"ours": "ours", "raw": "raw changelog → RocksDB loop"}, "records", floor="raw"),
        "",
        "## Latency: publish acknowledged to alert readable",
        "",
        *latency(runs),
        "",
        "## Sink",
        "",
        *plain(runs, "sink", {"sink": "sink", "raw": "raw INSERT … SELECT unnest"}, "rows", floor="raw"),
        "",
        "## The price of the guarantees",
        "",
        *plain(runs, "guarantees", {name: TITLES[name] for name in VARIANTS}, "events", floor="none"),
        "",
        method.strip(),
        "",
        notes.strip(),
    ]
    return "\n".join(parts).rstrip() + "\n"
