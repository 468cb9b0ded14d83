"""The intake's agent: slices of ``credit.events.*`` and ``credit.backfill.*`` through admission; records, dead letters and
outcomes out. Stateless.

Not for: deciding (``streamer.agents.admission``). What it sends again after a crash is byte-identical and carries the same
item of account, so that the dossier and the audit tell a resend from a second item.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, Counter

from streamer.agents.admission import Admission, OutRecord, Refused, SourceConfig
from streamer.domain import messages
from streamer.domain.dates import append_time
from streamer.domain.reasons import REASONS
from streamer.domain.sealing import Sealer
from streamer.engine import EngineApp, RecordIn
from topics.catalog import BACKFILL, DEAD_LETTERS, OUTCOMES, RECORDS

_log: Final = logging.getLogger(__name__)


class Sends(Protocol):
    """What the intake asks of a slice."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    def send(
        self, topic: str, partition: int | None, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None: ...


class IntakeMetrics:
    """Items by what became of them. Labels are names of topics and reason codes, never a value of an event."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.items = Counter(
            "streamer_intake_items",
            "Items by inbound topic and reason; admitted: none.",
            ("topic", "reason"),
            registry=registry,
        )
        self.faults = Counter("streamer_intake_faults", "Events on which the program failed.", registry=registry)


class Intake:
    """One message in, its messages out, through whatever sends."""

    def __init__(self, admission: Admission, metrics: IntakeMetrics) -> None:
        self._admit = admission.admit
        self._metrics = metrics
        self._admitted = {topic: metrics.items.labels(topic, "admitted").inc for topic in admission.topics}

    def slice(self, to: Sends, records: Iterable[RecordIn]) -> None:
        """All of a slice's messages."""
        admitted = 0
        for record in records:
            admitted += self.handle(to, record)
        if admitted:
            self._admitted[to.topic](admitted)  # at once: a counter takes a lock

    def handle(self, to: Sends, record: RecordIn) -> int:
        """How many items are admitted; they are the caller's to count. Never raises for what a message holds: a poison message
        becomes a dead letter, and the partition moves on."""
        topic, admitted = to.topic, 0
        items, fault = self._admit(topic, to.partition, record.offset, record.value, record.headers)
        for item in items:
            if isinstance(item, OutRecord):
                to.send(RECORDS, None, item.key, item.value, item.headers)
                admitted += 1
            else:
                self._refuse(to, item, record.timestamp)
        if fault is not None:
            self._metrics.faults.inc()
            _log.error("admission failed on %s|%d|%d, dead-lettered: %s", topic, to.partition, record.offset, fault)
        return admitted

    def _refuse(self, to: Sends, item: Refused, timestamp_ms: int) -> None:
        row, text = REASONS[item.reason], str(item.origin)
        letter = messages.DeadLetter(
            origin=text,
            fate=item.fate,
            stage="intake",
            reason=item.reason,
            source=item.source,
            event_id=item.event_id,
            type=item.type,
            org_code=item.org_code,
            json_pointer=item.json_pointer,
            at=append_time(timestamp_ms),
            sealed=b64encode(item.sealed).decode("ascii"),
        )
        key = text.encode("ascii")
        to.send(DEAD_LETTERS, None, key, messages.encode(letter))
        if item.source is not None:
            outcome = messages.Outcome(
                event_id=item.event_id,
                topic=item.origin.topic,
                partition=item.origin.partition,
                offset=item.origin.offset,
                party=item.origin.party,
                outcome=item.fate,
                reason_code=item.reason,
                json_pointer=item.json_pointer,
                fix_zh=row.fix_zh,
                fix_en=row.fix_en,
                retryable=row.retryable,
            )
            to.send(OUTCOMES.topic(item.source), None, key, messages.encode(outcome))
        self._metrics.items.labels(item.origin.topic, item.reason).inc()


def register(
    app: EngineApp,
    *,
    sources: Sequence[SourceConfig],
    sealer: Sealer,
    dossier_group: str,
    backfill_max_lag_records: int,
    metrics: IntakeMetrics | None = None,
) -> None:
    """Add the intake's agent to ``app``: it reads every source's inbound topics, committed messages only. History goes on
    while the dossier has fewer than ``backfill_max_lag_records`` records before it, and no event waits."""
    admission = Admission(sources, sealer)
    intake = Intake(admission, metrics or IntakeMetrics(app.metrics.registry))
    app.output(RECORDS)
    app.output(DEAD_LETTERS)
    for source in sources:
        app.output(OUTCOMES.topic(source.id))

    async def agent(stream: Any) -> None:
        async for slice_ in stream:
            intake.slice(slice_, slice_.fresh())
            slice_.done()

    app.agent(app.slices(*admission.topics, read_committed=True), name="intake")(agent)
    app.gate(
        *[BACKFILL.topic(source.id) for source in sources],
        lag_of=RECORDS,
        group=dossier_group,
        max_lag_records=backfill_max_lag_records,
    )
