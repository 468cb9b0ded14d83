"""How long a part will take, roughly, on two quiet cores: so that one knows before it begins, and while it runs. Pure. Not for:
limits (``__main__.PART_TIMEOUT_S``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.context import Plan

#: Events a second of the kernel workload, as a whole run on two cores had them; a peer that is not named: OTHER.
PER_S: Final = {
    "floor": 28_000, "floor_ckpt": 42_000, "confluent": 24_000, "ours": 40_000, "quix": 9_500, "bytewax": 7_000,
    "streams": 17_000, "streams_eos": 16_000, "faust": 1_250,
}  # fmt: skip
OTHER: Final = 20_000
PUBLISHED_PER_S: Final = 25_000
CHAIN_PER_S: Final = 2_500
STAGES_PER_S: Final = 2_300  # three roles one after the other
SEEDED_PER_S: Final = 60_000  # entities into a local store
RECOVERED_PER_S: Final = 250_000  # records
RUN_S: Final = 5.0  # topics, start, first event, end
STAGE_S: Final = 8.0  # topics of the contract, a database
RESTART_S: Final = 11.0  # a kill, and until the next is due
AT_A_TIME: Final = 3  # peers of the card


def estimate(plan: Plan) -> dict[str, float]:
    """Part → seconds."""
    return {
        "kernel": _kernel(plan), "chain": _chain(plan), "growth": _growth(plan), "recovery": _recovery(plan),
        "latency": len(plan.latency_shares) * (plan.latency_s + 15) + 2 * STAGE_S, "sink": STAGE_S,
        "guarantees": plan.guarantee_events / PUBLISHED_PER_S
        + plan.guarantee_rounds * 6 * (RUN_S + plan.guarantee_events / PER_S["ours"]),
        "card": _card(plan),
    }  # fmt: skip


def _run_s(peer: str, events: int) -> float:
    return RUN_S + events / PER_S.get(peer, OTHER)


def _kernel(plan: Plan) -> float:
    peers = [peer for peer in plan.peers if peer != "faust"]
    seconds = sum(
        events / PUBLISHED_PER_S + rounds * sum(_run_s(peer, events) for peer in peers)
        for events, rounds in plan.kernel
    )
    beside = [peer for peer in plan.peers if peer in {"faust", "ours", "floor"}] if "faust" in plan.peers else []
    return seconds + plan.kernel[0][1] * sum(_run_s(peer, plan.faust_events) for peer in beside)


def _chain(plan: Plan) -> float:
    events = plan.chain_events
    a_round = _run_s("floor", plan.chain_floor_events) + events / STAGES_PER_S + events / CHAIN_PER_S + 3 * STAGE_S
    return events / PUBLISHED_PER_S + plan.chain_rounds * a_round


def _growth(plan: Plan) -> float:
    laid = sum(plan.growth_entities) / SEEDED_PER_S
    a_run = RUN_S + plan.growth_events / PUBLISHED_PER_S + plan.growth_events / PER_S["ours"]
    held = plan.held_entities / PUBLISHED_PER_S + _run_s("ours", plan.held_entities)
    loaded = len(plan.facts) * max(plan.facts) / CHAIN_PER_S
    levels = plan.growth_rounds * len(plan.facts) * 2 * RUN_S
    return laid + plan.growth_rounds * len(plan.growth_entities) * a_run + held + loaded + levels


def _recovery(plan: Plan) -> float:
    records = 2 * plan.recovery_entities
    return records / PUBLISHED_PER_S / 2 + plan.recovery_rounds * 2 * (RUN_S + records / RECOVERED_PER_S)


def _card(plan: Plan) -> float:
    return len(plan.peers) / AT_A_TIME * (plan.kills * RESTART_S + 40 * plan.card_scale)


def spoken(seconds: float) -> str:
    """To half a minute; below one, in seconds."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    halves = max(1, round(seconds / 30))
    return f"{halves / 2:g} min"


def plan_in_words(parts: Sequence[str], plan: Plan) -> str:
    """The parts with their times, and the sum."""
    expected = estimate(plan)
    each = ", ".join(f"{part} {spoken(expected[part])}" for part in parts)
    return f"about {spoken(sum(expected[part] for part in parts))} on two quiet cores: {each}"
