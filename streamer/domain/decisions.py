"""From an event to the fact it is about: a decision, its second witness, its next version, its delisting or withdrawal.

Not for: what follows for measures (``entries``) or counters. One act reported by two departments is one fact with two witnesses
(一事一案). A withdrawal or delisting that comes before its decision leaves a row that the decision meets.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from streamer.domain import counters, entries, expiry
from streamer.domain.dates import day
from streamer.domain.keys import event_key, fact_id
from streamer.domain.law import Authority, ListRow
from streamer.domain.records import Record, Sanction
from streamer.domain.state import (
    EVENT,
    EVENT_BYTES,
    EVENT_MEMORY_DAYS,
    End,
    Event,
    Fact,
)
from streamer.domain.work import Work

MAX_WITNESSES: Final = 16  # sources named with a fact; more are counted, not named
MAX_OPEN_ENTRIES: Final = 256  # entries of one entity, in force or to come
MAX_AWAITED: Final = 16  # ends that may wait for one event
KINDS: Final = {"decision.penalty": "penalty", "decision.listing": "listing", "document.recorded": "document"}
END: Final = "end"  # outcome of an event that ended a decision: it is none itself
BANS: Final = ("procurement-ban", "agency-ban")


class Verdict(NamedTuple):
    """What became of an item: an outcome for the books, a reason if refused, and the fact to settle if one changed."""

    outcome: str
    reason: str = ""
    pointer: str = ""
    fact_id: bytes = b""
    fact: Fact | None = None


def refused(reason: str, pointer: str) -> Verdict:
    return Verdict("dead_lettered", reason, pointer)


def decide(work: Work, record: Record, content: bytes, awaited: list[End]) -> Verdict:
    """Apply one new event to its fact. ``awaited``: ends that named this event before it came."""
    key, row = work.law.authority(record.authority, work.clock)
    if record.type in KINDS:
        return _decision(work, record, content, key, row, awaited)
    if record.type == "decision.delisting":
        return _delisting(work, record, key, row)
    return _withdrawal(work, record, key)


def _decision(
    work: Work, record: Record, content: bytes, key: str, row: Authority | None, awaited: list[End]
) -> Verdict:
    problem = _problem(work, record, row)
    if problem is not None:
        return problem
    kind = KINDS[record.type]
    identifier = fact_id(key, record.document_number, work.org_code, kind)
    head = work.head
    if len(head.open) + len(head.waiting) >= MAX_OPEN_ENTRIES and identifier not in (*head.open, *head.waiting):
        return refused("too_many_open_entries", "/data/parties")
    fact = work.fact(identifier)
    if fact is not None and fact.present:
        known = _known(record, content, fact)
        if known is not None:
            return _again(work, record, known, identifier, fact, key, awaited)
    if fact is None:
        fact = Fact(kind=kind, authority=key)
    stood = _stands(fact)
    for end in awaited:
        _end(fact, end, key)
    _write(work, record, content, fact, identifier, row)
    head.facts += _stands(fact) - stood
    _name(work, record)
    return Verdict("applied", fact_id=identifier, fact=fact)


def _again(
    work: Work, record: Record, known: Verdict, identifier: bytes, fact: Fact, key: str, awaited: list[End]
) -> Verdict:
    """A report that changes nothing in its fact: a further witness is named, and an end that waited for the report comes."""
    if known.outcome == "dead_lettered":
        return known  # its id names nothing that stands
    if known.outcome == "witness":
        fact.witnesses = [*fact.witnesses, record.source]
    if not awaited:
        if known.outcome == "witness":
            work.put_fact(identifier, fact)
        return known._replace(fact_id=identifier)
    stood = _stands(fact)
    for end in awaited:
        _end(fact, end, key)
    work.head.facts += _stands(fact) - stood
    return known._replace(fact_id=identifier, fact=fact)


def _stands(fact: Fact) -> bool:
    return fact.present and not entries.withdrawn(fact)


def _problem(work: Work, record: Record, row: Authority | None) -> Verdict | None:
    """What the dated rows refuse (法定名单、行为目录、职权)."""
    if record.type == "decision.listing":
        listed = work.law.list_in_force(record.list, work.clock)
        if listed is None or listed.entry != "listing":
            return refused("list_unknown", "/data/list")
        if row is None:
            return refused("authority_unregistered", "/data/authority")
        if not set(listed.listed_by) & set(row.roles):
            return refused("authority_not_competent", "/data/authority")
        if record.ground is not None and record.ground not in {ground.code for ground in listed.grounds}:
            return refused("ground_unknown", "/data/ground")
    if record.conduct is not None:
        conduct = work.law.conducts.get(record.conduct)
        if conduct is None or not conduct.open:
            return refused("conduct_not_in_catalogue", "/data/conduct")
        if conduct.roles and row is not None and not set(conduct.roles) & set(row.roles):
            return refused("authority_not_competent", "/data/conduct")
    return None


def _known(record: Record, content: bytes, fact: Fact) -> Verdict | None:
    """A fact that is there already: an older version, the same again, or a further witness; None: a newer version."""
    if record.version > fact.version:
        return None
    if record.version < fact.version:
        return Verdict("superseded")
    if record.source == fact.source and content != fact.content:
        return refused("version_conflict", "/data/version")
    if record.source in fact.witnesses or len(fact.witnesses) >= MAX_WITNESSES:
        return Verdict("duplicate")
    return Verdict("witness")


def _write(work: Work, record: Record, content: bytes, fact: Fact, identifier: bytes, row: Authority | None) -> None:
    """Take the decision's content into the fact: the first, or the next version of it."""
    roles = row.roles if row else ()
    listed: ListRow | None = None
    if fact.kind == "penalty" and row is not None and record.decided_on is not None:
        listed = work.law.list_of_penalty(record, roles, work.clock)
    list_id = record.list if fact.kind == "listing" else listed.id if listed else None
    if fact.present and list_id != fact.list_id:
        entries.lift_all(work, identifier, fact, "superseded")
    fact.present, fact.registered = True, row is not None
    fact.version, fact.content = record.version, content
    fact.source, fact.event_id, fact.witnesses = record.source, record.id, [record.source]
    fact.document_number, fact.domain, fact.url = record.document_number, record.domain, record.url
    fact.decided_on = day(record.decided_on)
    fact.name, fact.uscc = record.party.name, record.party.uscc
    fact.list_id, fact.ground = list_id, record.ground
    fact.served_on, fact.published_on = day(record.notice_served_on), day(record.published_on)
    fact.effective_on, fact.remedies_closed = day(record.effective_on), record.remedies_closed
    fact.until, fact.until_basis = day(record.until), record.until_basis
    if listed is not None and listed.ends_with_ban:
        ban_end = max((day(s.to) for s in record.sanctions if s.kind in BANS), default=0)
        if ban_end:
            fact.until, fact.until_basis = ban_end, "ban as decided"
    amount = sum(a.amount_fen for a in record.assessed) or fine_fen(record.sanctions)
    matches = work.law.matching(record, roles, work.clock) if row is not None and fact.kind == "penalty" else ()
    _recount(work, identifier, fact, matches, amount)


