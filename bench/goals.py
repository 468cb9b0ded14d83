"""The goals, and the ratios that runs add up to, by the names of results.json; what keeps a ratio from counting. Pure. Not for:
measuring or rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final, NamedTuple

from bench.guarantees import FULL, NONE
from bench.store import Run, of

MILLION: Final = 1_000_000
CARD: Final = "repeats"
KILLS_LEAST: Final = 10
KERNEL_EVENTS: Final = MILLION
FACTS: Final = 50_000
ENTITIES: Final = 10 * MILLION


class Goal(NamedTuple):
    """A ratio with its bound: at least, or at most."""

    name: str
    what: str
    bound: float
    at_least: bool
    definition: str

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


GOALS: Final = (
    Goal("kernel_vs_floor", "kernel, ours ÷ floor", 1.0, True, "events/s, largest size"),
    Goal("kernel_vs_quix", "kernel, ours ÷ Quix Streams", 2.0, True, "events/s, largest size"),
    Goal("kernel_vs_bytewax_200k", "kernel, ours ÷ Bytewax with recovery, 200,000 events", 1.5, True, "events/s"),
    Goal("kernel_vs_bytewax_1m", "kernel, ours ÷ Bytewax with recovery, 1,000,000 events", 3.0, True, "events/s"),
    Goal(
        "kernel_cpu_vs_kafka_streams", "kernel, Kafka Streams' CPU an event (warm, 1,000,000) ÷ ours", 1.5, True,
        "CPU an event of the second half of the run: at least once, largest size",
    ),
    Goal(
        "kernel_vs_faust", "kernel, ours ÷ textbook Faust", 20.0, True,
        "events/s: ours at 200,000, Faust on its first events (its start and last commit would hide ours there)",
    ),
    Goal(
        CARD, "repeated alerts under kills ÷ alerts of the units in flight at the kills", 1.0, False,
        "copies of an alert, counted, after ten kills while events flowed; none lost, none conflicting, no state wrong",
    ),
    Goal(
        "chain_vs_floor", "real chain, whole, one core ÷ floor", 0.25, True,
        "events/s; the kernel's floor on its 1,000,000 events, in turn with the chain",
    ),
    Goal("fact_growth", "an entity with 50,000 facts ÷ with 5", 1.2, False, "dossier, CPU an event"),
    Goal(
        "entity_growth", "10 million entities ÷ 10 thousand", 2.0, False,
        "kernel, CPU an event, entities in no order; RocksDB larger than the memory budget",
    ),
    Goal("recovery_vs_raw", "recovery ÷ raw changelog → RocksDB loop", 0.8, True, "records/s, 1 million entities"),
    Goal(
        "mb_per_million_entities", "memory: MB a million entities held", 150.0, False,
        "peak resident MB with 1 million, each of them touched, − with 10 thousand, ÷ the difference; all within the budget",
    ),
    Goal(
        "guarantees_price", "price of all guarantees together", 0.25, False,
        "CPU an event with all ÷ without idempotent producer, CRC checks and origins, − 1",
    ),
    Goal("p99_half_load_ms", "p99 publish → alert at half load, ms", 100.0, False, "whole chain, half its sustained rate"),
    Goal("sink_vs_raw", "sink ÷ raw INSERT … SELECT unnest", 0.7, True, "rows/s, the same rows"),
)  # fmt: skip

Value = Callable[[Run], float]


class Reached(NamedTuple):
    """``value``: None of what was not measured; ``because``: why the goal is not met whatever the value."""

    value: float | None
    because: str = ""


def rate(run: Run) -> float:
    return run.rate


def cpu_us(run: Run) -> float:
    return run.cpu_us


def warm_cpu_us(run: Run) -> float:
    return float(run.extra.get("second_half_cpu_us", run.cpu_us))


def typical(runs: Sequence[Run], value: Value) -> float | None:
    """The median; None of nothing."""
    return median(value(run) for run in runs) if runs else None


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def sizes(runs: Sequence[Run], part: str, name: str) -> list[int]:
    return sorted({run.size for run in runs if run.part == part and run.name == name and not run.failed})


def reached(runs: Sequence[Run]) -> dict[str, Reached]:
    """Every goal's value, and what keeps it from counting."""
    found = {goal.name: Reached(None) for goal in GOALS}
    found.update(_kernel(runs))
    found[CARD] = repeats(runs)
    chain, floor = of(runs, "chain", "chain"), of(runs, "chain", "floor")
    found["chain_vs_floor"] = _sized(
        _ratio(typical(chain, rate), typical(floor, rate)),
        max((run.events for run in floor), default=0),
        KERNEL_EVENTS,
        "events",
    )
    found["fact_growth"] = _sized(*_growth(runs, "facts", "dossier"), FACTS, "facts")
    found["entity_growth"] = _entities(runs)
    found["mb_per_million_entities"] = memory(runs)
    recovered = of(runs, "recovery", "ours")
    found["recovery_vs_raw"] = _sized(
        _ratio(typical(recovered, rate), typical(of(runs, "recovery", "raw"), rate)),
        max((run.size for run in recovered), default=0), MILLION, "entities",
    )  # fmt: skip
    price = _ratio(typical(of(runs, "guarantees", FULL), cpu_us), typical(of(runs, "guarantees", NONE), cpu_us))
    found["guarantees_price"] = Reached(None if price is None else price - 1)
    half = of(runs, "latency", "chain", 50)
    found["p99_half_load_ms"] = Reached(half[-1].extra["p99_ms"] if half else None)
    found["sink_vs_raw"] = Reached(
        _ratio(typical(of(runs, "sink", "sink"), rate), typical(of(runs, "sink", "raw"), rate))
    )
    return found


