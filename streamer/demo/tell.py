"""An alert in words, for someone who sees one for the first time. Not for: the approval systems (they read the message)."""

from __future__ import annotations

from streamer.domain.messages import AlertData

CLASSES = {"restrict": "may restrict", "manage": "may inspect more often", "reference": "may take note"}
CAUSES = {
    "delisted": "the authority took the entity off the list",
    "withdrawn": "the decision was withdrawn",
    "expired": "its last day has passed",
    "superseded": "the decision was corrected",
    "criterion-ended": "the criterion is no longer met",
    "rule-ended": "the rule has ended",
}


def alert(data: AlertData) -> str:
    """Who, why, by what rule, what is asked, how it ends."""
    listing, measure = data.listing, data.measure
    basis = "; ".join(f"{b.instrument} {b.article}" for b in measure.basis)
    why = listing.name_zh
    if listing.document_number:
        why += f": {listing.document_number} of {listing.authority}, decided {listing.decided_on or 'on a date not stated'}"
    weight = "discretion" if measure.discretionary else "duty"
    who = f"{data.entity.name or 'entity'} ({data.entity.org_code})"
    lines = [
        f"{data.action} (revision {data.revision}) for the {data.domain} systems: {who}",
        f"  why     {why}",
        f"  from    {listing.from_ or '-'} to {listing.until or 'an end not stated'}",
        f"  says    {measure.action_zh} ({weight}, {CLASSES.get(measure.class_, measure.class_)})",
        f"  basis   {basis} (rule {measure.rule_id})",
        f"  proof   {', '.join(e.document_number for e in data.evidence)}",
        f"  asks    a person decides, and answers with one of {', '.join(data.asks.answers)}",
    ]
    if data.lift:
        lines.append(
            f"  lifted  {CAUSES.get(data.lift.cause, data.lift.cause)} ({data.lift.document or data.lift.effective_on})"
        )
    return "\n".join(lines)
