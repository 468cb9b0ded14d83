"""Every limit and choice of one engine process, typed and in one place. Not for: topic names or anything a domain knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20

#: Bytes that a record batch needs beyond its rows: 61 of header, some 20 a record are counted with the rows.
BATCH_OVERHEAD_BYTES: Final = 64 << 10

#: As the changelog's min.compaction.lag.ms: within it nothing could be compacted anyway.
TOMBSTONE_AFTER_S: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of one process of one role. Units stand last in a name; every default has a reason beside it."""

    app_id: str
    bootstrap_servers: str
    state_dir: Path
    #: Static membership: role and index; None joins as a dynamic member.
    instance_id: str | None = None

    session_timeout_s: float = 10.0
    heartbeat_s: float = 1.0
    rebalance_timeout_s: float = 30.0

    #: A unit is cut at the next event boundary beyond this many (estimated) bytes of changes.
    unit_target_bytes: int = 1 * MIB
    #: One changelog batch is never larger; the changelog topic's max.message.bytes must be.
    unit_max_bytes: int = 3 * MIB
    #: An open unit waits no longer than this, backlog or not.
    unit_max_age_s: float = 0.5
    #: A caught-up partition commits at most this often (20 ms: p99 36 ms at 5,000 events/s, 87 µs CPU an event).
    unit_min_gap_s: float = 0.015
    #: Slices of one partition in flight: the next is computed while one is being committed.
    slices_in_flight: int = 2

    #: Resident memory of the process, shared out by ``memory``.
    memory_budget_bytes: int = 512 * MIB
    #: Decoded rows, and one partition's answer of a fetch; 0: their share of the budget.
    cache_max_bytes: int = 0
    fetch_max_bytes: int = 0
    max_poll_records: int = 20_000
    #: After a hand-over of few records the next follows no sooner (``gathering``).
    fetch_gap_s: float = 0.025
    #: Handlers get no more records at once than they work off in this time, going by those before: then the event loop turns.
    slice_target_s: float = 0.25
    #: One output batch; below the default max.message.bytes of 1 MiB.
    output_batch_bytes: int = 900_000

    commit_interval_s: float = 1.0
    commit_step_timeout_s: float = 60.0
    stall_timeout_s: float = 30.0
    start_timeout_s: float = 120.0
    recovery_stall_timeout_s: float = 60.0
    revoke_timeout_s: float = 20.0
    #: From SIGTERM to the end of the process; orchestrators kill after 10.
    stop_timeout_s: float = 8.0
    #: How long another holder of the state folder may take to end.
    lock_wait_s: float = 0.0
    #: Further processes that keep a copy of each partition's state; each costs its share of disk and reading.
    num_standby_replicas: int = 0
    #: A deleted row's mark becomes a tombstone after this: a store that was away for less need not be built anew.
    tombstone_after_s: float = TOMBSTONE_AFTER_S
    lag_poll_s: float = 2.0
    flush_interval_s: float = 5.0

    #: /metrics, /healthz, /readyz on 127.0.0.1; 0 takes a free port (written to ``<state_dir>/http.port``), -1 none.
    metrics_port: int = 0
    #: Go on although the source's log starts beyond what was applied; the loss is written into the books.
    accept_loss: bool = False
    log_level: str = "WARNING"
    #: Topics that the process refuses to start without, beside those it reads and writes.
    required_topics: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Raises ValueError when two limits contradict each other."""
        if not 0 < self.unit_target_bytes <= self.unit_max_bytes:
            raise ValueError("unit_target_bytes must be positive and at most unit_max_bytes")
        if self.heartbeat_s * 3 > self.session_timeout_s:
            raise ValueError("heartbeat_s must be at most a third of session_timeout_s")
        if self.slices_in_flight < 1 or self.max_poll_records < 1:
            raise ValueError("slices_in_flight and max_poll_records must be at least 1")
        if not 0 < self.slice_target_s <= self.session_timeout_s / 4:
            raise ValueError("slice_target_s must be positive and at most a quarter of session_timeout_s")
