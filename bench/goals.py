"""The goals, and the ratios that runs add up to, by the names of results.json. Pure. Not for: measuring or rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final, NamedTuple

from bench.guarantees import FULL, NONE
from bench.store import Run, of

MILLION: Final = 1_000_000
CARD: Final = "repeats"


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
        "copies of an alert, counted; met only with none lost, none conflicting, no state wrong, none beyond its unit",
    ),
    Goal("chain_vs_floor", "real chain, whole, one core ÷ floor", 0.25, True, "events/s"),
    Goal("fact_growth", "an entity with 50,000 facts ÷ with 5", 1.2, False, "dossier, CPU an event"),
    Goal("entity_growth", "10 million entities ÷ 10 thousand", 2.0, False, "kernel, CPU an event"),
    Goal("recovery_vs_raw", "recovery ÷ raw changelog → RocksDB loop", 0.8, True, "records/s, 1 million entities"),
    Goal(
        "mb_per_million_entities", "memory: MB a million entities held", 150.0, False,
        "peak resident MB, (the largest state − the smallest) ÷ the difference in millions; the same from 1 million: the larger",
    ),
    Goal(
        "guarantees_price", "price of all guarantees together", 0.25, False,
        "CPU an event with all ÷ without idempotent producer, CRC checks and origins, − 1",
    ),
    Goal("p99_half_load_ms", "p99 publish → alert at half load, ms", 100.0, False, "whole chain, half its sustained rate"),
    Goal("sink_vs_raw", "sink ÷ raw INSERT … SELECT unnest", 0.7, True, "rows/s, the same rows"),
)  # fmt: skip

Value = Callable[[Run], float]


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


def ratios(runs: Sequence[Run]) -> dict[str, float | None]:
    """Every goal's value; None for what was not measured."""
    found: dict[str, float | None] = dict.fromkeys((goal.name for goal in GOALS), None)
    found.update(_kernel(runs))
    found["repeats"] = repeats(runs)
    chain = typical(of(runs, "chain", "chain"), rate)
    found["chain_vs_floor"] = _ratio(chain, typical(of(runs, "chain", "floor"), rate))
    found["fact_growth"] = _growth(runs, "facts", "dossier")
    found["entity_growth"] = _growth(runs, "growth", "ours")
    found["mb_per_million_entities"] = _memory(runs)
    found["recovery_vs_raw"] = _ratio(
        typical(of(runs, "recovery", "ours"), rate), typical(of(runs, "recovery", "raw"), rate)
    )
    price = _ratio(typical(of(runs, "guarantees", FULL), cpu_us), typical(of(runs, "guarantees", NONE), cpu_us))
    found["guarantees_price"] = None if price is None else price - 1
    half = of(runs, "latency", "chain", 50)
    found["p99_half_load_ms"] = half[0].extra.get("p99_ms") if half else None
    found["sink_vs_raw"] = _ratio(typical(of(runs, "sink", "sink"), rate), typical(of(runs, "sink", "raw"), rate))
    return found


def _kernel(runs: Sequence[Run]) -> dict[str, float | None]:
    def of_size(name: str, size: int, value: Value) -> float | None:
        return typical(of(runs, "kernel", name, size), value)

    def against(peer: str, size: int) -> float | None:
        return _ratio(of_size("ours", size, rate), of_size(peer, size, rate))

    ours = sizes(runs, "kernel", "ours")
    largest = ours[-1] if ours else 0
    faust = sizes(runs, "kernel", "faust")
    beside = [size for size in ours if faust and size > faust[-1]]
    return {
        "kernel_vs_floor": against("floor", largest),
        "kernel_vs_quix": against("quix", largest),
        "kernel_vs_bytewax_200k": against("bytewax", 200_000),
        "kernel_vs_bytewax_1m": against("bytewax", MILLION),
        "kernel_cpu_vs_kafka_streams": _ratio(
            of_size("streams", largest, warm_cpu_us), of_size("ours", largest, warm_cpu_us)
        ),
        "kernel_vs_faust": _ratio(
            of_size("ours", beside[0], rate) if beside else None, of_size("faust", faust[-1] if faust else 0, rate)
        ),
    }


def _growth(runs: Sequence[Run], part: str, name: str) -> float | None:
    """CPU an event at the largest size ÷ at the smallest."""
    found = sizes(runs, part, name)
    if len(found) < 2:
        return None
    return _ratio(*(typical(of(runs, part, name, size), cpu_us) for size in (found[-1], found[0])))


def _memory(runs: Sequence[Run]) -> float | None:
    """The worst MB a million entities, of every size beside the smallest."""
    found = sizes(runs, "growth", "ours")
    peaks = {size: typical(of(runs, "growth", "ours", size), lambda run: run.peak_mb) or 0.0 for size in found}
    more = [(peaks[size] - peaks[found[0]]) / ((size - found[0]) / MILLION) for size in found[1:]]
    return max(0.0, *more) if more else None


def repeats(runs: Sequence[Run]) -> float | None:
    """Ours: copies ÷ the bound. A lost or conflicting alert, a wrong state or a copy that no unit in flight explains is as bad
    as can be: infinite would be no JSON, so it is one more than the bound a fault."""
    found = of(runs, "card", "ours")
    if not found:
        return None
    card = found[-1].extra
    faults = sum(card[name] for name in ("lost", "conflicting", "wrong_state", "beyond_bound")) + (not card["finished"])
    share = card["doubled"] / card["bound"] if card["bound"] else card["doubled"]
    return float(share + faults)
