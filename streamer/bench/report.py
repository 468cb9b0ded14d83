"""From runs to tables, ratios and JSON. Pure. Not for: measuring, or docs/performance.md (``bench`` in the repository)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from streamer.bench.profiler import Profile, top
from streamer.bench.runs import FEW_FACTS, MANY_FACTS, Run

TOP: Final = 10


class Goal(NamedTuple):
    """A ratio that is expected: at least, or at most, ``bound``."""

    name: str
    what: str
    bound: float
    at_least: bool

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


GOALS: Final = (
    Goal(
        "fact_growth",
        f"an entity with {MANY_FACTS:,} facts ÷ entities with {FEW_FACTS}, CPU an event",
        1.5,
        at_least=False,
    ),
)
ROWS: Final = {
    "intake": "intake",
    "dossier": "dossier",
    "sink": "sink",
    "chain": "whole chain",
}


class Machine(NamedTuple):
    """What the figures hold for. ``pinned``: workers had a core of their own, the servers the others."""

    cores: int
    memory_gb: int
    python: str
    pinned: bool


class Result(NamedTuple):
    """All runs of one bench."""

    events: int
    rounds: int
    machine: Machine
    runs: Sequence[Run]
    many: Sequence[Run]
    few: Sequence[Run]
    profiles: Mapping[str, Profile]

    def of(self, name: str) -> list[Run]:
        return [run for run in self.runs if run.name == name]

    @property
    def ratios(self) -> dict[str, float]:
        """By the names of GOALS; medians over medians."""
        if not self.many or not self.few:
            return {}
        return {"fact_growth": median(run.cpu_us for run in self.many) / median(run.cpu_us for run in self.few)}


def as_json(result: Result) -> dict[str, Any]:
    def plain(run: Run) -> dict[str, Any]:
        return {**run._asdict(), "events_per_s": round(run.rate, 1), "cpu_us_per_event": round(run.cpu_us, 2)}

    return {
        "machine": result.machine._asdict(),
        "events": result.events,
        "rounds": result.rounds,
        "ratios": {name: round(value, 4) for name, value in result.ratios.items()},
        "runs": [plain(run) for run in result.runs],
        "many_facts": [plain(run) for run in result.many],
        "few_facts": [plain(run) for run in result.few],
        "profile": {
            name: [{"share": round(share, 4), "where": where} for share, where in top(profile, TOP)]
            for name, profile in result.profiles.items()
        },
    }


def table(result: Result) -> list[str]:
    """The figures as a Markdown table: medians, and the least and the greatest rate."""
    lines = ["| | events/s | least to greatest | CPU µs an event | peak MB |", "|---|---:|---:|---:|---:|"]
    for name, label in ROWS.items():
        runs = result.of(name)
        if not runs:
            continue
        rates = [run.rate for run in runs]
        lines.append(
            f"| {label} | {median(rates):,.0f} | {min(rates):,.0f} to {max(rates):,.0f} "
            f"| {median(run.cpu_us for run in runs):.1f} | {max(run.peak_mb for run in runs):,.0f} |"
        )
    return lines


def growth(result: Result) -> list[str]:
    """The dossier's cost beside the number of facts."""
    if not result.many or not result.few:
        return []
    lines = ["| facts of an entity | CPU µs an event | least to greatest |", "|---:|---:|---:|"]
    for facts, runs in ((FEW_FACTS, result.few), (MANY_FACTS, result.many)):
        costs = [run.cpu_us for run in runs]
        lines.append(f"| {facts:,} | {median(costs):.1f} | {min(costs):.1f} to {max(costs):.1f} |")
    return lines


def goals(result: Result) -> list[str]:
    """What was expected and what was reached."""
    ratios = result.ratios
    lines = ["| expected | bound | reached | |", "|---|---:|---:|---|"]
    for goal in GOALS:
        if goal.name in ratios:
            sign, value = "≥" if goal.at_least else "≤", ratios[goal.name]
            lines.append(
                f"| {goal.what} | {sign} {goal.bound:g} | {value:.2f} | {'met' if goal.met(value) else 'missed'} |"
            )
    return lines


def profiles(result: Result) -> list[str]:
    """The ten places of each role that cost most by themselves."""
    lines = list[str]()
    for name, profile in result.profiles.items():
        lines += [f"### {ROWS.get(name, name)}", "", "| share of CPU | where |", "|---:|---|"]
        lines += [f"| {share:.1%} | `{where}` |" for share, where in top(profile, TOP)] + [""]
    return lines