def ratios(runs: Sequence[Run]) -> dict[str, float | None]:
    """Every goal's value; None for what was not measured."""
    return {name: one.value for name, one in reached(runs).items()}


def met(goal: Goal, one: Reached) -> bool | None:
    """None: not measured."""
    return None if one.value is None else not one.because and goal.met(one.value)


def _sized(value: float | None, size: int, wanted: int, unit: str) -> Reached:
    """A value that holds for less than the goal speaks of does not count."""
    too_small = value is not None and size < wanted
    return Reached(value, f"measured with {size:,} {unit}, not {wanted:,}" if too_small else "")


def _kernel(runs: Sequence[Run]) -> dict[str, Reached]:
    def of_size(name: str, size: int, value: Value) -> float | None:
        return typical(of(runs, "kernel", name, size), value)

    def against(peer: str, size: int) -> float | None:
        return _ratio(of_size("ours", size, rate), of_size(peer, size, rate))

    ours = sizes(runs, "kernel", "ours")
    largest = ours[-1] if ours else 0
    faust = sizes(runs, "kernel", "faust")
    beside = [size for size in ours if faust and size > faust[-1]]
    warm = _ratio(of_size("streams", largest, warm_cpu_us), of_size("ours", largest, warm_cpu_us))
    return {
        "kernel_vs_floor": _sized(against("floor", largest), largest, KERNEL_EVENTS, "events"),
        "kernel_vs_quix": _sized(against("quix", largest), largest, KERNEL_EVENTS, "events"),
        "kernel_vs_bytewax_200k": Reached(against("bytewax", 200_000)),
        "kernel_vs_bytewax_1m": Reached(against("bytewax", MILLION)),
        "kernel_cpu_vs_kafka_streams": _sized(warm, largest, KERNEL_EVENTS, "events"),
        "kernel_vs_faust": Reached(
            _ratio(
                of_size("ours", beside[0], rate) if beside else None, of_size("faust", faust[-1] if faust else 0, rate)
            )
        ),
    }


def _growth(runs: Sequence[Run], part: str, name: str) -> tuple[float | None, int]:
    """CPU an event at the largest size ÷ at the smallest; the largest size."""
    found = sizes(runs, part, name)
    if len(found) < 2:
        return None, 0
    return _ratio(*(typical(of(runs, part, name, size), cpu_us) for size in (found[-1], found[0]))), found[-1]


def _entities(runs: Sequence[Run]) -> Reached:
    """The store must be larger than what the process may hold, or the largest size proves nothing."""
    found = _sized(*_growth(runs, "growth", "ours"), ENTITIES, "entities")
    if found.value is None or found.because:
        return found
    largest = of(runs, "growth", "ours", sizes(runs, "growth", "ours")[-1])
    store_mb, budget_mb = (max(int(run.extra[name]) for run in largest) for name in ("store_mb", "budget_mb"))
    return (
        found
        if store_mb > budget_mb
        else found._replace(because=f"RocksDB has {store_mb:,} MB, the budget {budget_mb:,}")
    )


def memory(runs: Sequence[Run]) -> Reached:
    """MB a million entities, all of them touched; every process of our job within its budget, through a million events, too."""
    small, held = sizes(runs, "growth", "ours"), of(runs, "held", "ours")
    if not small or not held:
        return Reached(None)
    one = held[-1]
    base = typical(of(runs, "growth", "ours", small[0]), lambda run: run.peak_mb) or 0.0
    value = max(0.0, (one.peak_mb - base) / ((one.size - small[0]) / MILLION)) if one.size > small[0] else None
    budget_mb = one.extra["budget_mb"]
    worst = max([*of(runs, "growth", "ours"), *of(runs, "kernel", "ours"), one], key=lambda run: run.peak_mb)
    if worst.peak_mb > budget_mb:
        what = "events" if worst.part == "kernel" else "entities"
        return Reached(value, f"{worst.size:,} {what} took {worst.peak_mb:,.0f} MB, the budget is {budget_mb:,}")
    touched = min(one.extra["touched"], one.extra["rows_written"])
    if touched < one.size:
        return Reached(value, f"only {touched:,} of {one.size:,} entities were touched")
    return _sized(value, one.size, MILLION, "entities")


def repeats(runs: Sequence[Run]) -> Reached:
    """Ours: copies ÷ the bound. A lost or conflicting alert, a wrong state, a copy that no unit in flight explains or a kill that
    did not land is as bad as can be: infinite would be no JSON, so it is one more than the bound a fault."""
    found = of(runs, "card", "ours")
    if not found:
        return Reached(None)
    card = found[-1].extra
    faults = {name: int(card[name]) for name in ("lost", "conflicting", "wrong_state", "beyond_bound")}
    faults["unfinished"] = int(not card["finished"])
    faults["kills_missing"] = max(0, KILLS_LEAST - int(card["kills"]))
    share = card["doubled"] / card["bound"] if card["bound"] else card["doubled"]
    told = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in faults.items() if count)
    return Reached(float(share + sum(faults.values())), told)
