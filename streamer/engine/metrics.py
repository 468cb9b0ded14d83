"""The catalogue of the engine's metrics, in one place. Not for: a domain's counters. No label holds a value from an event."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_BYTES = (1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 2e6, 4e6)
_RECORDS = (1, 10, 100, 1_000, 3_000, 10_000, 30_000)

_MARKS = ("next", "done", "committed", "end")


class Metrics:
    """All metrics of one process; ``registry`` also takes a role's own."""

    def __init__(self) -> None:
        r = self.registry = CollectorRegistry(auto_describe=False)
        where = ("topic", "partition")
        self.position = Gauge(
            "streamer_position", "Source offsets by mark: next, done, committed, end.", (*where, "mark"), registry=r
        )
        self.lag = Gauge("streamer_lag_records", "Source records not yet durable.", where, registry=r)
        self.records = Counter("streamer_records", "Source records whose unit became durable.", ("topic",), registry=r)
        self.redelivered = Counter(
            "streamer_redelivered_records", "Source records skipped: state included them.", ("topic",), registry=r
        )
        self.units = Counter("streamer_units", "Units by the reason why they were cut.", ("why",), registry=r)
        self.unit_bytes = Histogram("streamer_unit_bytes", "Bytes of a unit's rows.", buckets=_BYTES, registry=r)
        self.unit_records = Histogram("streamer_unit_records", "Source records a unit.", buckets=_RECORDS, registry=r)
        self.unit_seconds = Histogram(
            "streamer_unit_seconds", "From a unit's first record to durable.", buckets=_SECONDS, registry=r
        )
        self.sent = Counter("streamer_sent_records", "Messages acknowledged.", ("topic",), registry=r)
        self.changelog_rows = Counter("streamer_changelog_rows", "Rows written to the changelog.", registry=r)
        self.recovered = Counter("streamer_recovered_records", "Changelog records read back.", registry=r)
        self.recovery_seconds = Gauge("streamer_recovery_seconds", "How long the last recovery took.", registry=r)
        self.recovery_remaining = Gauge(
            "streamer_recovery_remaining_records", "Changelog records still to read.", where, registry=r
        )
        self.recovery_seconds_left = Gauge("streamer_recovery_seconds_left", "Estimate at the rate so far.", registry=r)
        self.standby_lag = Gauge(
            "streamer_standby_lag_records", "Changelog records that a standby lacks.", where, registry=r
        )
        self.standby_records = Counter("streamer_standby_records", "Changelog records read for standbys.", registry=r)
        self.tombstones = Counter("streamer_tombstones", "Delete marks that a tombstone followed.", registry=r)
        self.upgraded = Counter("streamer_upgraded_rows", "Rows written again in the present schema.", registry=r)
        self.void = Counter("streamer_void_records", "Changelog records of somebody else, ignored.", registry=r)
        self.restated = Counter(
            "streamer_restated_records", "Current versions written again to a compacted output.", ("topic",), registry=r
        )
        self.lost = Counter("streamer_lost_records", "Source records gone before they were applied.", where, registry=r)
        self.commits = Counter("streamer_offset_commits", "Offset commits by result.", ("result",), registry=r)
        self.memory = Gauge("streamer_memory_bytes", "Memory by part; process: all of it.", ("part",), registry=r)
        self.memory_bound = Gauge("streamer_memory_bound_bytes", "What each part may hold.", ("part",), registry=r)
        self.gate_closed = Gauge("streamer_gate_closed", "1 while a topic waits at its gate.", ("topic",), registry=r)
        self.gate_lag = Gauge(
            "streamer_gate_lag_records", "The lag that decides about gates; NaN: unknown.", ("topic",), registry=r
        )
        self.waiting = Gauge("streamer_waiting", "1 while a server outside is being waited for.", ("on",), registry=r)
        self.assigned = Gauge("streamer_assigned_partitions", "Source partitions owned.", registry=r)
        self.ready = Gauge("streamer_ready", "1 when partitions are owned and recovered, or none is due.", registry=r)

    def at(self, topic: str, partition: int, marks: tuple[int, int, int, int], lag: int) -> None:
        """Where a source partition is; ``marks``: next, done, committed, end."""
        for mark, offset in zip(_MARKS, marks, strict=True):
            self.position.labels(topic, partition, mark).set(offset)
        self.lag.labels(topic, partition).set(lag)

    def forget(self, topic: str, partition: int) -> None:
        """The partition is no longer this process's: its last values would stand beside its owner's for ever."""
        for mark in _MARKS:
            self.position.remove(topic, partition, mark)
        self.lag.remove(topic, partition)
