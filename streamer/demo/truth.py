"""The truth of a demo world: what must become of every item, stated before any event is written.

Not for: working anything out. Every number here was put in by a scenario that knew it by construction.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

APPLIED: Final = "applied"
DUPLICATE: Final = "duplicate"
SUPERSEDED: Final = "superseded"
PARKED: Final = "parked"
DEAD: Final = "dead_lettered"
UNRESOLVED: Final = "identity_unresolved"  # the reason under which persons and unknown codes wait

RAISED: Final = "raised"
LIFTED: Final = "lifted"
CLOSED: Final = "closed"


class ExpectedAlert(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an alert ends. ``document_number`` is None for a criterion's; ``cause``: the lift's."""

    org_code: str
    list: str
    document_number: str | None
    rule_id: str
    domain: str
    action: str  # raised (still open) | lifted
    cause: str | None = None


class ExpectedNotice(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a notice ends. ``document_number`` is None for a criterion's."""

    org_code: str
    document_number: str | None
    rule_id: str
    source: str
    kind: str
    action: str  # raised (still open) | closed


class Phase(msgspec.Struct, frozen=True):
    """``tick`` (a date, or None for the first) goes out when everything before is settled; then the file's messages."""

    tick: str | None
    file: str
    messages: int


class Truth(msgspec.Struct, kw_only=True):
    seed: int
    clock: str  # the partitions' first date
    phases: list[Phase] = []
    messages: int = 0
    items: int = 0
    fates: dict[str, int] = {}
    witnesses: int = 0  # of applied: a further source reported a known decision
    reasons: dict[str, int] = {}  # of dead-lettered
    parked: dict[str, int] = {}  # by reason
    sources: dict[str, dict[str, int]] = {}  # fates by source of the topic
    alerts: list[ExpectedAlert] = []
    notices: list[ExpectedNotice] = []
    raised: int = 0
    lifted: dict[str, int] = {}  # by cause
    scenarios: dict[str, int] = {}

    def item(self, source: str, fate: str, reason: str = "") -> None:
        self.items += 1
        self.fates[fate] = self.fates.get(fate, 0) + 1
        of_source = self.sources.setdefault(source, {})
        of_source[fate] = of_source.get(fate, 0) + 1
        if reason:
            by_reason = self.parked if fate == PARKED else self.reasons
            by_reason[reason] = by_reason.get(reason, 0) + 1

    def alert(self, alert: ExpectedAlert) -> None:
        self.alerts.append(alert)
        self.raised += 1
        if alert.cause is not None:
            self.lifted[alert.cause] = self.lifted.get(alert.cause, 0) + 1


def encode(truth: Truth) -> bytes:
    return msgspec.json.format(msgspec.json.encode(truth), indent=1)


decode: Final[Any] = msgspec.json.Decoder(Truth).decode