def _recount(work: Work, identifier: bytes, fact: Fact, matches: tuple[str, ...], amount: int) -> None:
    """A new version may count elsewhere or for another amount: leave every counter first, at the old amount."""
    if fact.counted and (matches != fact.matches or amount != fact.amount_fen):
        fact.matches = ()
        counters.settle(work, identifier, fact)
    fact.matches, fact.amount_fen = matches, amount


def fine_fen(sanctions: tuple[Sanction, ...]) -> int:
    return sum(s.amount_fen for s in sanctions if s.kind == "fine")


def _name(work: Work, record: Record) -> None:
    """The display name: of the latest decision; of two on one day the greater text, so that their order does not matter."""
    head, party = work.head, record.party
    if head.individual:
        return
    before = head.uscc, head.name
    if party.uscc and not head.uscc:
        head.uscc = party.uscc
    decided = day(record.decided_on)
    if party.name and (decided, party.name) >= (head.name_as_of, head.name or ""):
        head.name, head.name_as_of = party.name, decided
    if head.version and before != (head.uscc, head.name):
        work.changed = (
            True  # a status was told: what is told again after a recovery is the same version, so the same text
        )


def _delisting(work: Work, record: Record, key: str, row: Authority | None) -> Verdict:
    listed = work.law.lists.get(record.list or "")
    if listed is None:
        return refused("list_unknown", "/data/list")
    if row is None:
        return refused("authority_unregistered", "/data/authority")
    if not set(listed.listed_by) & set(row.roles):
        return refused("authority_not_competent", "/data/authority")
    end = _end_of(record, key, day(record.effective_on) or work.clock)
    return _end_target(
        work, record, key, "listing" if listed.entry == "listing" else "penalty", end, delists=record.list
    )


