"""From a decision to what it means: list entry (列入), its term and requirements, the measures' alerts, and their end (移出).

Not for: applying events (``streamer.domain.dossier``). ``settle`` compares what should stand on a day with what stands, and says
only the difference; it may be called any number of times. Nothing here lists anyone: an entry exists only from a decision
that names the entity and is the listing, or where a row says that the penalty itself is (政府采购法 77, 财库〔2015〕150号).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from streamer.domain import alerts
from streamer.domain.dates import NEVER, day, years_later
from streamer.domain.law import ListRow
from streamer.domain.lawbook import SIGNED
from streamer.domain.messages import Remedy
from streamer.domain.state import AlertState, End, Fact, Open
from streamer.domain.work import Work

NOTICE: Final = "notice:"  # prefix of the notices among a fact's alert states
DELISTED: Final = "delisted:"  # the cause of a delisting in its ``End``, with the list's id after it
REQUIREMENTS: Final = {
    "notice_served_on": "notice-not-served",
    "published_on": "not-published",
    "remedies_closed": "remedies-open",
}


class Span(NamedTuple):
    """When an entry is in force: first and last day (NEVER: open ended), and where the last day comes from."""

    first: int
    last: int
    basis: str | None


class Standing(NamedTuple):
    """What holds of an entry on a day. ``cause`` and ``end`` say why it does not stand."""

    stands: bool
    cause: str = ""
    end: End | None = None


def span(fact: Fact, row: ListRow) -> Span:
    """The decision's own dates; a term only where the row states one and the decision states no end."""
    dates = {"decided_on": fact.decided_on, "published_on": fact.published_on, "effective_on": fact.effective_on}
    first = max(fact.effective_on or fact.decided_on, fact.served_on, fact.published_on)
    last, basis = fact.until, fact.until_basis
    if last == NEVER and row.term is not None and dates.get(row.term.from_, NEVER) != NEVER:
        last = years_later(dates[row.term.from_], row.term.years)
        basis = f"{row.id}: {row.term.years} years from {row.term.from_}"
    return Span(first, last, basis)


def missing(fact: Fact, row: ListRow) -> list[str]:
    """Requirements of the row that the listing decision does not meet (告知、公布、救济期)."""
    have = {
        "notice_served_on": fact.served_on != NEVER,
        "published_on": fact.published_on != NEVER,
        "remedies_closed": fact.remedies_closed,
    }
    return [name for name in row.requires if not have[name]] if fact.kind == "listing" else []


def ended(fact: Fact, clock: int) -> tuple[str, End] | None:
    """The end that has come for a decision, if any: a withdrawal of its version, or a delisting from its list whose day is
    here."""
    if withdrawn(fact):
        assert fact.withdrawn is not None
        return "withdrawn", fact.withdrawn
    end = fact.delisted
    if end is not None and end.on <= clock and end.cause == f"{DELISTED}{fact.list_id}":
        return "delisted", end
    return None


def withdrawn(fact: Fact) -> bool:
    end = fact.withdrawn
    return end is not None and (end.version == 0 or fact.version <= end.version)


def settle(work: Work, fact_id: bytes, fact: Fact) -> None:
    """Make what stands about this decision what should stand on ``work.clock``; schedule the next day that matters."""
    row = work.law.list_in_force(fact.list_id, work.clock)
    if work.head.individual or (row is None and not fact.alerts):
        return
    lacking = missing(fact, row) if row else []
    term = span(fact, row) if row else Span(NEVER, NEVER, None)
    standing = _standing(work, fact, row, term, lacking)
    signed = row if row is not None and row.status == SIGNED else None
    _notices(work, fact_id, fact, signed, lacking)
    if signed is not None:
        _schedule(work, fact_id, fact, signed, term)
    _wait(work, fact_id, awaited=signed is not None and not lacking and _begins_later(fact, term, work.clock))
    wanted = {m.id: m for m in work.law.measures(row.id, work.clock)} if row and standing.stands else {}
    before = set(work.head.open)
    open_alerts = []
    if row is not None and wanted:
        listing = alerts.listing_of(work, fact, row, *term)
        remedy = Remedy(objection_to=row.objection_to, repair_to=row.repair_to, exit_zh=row.exit_zh)
        for rule_id, measure in wanted.items():
            state = fact.alerts.setdefault(rule_id, AlertState())
            open_alerts.append(
                alerts.raise_alert(
                    work,
                    state,
                    fact_id,
                    domain=measure.domain,
                    rule_id=rule_id,
                    entity=alerts.entity_of(work, fact),
                    listing=listing,
                    measure=alerts.measure_of(work, measure),
                    evidence=(alerts.evidence_of(work, fact),),
                    remedy=remedy,
                )
            )
    for rule_id, state in fact.alerts.items():
        if state.open and rule_id not in wanted and not rule_id.startswith(NOTICE):
            alerts.lift_alert(
                work, state, fact_id, rule_id, alerts.lift_of(standing.end, standing.cause or "rule-ended", work.clock)
            )
    _open(work, fact_id, fact, term if wanted else None, open_alerts)
    if before != set(work.head.open):
        work.changed = True


