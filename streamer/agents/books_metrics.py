"""The dossier's books as metrics, read when they are scraped. Not for: the hot path (nothing is counted twice)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, time
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streamer.domain.dates import BEIJING
from streamer.domain.state import Partition

FATES: Final = ("applied", "duplicate", "superseded", "dead_lettered", "witness")


class BooksCollector(Collector):
    """Partition rows as last seen by this process: items by source and fate, and how far each partition's clock is. Of those
    that it owns: what it saw of others is their owners' to tell."""

    def __init__(self, registry: CollectorRegistry, owned: Callable[[], Collection[int]]) -> None:
        self._rows: dict[int, Partition] = {}
        self._owned = owned
        registry.register(self)

    def observe(self, partition: int, row: Partition) -> None:
        self._rows[partition] = row

    def collect(self) -> Iterator[Any]:
        items = CounterMetricFamily(
            "streamer_dossier_items",
            "Items of account by what became of them (witness: of the applied).",
            labels=["partition", "source", "fate"],
        )
        resent = CounterMetricFamily(
            "streamer_dossier_resent_messages", "Copies of items already accounted for.", labels=["partition"]
        )
        clock = GaugeMetricFamily(
            "streamer_dossier_clock_timestamp_seconds",
            "The date each partition has, at 00:00 Beijing.",
            labels=["partition"],
        )
        owned = self._owned()
        self._rows = {partition: row for partition, row in self._rows.items() if partition in owned}
        for partition, row in sorted(self._rows.items()):
            label = str(partition)
            for source, counts in list(row.books.items()):
                for fate in FATES:
                    items.add_metric([label, source, fate], getattr(counts, fate))
            resent.add_metric([label], row.resent)
            if row.clock:
                midnight = datetime.combine(date.fromordinal(row.clock), time(), BEIJING)
                clock.add_metric([label], midnight.timestamp())
        yield from (items, resent, clock)
