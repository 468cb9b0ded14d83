"""Running counters over an entity's decisions (监管提示): what a criterion counts, and what follows when it seems met.

Not for: restricting anyone. A criterion gives a private notice to the competent source, or, where a signed row says so, a
``manage`` alert (more frequent inspection). Facts are counted, not reports; a withdrawn one leaves at once, one whose window has
passed on its day; nothing is recounted, summed across fields, ranked or published.
"""

from __future__ import annotations

from typing import Final

from streamer.domain import alerts
from streamer.domain.dates import NEVER, day, iso
from streamer.domain.entries import withdrawn
from streamer.domain.law import Criterion
from streamer.domain.lawbook import CompiledCriterion, in_force
from streamer.domain.messages import Evidence, Lift, Listing, MeasureRef, Remedy
from streamer.domain.state import Counter, Fact
from streamer.domain.work import Work

MAX_EVIDENCE: Final = 20  # newest facts that an alert or notice names
CONSIDER: Final = "consider"


def settle(work: Work, fact_id: bytes, fact: Fact) -> None:
    """Count the fact where it counts on ``work.clock`` and no longer where it does not; tell what changes by that."""
    if work.head.individual or not (fact.matches or fact.counted):
        return
    wanted = [c for c in work.law.criteria if c.row.id in fact.matches and _counts(work, fact, c.row)]
    ids = tuple(c.row.id for c in wanted)
    changed = [c for c in work.law.criteria if (c.row.id in ids) != (c.row.id in fact.counted)]
    known = {c.row.id for c in work.law.criteria}
    gone = [rule_id for rule_id in fact.counted if rule_id not in known]
    for criterion in wanted:
        work.due(_last_counted(fact, criterion.row) + 1, fact_id)
    fact.counted = ids
    for rule_id in gone:  # the rulebook no longer has the row; its counter stays, so that no alert's id comes twice
        _take_back(work, rule_id, _count(work, rule_id, -1, fact_id, fact), "rule-ended")
    for criterion in changed:
        sign = 1 if criterion.row.id in ids else -1
        _tell(work, criterion, _count(work, criterion.row.id, sign, fact_id, fact), fact_id, fact)


def lift_all(work: Work) -> None:
    """Take back every manage alert and close every notice that a counter holds open."""
    for rule_id, counter in work.head.counters.items():
        _take_back(work, rule_id, counter, "superseded")


def _count(work: Work, rule_id: str, sign: int, fact_id: bytes, fact: Fact) -> Counter:
    """One decision more (``sign`` 1) or fewer (-1) in a criterion's counter."""
    counter = work.head.counters.setdefault(rule_id, Counter())
    counter.count += sign
    counter.amount_fen += sign * fact.amount_fen
    if sign > 0:
        counter.facts = [*counter.facts, fact_id][-MAX_EVIDENCE:]
    elif fact_id in counter.facts:
        counter.facts.remove(fact_id)
    return counter


def _take_back(work: Work, rule_id: str, counter: Counter, cause: str) -> None:
    """Lift the manage alert or close the notice that stands: what was said, whatever the row says today."""
    if not counter.alert.open:
        return
    if counter.alert_id:
        lift = Lift(cause=cause, effective_on=iso(work.clock))
        alerts.lift_alert(work, counter.alert, rule_id.encode(), rule_id, lift)
        counter.alert_id = ""
    else:
        alerts.close_notice(work, counter.alert, rule_id.encode(), rule_id, CONSIDER)


def _last_counted(fact: Fact, row: Criterion) -> int:
    """The last day on which the decision counts: of the window, or of the row."""
    last = fact.decided_on + row.window_days - 1
    return min(last, day(row.valid_to)) if row.valid_to else last


def _counts(work: Work, fact: Fact, row: Criterion) -> bool:
    return (
        fact.present
        and fact.registered
        and not withdrawn(fact)
        and fact.decided_on != NEVER
        and work.clock < fact.decided_on + row.window_days
        and in_force(row, work.clock)
    )


def _tell(work: Work, criterion: CompiledCriterion, counter: Counter, newest_id: bytes, newest: Fact) -> None:
    row = criterion.row
    met = counter.count > 0 and criterion.met.evaluate({"count": counter.count, "amount_fen": counter.amount_fen})
    if met == counter.alert.open:
        return
    if not met:
        _take_back(work, row.id, counter, "criterion-ended")
        return
    entry, evidence = row.id.encode(), _evidence(work, counter, newest_id, newest)
    if row.effect == "notice":
        alerts.tell_notice(
            work,
            counter.alert,
            entry,
            source=row.notify or newest.source,
            kind=CONSIDER,
            rule_id=row.id,
            name_zh=row.name_zh,
            basis=alerts.basis_of(row),
            evidence=evidence,
            entity=alerts.entity_of(work, None),
        )
    else:
        counter.alert_id = alerts.raise_alert(
            work,
            counter.alert,
            entry,
            domain=row.domain,
            rule_id=row.id,
            entity=alerts.entity_of(work, None),
            listing=Listing(list=row.id, name_zh=row.name_zh, from_=iso(work.clock)),
            measure=MeasureRef(row.id, work.law.hash, "manage", False, row.action_zh, alerts.basis_of(row)),
            evidence=evidence,
            remedy=Remedy(objection_to="", repair_to="", exit_zh=""),
        )


def _evidence(work: Work, counter: Counter, newest_id: bytes, newest: Fact) -> tuple[Evidence, ...]:
    """What the counter names; the fact at hand as it is now, since its row is written after this."""
    facts = [newest if fact_id == newest_id else work.fact(fact_id) for fact_id in counter.facts]
    named = [alerts.evidence_of(work, fact) for fact in facts if fact is not None]
    return tuple(sorted(named, key=lambda e: (e.decided_on or "", e.document_number)))
