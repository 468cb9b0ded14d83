"""The price of the guarantees: our kernel job whole, and without some of them. Not for: how they are taken away
(``kernel.bare``)."""

from __future__ import annotations

from typing import Final

from bench.context import Bench
from bench.kernel.measure import attempt
from bench.peers import BY_NAME
from bench.store import Run

MODULE: Final = "bench.kernel.bare"
FULL: Final = "all"
NONE: Final = "none"
VARIANTS: Final = {
    FULL: {},
    "no_idempotence": {"W_WITHOUT": "idempotence"},
    "no_crc": {"W_WITHOUT": "crc"},
    "no_origin": {"W_WITHOUT": "origin"},
    NONE: {"W_WITHOUT": "idempotence,crc,origin"},
    "with_wal": {"W_WITH": "wal"},
}
TITLES: Final = {
    FULL: "all guarantees",
    "no_idempotence": "without the idempotent producer",
    "no_crc": "without CRC checks",
    "no_origin": "without origins and the single-writer check",
    NONE: "without all three",
    "with_wal": "all, and RocksDB's write-ahead log",
}


async def guarantees(bench: Bench) -> None:
    """All variants once a round."""
    peer, events = BY_NAME["ours"], bench.plan.guarantee_events
    for number in range(1, bench.plan.guarantee_rounds + 1):
        for name, settings in VARIANTS.items():
            if not bench.store.has("guarantees", name, events, number):
                run = Run("guarantees", name, events, number, events, 0, 0, 0)
                bench.keep(await attempt(bench, peer, run, module=MODULE, settings=settings))
