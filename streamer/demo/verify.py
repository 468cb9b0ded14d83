"""The demo's verdict: what Kafka and Postgres hold against the truth, against replay, and against themselves.

Not for: the books (``streamer.audit``). Each check is a line with its two figures; nothing is compared with itself.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

import asyncpg

from sinks.sql import query
from streamer import kafka_io
from streamer.audit import Report
from streamer.demo.truth import ExpectedAlert, ExpectedNotice, Truth
from streamer.domain.messages import AlertData, NoticeData, decode_alert, decode_notice
from streamer.domain.replay import Replay

FULL_SIZE: Final = 50_000  # events of a whole demo
MAX_NAMED: Final = 5  # differences that a failing check names


class Check(NamedTuple):
    """One comparison: ``ok`` is what it found; ``detail`` says the figures."""

    name: str
    ok: bool
    detail: str


class Emitted(NamedTuple):
    """What the outbound topics hold: every message, by id."""

    alerts: dict[str, list[bytes]]  # "<alert_id>.<revision>" → copies
    notices: dict[str, list[bytes]]


async def read_emitted(bootstrap: str, domains: list[str], sources: list[str]) -> Emitted:
    """Every alert and notice message in Kafka."""
    found = Emitted({}, {})
    async for message in kafka_io.read_all(bootstrap, [f"credit.alerts.{domain}" for domain in domains]):
        found.alerts.setdefault(decode_alert(message.value or b"").id, []).append(message.value or b"")
    async for message in kafka_io.read_all(bootstrap, [f"credit.notices.{source}" for source in sources]):
        found.notices.setdefault(decode_notice(message.value or b"").id, []).append(message.value or b"")
    return found


def last_alerts(emitted: Emitted) -> dict[str, AlertData]:
    """The highest revision of each alert."""
    last: dict[str, AlertData] = {}
    for copies in emitted.alerts.values():
        data = decode_alert(copies[0]).data
        if data.alert_id not in last or last[data.alert_id].revision < data.revision:
            last[data.alert_id] = data
    return last


def last_notices(emitted: Emitted) -> dict[str, NoticeData]:
    """The highest revision of each notice."""
    last: dict[str, NoticeData] = {}
    for copies in emitted.notices.values():
        data = decode_notice(copies[0]).data
        if data.notice_id not in last or last[data.notice_id].revision < data.revision:
            last[data.notice_id] = data
    return last


def against_truth(truth: Truth, report: Report, emitted: Emitted) -> list[Check]:
    """Counts of fates and reasons, and every alert and notice as it ends."""
    fates = {name.replace("-", "_"): count for name, count in report.fates.items() if count}
    reasons = Counter(truth.reasons) + Counter(truth.parked)
    alerts = Counter(map(as_expected, last_alerts(emitted).values()))
    notices = Counter(map(as_expected_notice, last_notices(emitted).values()))
    return [
        _same("items", truth.items, report.items),
        _same("items by fate", {k: v for k, v in truth.fates.items() if v}, fates),
        _same("second witnesses", truth.witnesses, report.witnesses),
        _same("items by reason", dict(reasons), report.reasons),
        _same_bags("alerts as they end", Counter(truth.alerts), alerts),
        _same_bags("notices as they end", Counter(truth.notices), notices),
    ]


def against_replay(replay: Replay, emitted: Emitted) -> list[Check]:
    """Every message that the records call for, byte for byte, and no other."""
    alerts = {decode_alert(body).id: body for _, _, body in replay.effects.alerts}
    notices = {decode_notice(body).id: body for _, _, body in replay.effects.notices}
    checks = []
    for name, wanted, found in (("alert", alerts, emitted.alerts), ("notice", notices, emitted.notices)):
        missing, unknown = wanted.keys() - found.keys(), found.keys() - wanted.keys()
        conflicting = [key for key, copies in found.items() if any(body != wanted.get(key) for body in copies)]
        detail = (
            f"{len(wanted):,} expected: missing {len(missing)}, unknown {len(unknown)}, conflicting {len(conflicting)}"
        )
        checks.append(Check(f"{name} messages = replay", not (missing or unknown or conflicting), detail))
    return checks


def copies_of(emitted: Emitted, resent: int) -> list[Check]:
    """Copies made by the kills: there are some, and they are byte-identical."""
    repeated = [copies for copies in (*emitted.alerts.values(), *emitted.notices.values()) if len(copies) > 1]
    extra = sum(len(copies) - 1 for copies in repeated)
    same = all(len(set(copies)) == 1 for copies in repeated)
    return [
        Check(
            "the killed intake's copies are known", resent > 0, f"{resent:,} records came again and were not counted"
        ),
        Check(
            "the killed dossier's are byte-identical",
            same and extra > 0,
            f"{extra:,} copies of {len(repeated):,} messages",
        ),
    ]


async def against_postgres(dsn: str, emitted: Emitted, report: Report) -> list[Check]:
    """Postgres holds every message once, and as current the highest revision."""
    connection = await asyncpg.connect(dsn)
    try:
        counts = dict(await connection.fetchrow(query("demo_counts")))
        current = {row["alert_id"]: row["revision"] for row in await connection.fetch(query("demo_alert_revisions"))}
    finally:
        await connection.close()
    last = last_alerts(emitted)
    dead = sum(report.reasons.values())
    open_ = sum(data.action != "lifted" for data in last.values())
    return [
        _same("alert history in Postgres", len(emitted.alerts), counts["alert_history"]),
        _same("current alerts in Postgres", {k: v.revision for k, v in last.items()}, current),
        _same("open alerts in Postgres", open_, counts["open_alerts"]),
        _same("notice history in Postgres", len(emitted.notices), counts["notice_history"]),
        _same("dead letters in Postgres", dead, counts["dead_letters"]),
    ]


def enough(truth: Truth, events: int) -> list[Check]:
    """The world holds what was asked for, and enough of each kind to say something."""
    share = min(1.0, events / FULL_SIZE)
    least: list[tuple[str, int, int]] = [
        ("events", truth.messages, events),
        ("alerts raised", truth.raised, int(1_000 * share)),
        ("alerts lifted", sum(truth.lifted.values()), int(100 * share)),
        ("duplicates", truth.fates.get("duplicate", 0), int(1_000 * share)),
        ("second witnesses", truth.witnesses, int(500 * share)),
    ]
    return [Check(f"at least {floor:,} {name}", count >= floor, f"{count:,}") for name, count, floor in least]


def as_expected(data: AlertData) -> ExpectedAlert:
    return ExpectedAlert(
        org_code=data.entity.org_code,
        list=data.listing.list,
        document_number=data.listing.document_number,
        rule_id=data.measure.rule_id,
        domain=data.domain,
        action="raised" if data.action == "amended" else data.action,
        cause=data.lift.cause if data.lift else None,
    )


def as_expected_notice(data: NoticeData) -> ExpectedNotice:
    document = data.evidence[0].document_number if data.kind != "consider" else None
    return ExpectedNotice(
        org_code=data.entity.org_code,
        document_number=document,
        rule_id=data.rule_id,
        source=data.source,
        kind=data.kind,
        action=data.action,
    )


def _same(name: str, wanted: Any, found: Any) -> Check:
    ok = wanted == found
    if isinstance(wanted, dict):
        keys = sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k))
        differences = ", ".join(f"{k}: {wanted.get(k, 0)} expected, {found.get(k, 0)} found" for k in keys[:MAX_NAMED])
        return Check(name, ok, differences or f"{len(wanted):,} equal")
    return Check(name, ok, f"{wanted:,}" if ok else f"{wanted:,} expected, {found:,} found")


def _same_bags(name: str, wanted: Counter[Any], found: Counter[Any]) -> Check:
    lacking, extra = wanted - found, found - wanted
    detail = f"{wanted.total():,} expected, {found.total():,} found"
    for label, bag in (("missing", lacking), ("unexpected", extra)):
        if bag:
            detail += f"; {bag.total()} {label}, e.g. {next(iter(bag))}"
    return Check(name, not lacking and not extra, detail)