def lift_all(work: Work, fact_id: bytes, fact: Fact, cause: str) -> None:
    """Take back whatever this decision raised or asked: it now says something else, or nothing more is said."""
    for rule_id, state in fact.alerts.items():
        if rule_id.startswith(NOTICE):
            alerts.close_notice(work, state, fact_id, fact.list_id or "", rule_id.removeprefix(NOTICE))
        elif state.open:
            alerts.lift_alert(work, state, fact_id, rule_id, alerts.lift_of(None, cause, work.clock))


def _standing(work: Work, fact: Fact, row: ListRow | None, term: Span, lacking: list[str]) -> Standing:
    end = ended(fact, work.clock)
    if end is not None:
        return Standing(False, *end)
    if row is None:
        return Standing(False, "superseded" if fact.list_id is None else "rule-ended")
    if not fact.present or not fact.registered or lacking or term.first == NEVER or work.clock < term.first:
        return Standing(False, "superseded")
    if term.last != NEVER and work.clock > term.last:
        return Standing(False, "expired")
    return Standing(True)


def _schedule(work: Work, fact_id: bytes, fact: Fact, row: ListRow, term: Span) -> None:
    """The days on which what stands will change by itself: it begins, its last day has passed, a delisting takes effect, a
    row of the rulebook ends."""
    if not fact.present or withdrawn(fact):
        return
    days = [term.first, term.last + 1 if term.last != NEVER else NEVER, fact.delisted.on if fact.delisted else NEVER]
    days += [day(rule.valid_to) + 1 for rule in (row, *work.law.measures(row.id, work.clock)) if rule.valid_to]
    for ordinal in sorted(set(days)):
        if ordinal > work.clock:
            work.due(ordinal, fact_id)


def _begins_later(fact: Fact, term: Span, clock: int) -> bool:
    """Whether nothing but its first day keeps an entry from being in force."""
    return fact.present and fact.registered and ended(fact, clock) is None and term.first > clock


def _wait(work: Work, fact_id: bytes, *, awaited: bool) -> None:
    head = work.head
    if awaited != (fact_id in head.waiting):
        head.waiting = sorted({*head.waiting, fact_id}) if awaited else [f for f in head.waiting if f != fact_id]


def _notices(work: Work, fact_id: bytes, fact: Fact, row: ListRow | None, lacking: list[str]) -> None:
    """Tell the source what its listing lacks, as long as it lacks it and a signed ``row`` asks for it."""
    live = fact.present and fact.registered and ended(fact, work.clock) is None
    for name, kind in REQUIREMENTS.items():
        state = fact.alerts.get(NOTICE + kind)
        if row is not None and live and name in lacking:
            state = fact.alerts.setdefault(NOTICE + kind, AlertState())
            alerts.tell_notice(
                work,
                state,
                fact_id,
                source=fact.source,
                kind=kind,
                rule_id=row.id,
                name_zh=row.name_zh,
                basis=alerts.basis_of(row),
                evidence=(alerts.evidence_of(work, fact),),
                entity=alerts.entity_of(work, fact),
            )
        elif state is not None:
            alerts.close_notice(work, state, fact_id, fact.list_id or "", kind)


def _open(work: Work, fact_id: bytes, fact: Fact, term: Span | None, identifiers: list[str]) -> None:
    if term is None:
        work.head.open.pop(fact_id, None)
    else:
        work.head.open[fact_id] = Open(
            fact.list_id or "",
            work.law.authority_name(fact.authority),
            fact.document_number,
            term.first,
            term.last,
            identifiers,
        )
