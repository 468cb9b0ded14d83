"""results.json and docs/performance.md from the runs. Pure. Not for: measuring, or what the ratios are (``goals``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

from bench.chart import Bar, Panel, chart
from bench.goals import GOALS, Goal, Reached, Value, cpu_us, met, rate, ratios, reached, sizes, typical, warm_cpu_us
from bench.guarantees import TITLES, VARIANTS
from bench.machine import Machine, Source
from bench.peers import BY_NAME, PEERS
from bench.store import Run, failures, of

CHART: Final = "performance.svg"
STAGES: Final = {"floor": "floor (the kernel's, on its own events)", "intake": "intake", "dossier": "dossier", "sink": "sink",
                 "chain": "**whole chain**"}  # fmt: skip
NOTHING: Final = "–"
REASON_CHARACTERS: Final = 160


def results(runs: Sequence[Run], head: Mapping[str, Any]) -> dict[str, Any]:
    """results.json: the ratios by name at the top, then everything they come from."""
    found = {name: None if value is None else round(value, 4) for name, value in ratios(runs).items()}
    whole = reached(runs)
    return {
        **found,
        "goals": {
            goal.name: {"bound": goal.bound, "at_least": goal.at_least, "definition": goal.definition,
                        "met": met(goal, whole[goal.name]), "because": whole[goal.name].because}
            for goal in GOALS
        },
        "failed": [told(run) for run in failures(runs)],
        "head": dict(head),
        "runs": [run._asdict() for run in runs],
    }  # fmt: skip


def goals(runs: Sequence[Run]) -> list[str]:
    """What was wanted and what was reached."""
    found = reached(runs)
    lines = ["| | goal | reached | |", "|---|---:|---:|---|"]
    for goal in GOALS:
        one = found[goal.name]
        sign = "≥" if goal.at_least else "≤"
        lines.append(f"| {goal.what} | {sign} {goal.bound:g} | {_shown(one.value)} | {_verdict(goal, one)} |")
    return lines


def counted() -> list[str]:
    """What each goal's figure is made of."""
    return ["| | counted as |", "|---|---|", *(f"| {goal.what} | {goal.definition} |" for goal in GOALS)]


def _shown(value: float | None) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def _verdict(goal: Goal, one: Reached) -> str:
    if one.because:
        assert one.value is not None
        return f"**{'does not count' if goal.met(one.value) else 'missed'}**: {one.because}"
    return {None: "not measured", True: "reached", False: "**missed**"}[met(goal, one)]


def told(run: Run) -> str:
    """What was not measured, and why."""
    name = BY_NAME[run.name].title.replace("*", "") if run.name in BY_NAME else run.name
    which = f", {name}, {run.size:,}, round {run.round}" if run.name else ""
    return f"{run.part}{which}: {_cell(run.failed)}"


def missing(runs: Sequence[Run]) -> list[str]:
    """Everything that was not measured, by name; nothing when all of it was."""
    lines = [f"- {told(run)}" for run in failures(runs)]
    return ["**Not measured:**", "", *lines, ""] if lines else []


def rates(runs: Sequence[Run]) -> str:
    """The median rate, and between which it lies."""
    each = [run.rate for run in runs]
    among = f" ({min(each):,.0f} to {max(each):,.0f})" if len(each) > 1 else ""
    return f"{median(each):,.0f}{among}"


def kernel(runs: Sequence[Run]) -> list[str]:
    """All peers at all sizes, fastest first; then those without figures and why. What Faust managed stands below."""
    slow = sizes(runs, "kernel", "faust")
    each = sorted({*sizes(runs, "kernel", "ours"), *sizes(runs, "kernel", "floor")} - set(slow), reverse=True)
    if not each:
        return ["Not measured."]
    rows, failed = list[tuple[float, str]](), list[str]()
    for peer in PEERS:
        cells = [cell for size in each for cell in _rate_and_ratio(runs, peer.name, size)]
        found = next((found for size in each if (found := of(runs, "kernel", peer.name, size))), [])
        if found:
            cells += [f"{typical(found, value):.1f}" for value in (cpu_us, warm_cpu_us)]
            row = f"| {peer.title} | {' | '.join(cells)} | {max(run.peak_mb for run in found):,.0f} |"
            rows.append((typical(of(runs, "kernel", peer.name, each[0]), rate) or 0.0, row))
        elif reasons := [run.failed for run in runs if (run.part, run.name) == ("kernel", peer.name) and run.failed]:
            failed.append(f"| {peer.title} | {_cell(reasons[-1])} |{' |' * (2 * len(each) + 2)}")
    columns = "".join(f" {size:,} events: events/s | ÷ floor |" for size in each)
    head = [f"| |{columns} CPU µs an event | second half | peak MB |", f"|---|{'---:|' * (2 * len(each) + 3)}"]
    return [*head, *(row for _, row in sorted(rows, key=lambda row: -row[0])), *failed, *_faust(runs, slow)]