def _withdrawal(work: Work, record: Record, key: str) -> Verdict:
    return _end_target(work, record, key, record.target.kind if record.target else None, _end_of(record, key, 0))


def _end_of(record: Record, key: str, on: int) -> End:
    return End(
        cause=record.cause or "",
        authority=key,
        document_number=record.document_number,
        on=on,
        source=record.source,
        event_id=record.id,
        version=record.version if record.type == "withdrawal" else 0,
    )


def _end_target(
    work: Work, record: Record, key: str, kind: str | None, end: End, *, delists: str | None = None
) -> Verdict:
    """End the decision that ``record.target`` names, now or when it comes."""
    target = record.target
    if target is None:
        return refused("schema", "/data/target")
    if delists is not None:
        end.cause = entries.DELISTED + delists
    if target.id is not None:
        row = work.event(event_key(record.source, target.id))
        known = row is not None and bool(row.content)
        identifier = row.fact if row is not None and known else _of_forgotten(work, record.source, target.id)
        if not identifier and not known:
            return _await(work, record.source, target.id, row, end)
        if row is not None and row.outcome == END:
            return refused("target_is_an_end", "/data/target/id")
        if not identifier:
            return Verdict("applied")  # what it ends was refused: nothing stands
    else:
        target_key = key if target.authority is None else work.law.authority(target.authority, work.clock)[0]
        if target_key != key and delists is None:
            return refused("target_of_other_authority", "/data/target/authority")
        identifier = fact_id(target_key, target.document_number or "", work.org_code, kind or "penalty")
    fact = work.fact(identifier)
    if fact is None:
        fact = Fact(kind=kind or "penalty", authority=key, document_number=target.document_number or "")
    stood = _stands(fact)
    if not _end(fact, end, key):
        return refused("target_of_other_authority", "/data/target")
    work.head.facts += _stands(fact) - stood
    return Verdict("applied", fact_id=identifier, fact=fact)


def _end(fact: Fact, end: End, key: str) -> bool:
    """Enter an end into its fact; of two the earlier, then the lesser number. False: not this authority's to end."""
    if end.cause.startswith(entries.DELISTED):
        if fact.present and fact.list_id != end.cause.removeprefix(entries.DELISTED):
            return False
        was = fact.delisted
        if was is None or was.cause != end.cause or (end.on, end.document_number) < (was.on, was.document_number):
            fact.delisted = end
        return True
    if fact.authority not in {"", key} or end.authority != fact.authority:
        return False
    known = fact.withdrawn
    if known is None or _reach(end) > _reach(known):
        fact.withdrawn = end
    return True


def _reach(end: End) -> tuple[float, str]:
    """How far a withdrawal reaches: all versions beat any number."""
    return (float("inf") if end.version == 0 else end.version, end.document_number)


def _of_forgotten(work: Work, source: str, event_id: str) -> bytes:
    """The fact of an event whose id is no longer remembered, if an entry in force or a counter rests on it; else empty.

    A listing lasts for years, an event row for EVENT_MEMORY_DAYS. At most MAX_OPEN_ENTRIES and each counter's evidence.
    """
    head = work.head
    for identifier in (*head.open, *head.waiting, *(f for counter in head.counters.values() for f in counter.facts)):
        fact = work.fact(identifier)
        if fact is not None and (fact.source, fact.event_id) == (source, event_id):
            return identifier
    return b""


def _await(work: Work, source: str, target: str, row: Event | None, end: End) -> Verdict:
    """The event that this ends is not known: leave a row that it meets when it comes."""
    key = event_key(source, target)
    expires = work.clock + EVENT_MEMORY_DAYS
    row = row or Event(expires=expires)
    if len(row.awaited) >= MAX_AWAITED:
        return refused("too_many_open_entries", "/data/target")
    row.awaited, row.expires = [*row.awaited, end], expires
    work.rows.put(EVENT + work.entity + key, row, EVENT_BYTES + 80)
    expiry.note(work.rows, work.partition, expires, work.entity + key)
    return Verdict("applied")
