"""The books as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from streamer.agents.books_metrics import BooksCollector
from streamer.domain.dates import day
from streamer.domain.state import Counts, Partition


def test_rows_become_samples_when_scraped() -> None:
    registry = CollectorRegistry()
    owned = {1}
    collector = BooksCollector(registry, lambda: owned)
    row = Partition(clock=day("2026-01-05"), books={"tax": Counts(applied=3, witness=1)}, resent=2)
    collector.observe(1, row)
    row.books["tax"].applied = 4  # the live row: what is scraped is what is there
    text = generate_latest(registry).decode()
    assert 'streamer_dossier_items_total{fate="applied",partition="1",source="tax"} 4.0' in text
    assert 'streamer_dossier_resent_messages_total{partition="1"} 2.0' in text
    assert 'streamer_dossier_clock_timestamp_seconds{partition="1"} 1.7675424e+09' in text
    owned.clear()
    assert 'partition="1"' not in generate_latest(registry).decode(), "it is another worker's to tell"
    owned.add(1)
    assert 'partition="1"' not in generate_latest(registry).decode(), "until it is seen again"