def _faust(runs: Sequence[Run], slow: Sequence[int]) -> list[str]:
    """The sizes that it was given, with the others beside it."""
    lines = list[str]()
    for size in slow:
        rates = [
            f"{_short(name)} {typical(found, rate):,.0f}"
            for name in ("faust", "floor", "ours")
            if (found := of(runs, "kernel", name, size))
        ]
        lines += ["", f"On {size:,} events, events/s: {', '.join(rates)}."]
    return lines


def _rate_and_ratio(runs: Sequence[Run], name: str, size: int) -> tuple[str, str]:
    found, floor = of(runs, "kernel", name, size), typical(of(runs, "kernel", "floor", size), rate)
    if not found:
        return NOTHING, NOTHING
    return rates(found), f"{median(run.rate for run in found) / floor:.2f}" if floor else NOTHING


def undisturbed(runs: Sequence[Run]) -> str:
    """What the first runs came to, although nobody was killed."""
    checked = {run.name: int(run.extra["faults"]) for run in runs if run.part == "kernel" and "faults" in run.extra}
    wrong = ", ".join(f"{_short(name)} {count:,}" for name, count in checked.items() if count)
    return (
        f"Alerts and states of {len(checked)} of these were compared with the truth after the first round at the smallest size. "
        f"Faults: {wrong or 'none'}."
    )


def _short(name: str) -> str:
    """A peer's title without what explains it."""
    return BY_NAME[name].title.replace("*", "").partition(":")[0]


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
            kills = one["kills"] if one["kills"] == one["kills_wanted"] else f"{one['kills']} of {one['kills_wanted']}"
            lines.append(f"| {peer.title}{late} | {run.size:,} | {kills} | {cells} |")
    return [*lines, *_bound(of(runs, "card", "ours"))]


def _bound(ours: Sequence[Run]) -> list[str]:
    """What the engine may repeat, next to what it did."""
    if not ours:
        return []
    one = ours[-1].extra
    return [
        "",
        (
            f"Ours: {one['kills']} kills of {one['kills_wanted']} landed while events flowed; the units in flight then held "
            f"{one['bound']:,} alerts; {one['doubled']:,} were repeated, byte for byte, and {one['beyond_bound']:,} copies are "
            "not explained by those units."
        ),
    ]


def plain(
    runs: Sequence[Run], part: str, titles: Mapping[str, str], unit: str, *, base: str, value: Value = rate
) -> list[str]:
    """A table of a part's names in order; the ratio to ``base`` is of ``value``."""
    below, what = typical(of(runs, part, base), value), "CPU ÷" if value is cpu_us else "÷"
    lines = [f"| | {unit} | {unit}/s | CPU µs each | {what} {base} | peak MB |", "|---|---:|---:|---:|---:|---:|"]
    for name, title in titles.items():
        found = of(runs, part, name)
        if found:
            share = f"{median(map(value, found)) / below:.2f}" if below else NOTHING
            lines.append(
                f"| {title} | {found[-1].events:,} | {rates(found)} | {median(map(cpu_us, found)):.1f} | {share} "
                f"| {max(run.peak_mb for run in found):,.0f} |"
            )
    return lines


def grown(runs: Sequence[Run]) -> list[str]:
    """Cost by size."""
    lines = ["| state | CPU µs an event | events/s | peak MB | store MB |", "|---|---:|---:|---:|---:|"]
    for part, name, what in (
        ("growth", "ours", "entities"), ("held", "ours", "entities, each touched"), ("facts", "dossier", "facts of an entity"),
    ):  # fmt: skip
        for size in sizes(runs, part, name):
            found = of(runs, part, name, size)
            store = max(int(run.extra.get("store_mb", 0)) for run in found)
            lines.append(
                f"| {size:,} {what} | {typical(found, cpu_us):.1f} | {typical(found, rate):,.0f} "
                f"| {max(run.peak_mb for run in found):,.0f} | {f'{store:,}' if store else NOTHING} |"
            )
    return lines


def latency(runs: Sequence[Run]) -> list[str]:
    lines = [
        "| load | events/s sent (meant) | alerts | missing, beyond | p50 ms | p99 ms | p99.9 ms |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    last = {run.size: run for run in runs if (run.part, run.name) == ("latency", "chain")}
    for _, run in sorted(last.items()):
        one = run.extra
        figures = [NOTHING] * 3
        if not run.failed:
            figures = [f"{one[name]:,.1f}" for name in ("p50_ms", "p99_ms", "p999_ms")]
        lines.append(
            f"| {run.size} % | {one['rate']:,.0f} ({one['intended']:,.0f}) | {one['alerts']:,} "
            f"| {one['missing']:,}, {one['extra']:,} | {' | '.join(figures)} |"
        )
    return lines


def drawing(runs: Sequence[Run]) -> str:
    """The kernel's rates and costs at the largest size that ours ran."""
    panels, each = list[Panel](), sizes(runs, "kernel", "ours")
    size = each[-1] if each else 0
    for title, unit, less, value in (
        ("events a second on one core (more is better)", "events/s", False, rate),
        ("CPU an event (less is better)", "µs", True, cpu_us),
    ):
        bars = [
            Bar(_short(peer.name), typical(found, value) or 0.0, peer.name == "ours")
            for peer in PEERS
            if (found := of(runs, "kernel", peer.name, size))
        ]
        panels.append(Panel(f"{size:,} events: {title}", unit, less, bars))
    return chart(panels)


def took(runs: Sequence[Run]) -> str:
    """How long each part lasted."""
    seconds: dict[str, float] = {}
    for run in runs:
        if not run.name:
            seconds[run.part] = seconds.get(run.part, 0.0) + run.seconds
    each = ", ".join(f"{part} {lasted / 60:.1f}" for part, lasted in seconds.items())
    return f"Minutes: {each}; {sum(seconds.values()) / 60:.0f} in all." if seconds else ""


def _cell(text: str) -> str:
    """One line that breaks no table."""
    return " ".join(text.replace("|", "/").split())[:REASON_CHARACTERS]


def where(head: Mapping[str, Any]) -> str:
    """Machine and source in words."""
    machine, source = Machine(**head["machine"]), Source(**head["source"])
    pinned = "workers on one core, servers on the others" if machine.pinned else "nothing pinned to a core"
    commit = f"commit {source.commit}, files {source.files}" if source.commit else f"files {source.files}"
    return (
        f"Machine: {machine.cores} cores ({machine.processor}), {machine.memory_gb} GB of memory, Python {machine.python}, "
        f"Apache Kafka {machine.kafka}; {pinned}; load before the first run {machine.load:g}. Source: {commit}. "
        "Medians of interleaved rounds (A B C A B C), least and greatest beside them."
    )


def page(runs: Sequence[Run], head: Mapping[str, Any], notes: str, method: str) -> str:
    """docs/performance.md."""
    plan = head["plan"]
    parts = [
        "# Performance",
        "",
        "Written by `make bench`; every figure is from one run of it, and all runs are in `bench/results.json`.",
        "",
        *goals(runs),
        "",
        *missing(runs),
        where(head),
        "",
        notes.strip(),
        "",
        "## Kernel workload: ours, plain loops, peers",
        "",
        f"![Events a second and CPU an event]({CHART})",
        "",
        *kernel(runs),
        "",
        undisturbed(runs),
        "",
        "## Correctness: kill -9, ten times",
        "",
        *card(runs),
        "",
        "## The real chain",
        "",
        f"{plan['chain_events']:,} events as departments send them; the floor, in turn with them, on the kernel's.",
        "",
        *plain(runs, "chain", STAGES, "events", base="floor"),
        "",
        "## Latency: publish acknowledged to alert readable",
        "",
        *latency(runs),
        "",
        "## Growth",
        "",
        *grown(runs),
        "",
        "## Recovery",
        "",
        f"{plan['recovery_entities']:,} entities of two rows each, from the changelog into an empty local store.",
        "",
        *plain(runs, "recovery", {"ours": "ours", "raw": "raw changelog → RocksDB loop"}, "records", base="raw"),
        "",
        "## Sink",
        "",
        *plain(runs, "sink", {"sink": "sink", "raw": "raw INSERT … SELECT unnest"}, "rows", base="raw"),
        "",
        "## The price of the guarantees",
        "",
        *plain(runs, "guarantees", {name: TITLES[name] for name in VARIANTS}, "events", base="none", value=cpu_us),
        "",
        method.strip(),
        "",
        took(runs),
        "",
        "## How the goals are counted",
        "",
        *counted(),
    ]
    return "\n".join(parts).rstrip() + "\n"
