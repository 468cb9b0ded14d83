"""What is wrong with a rulebook: every finding says what, where (file and row) and what to do.

Not for: reading YAML (``streamer.rulebook.loader``) or judging the law: a person confirms each row in the official
text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec

from streamer.domain import criteria, law
from streamer.rulebook.errors import RulebookError
from streamer.rulebook.loader import folder_of, load, rows
from streamer.rulebook.signoff import FILE as SIGNOFF_FILE
from streamer.rulebook.signoff import Signature, holds, signatures
from streamer.rulebook.sources import approval_domains, sources

REQUIREMENTS: Final = frozenset({"notice_served_on", "published_on", "remedies_closed"})
TERM_FROM: Final = frozenset({"decided_on", "published_on", "effective_on"})
TERM_YEARS_MAX: Final = 20
WINDOW_DAYS_MAX: Final = 3660
CLASSES: Final = frozenset({"restrict", "manage", "reference"})
NEVER_WORDS: Final = ("拒绝", "禁止", "不得", "一律")  # a discretionary measure says "may", never "refuse"
PENALTY_DATES: Final = frozenset({"decided_on"})


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong: ``file`` and ``row`` say where, ``problem`` what, ``remedy`` what to do."""

    file: str
    row: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}: {self.problem}; {self.remedy}"


class Known(msgspec.Struct, frozen=True):
    """What rows may refer to outside the rulebook."""

    domains: frozenset[str]  # open approval domains
    closed_domains: frozenset[str]
    sources: frozenset[str]


def known() -> Known:
    """The shipped approval domains and sources."""
    domains = approval_domains()
    return Known(
        frozenset(d.id for d in domains if d.open),
        frozenset(d.id for d in domains if not d.open),
        frozenset(source.id for source in sources()),
    )


def check_folder(name_or_path: str | Path, *, signoff: Path | None = None) -> tuple[Finding, ...]:
    """Load and check; a rulebook that cannot be loaded is one finding."""
    try:
        folder = folder_of(name_or_path)
        signed = signatures(signoff or folder / SIGNOFF_FILE)
        return check(load(folder, signoff=signoff), signed)
    except RulebookError as error:
        return (Finding(str(name_or_path), "-", str(error), "correct the file and check again"),)


def check(
    rulebook: law.Rulebook, signed: Mapping[str, Signature] | None = None, outside: Known | None = None
) -> tuple[Finding, ...]:
    """Every finding about these rows and their signatures, in the order of the files."""
    return tuple(_all(rulebook, signed or {}, outside or known()))


def _all(rulebook: law.Rulebook, signed: Mapping[str, Signature], outside: Known) -> Iterator[Finding]:
    counts = Counter(row.id for _, row in rows(rulebook))
    for section, row in rows(rulebook):
        file = f"{section}.yaml"
        if counts[row.id] > 1:
            yield Finding(file, row.id, f"the id is used {counts[row.id]} times", "give every row an id of its own")
        for problem, remedy in _of_row(row, rulebook, outside):
            yield Finding(file, row.id, problem, remedy)
    yield from _of_signatures(rulebook, signed)


Problems = Iterator[tuple[str, str]]


def _of_row(row: law.Row, rulebook: law.Rulebook, outside: Known) -> Problems:
    yield from _common(row)
    match row:
        case law.Authority():
            yield from _authority(row, rulebook, outside)
        case law.Conduct():
            yield from _roles(row.roles, rulebook, "roles")
        case law.ListRow():
            yield from _list(row, rulebook)
        case law.Measure():
            yield from _measure(row, rulebook, outside)
        case law.Criterion():
            yield from _criterion(row, outside)
        case law.Note():
            if row.about not in {other.id for _, other in rows(rulebook)}:
                yield f"it is about row {row.about!r}, which is not here", "name an existing row in 'about'"


def _common(row: law.Row) -> Problems:
    if not row.basis:
        yield "it has no basis", "add 'basis' with instrument, article and words; without law there is no row"
    for basis in row.basis:
        for field in ("instrument", "article", "text_zh"):
            if not getattr(basis, field).strip():
                yield f"its basis has no {field}", f"fill in {field} from the text that was read"
    begin, end = _date(row.valid_from), _date(row.valid_to) if row.valid_to else None
    if begin is None:
        yield f"valid_from {row.valid_from!r} is no date", "write the day it came into force as YYYY-MM-DD"
    if row.valid_to and end is None:
        yield f"valid_to {row.valid_to!r} is no date", "write the last day in force as YYYY-MM-DD, or leave it out"
    if begin and end and end < begin:
        yield "valid_to is before valid_from", "correct one of the two"


def _authority(row: law.Authority, rulebook: law.Rulebook, outside: Known) -> Problems:
    if not row.name.strip():
        yield "it has no name", "fill in the body's full name"
    names = Counter(name for other in rulebook.authorities for name in {other.name, *other.aliases})
    for name in (row.name, *row.aliases):
        if names[name] > 1:
            yield (
                f"the name {name} is another row's, too",
                "keep it in one row: a name that means two bodies resolves neither",
            )
    if row.source is not None and row.source not in outside.sources:
        yield f"its source {row.source!r} is unknown", f"name one of {_names(outside.sources)} or leave it out"


def _roles(roles: Iterable[str], rulebook: law.Rulebook, field: str) -> Problems:
    have = {role for row in rulebook.authorities for role in row.roles}
    for role in roles:
        if rulebook.fictional and role not in have:
            yield f"{field} names {role!r}, a role that no authority has", "add the authority's row or correct the role"


def _list(row: law.ListRow, rulebook: law.Rulebook) -> Problems:
    if not row.listed_by:
        yield "listed_by is empty", "name the role of the authorities that are competent to list"
    yield from _roles(row.listed_by, rulebook, "listed_by")
    conducts = {conduct.id for conduct in rulebook.catalogue}
    for ground in row.grounds:
        if ground.code not in conducts:
            yield f"ground {ground.code!r} is not in the catalogue", "add the catalogue row or correct the code"
    for code, times in Counter(ground.code for ground in row.grounds).items():
        if times > 1:
            yield f"ground {code!r} is given {times} times", "keep one"
    for requirement in row.requires:
        if requirement not in REQUIREMENTS:
            yield f"requires {requirement!r} is unknown", f"use {_names(REQUIREMENTS)}"
    yield from _entry(row)
    if row.term is not None:
        dates = PENALTY_DATES if row.entry == "penalty" else TERM_FROM
        if not 1 <= row.term.years <= TERM_YEARS_MAX:
            yield (
                f"a term of {row.term.years} years",
                f"terms are 1 to {TERM_YEARS_MAX} years; leave the term out where the text has none",
            )
        if row.term.from_ not in dates:
            yield f"its term runs from {row.term.from_!r}", f"an entry by {row.entry} has the dates {_names(dates)}"


def _entry(row: law.ListRow) -> Problems:
    if row.entry == "penalty":
        if row.entry_when is None:
            yield (
                "entry is penalty without entry_when",
                "say in CEL which penalty is the entry: a penalty that no row names restricts nothing",
            )
        else:
            yield from _expression("entry_when", row.entry_when, criteria.DECISION)
        if row.requires:
            yield "entry is penalty and it requires what only listings have", "remove 'requires'"
    elif row.entry == "listing":
        if row.entry_when is not None or row.ends_with_ban:
            yield (
                "entry is listing with entry_when or ends_with_ban",
                "remove them: the listing decision itself is the entry",
            )
        if "published_on" not in row.requires:
            yield "it does not require published_on", "add it: an unpublished listing raises nothing"
    else:
        yield f"entry {row.entry!r} is unknown", "use listing or penalty"


def _measure(row: law.Measure, rulebook: law.Rulebook, outside: Known) -> Problems:
    if row.list not in {other.id for other in rulebook.lists}:
        yield f"its list {row.list!r} is not here", "add the list's row or correct the id"
    yield from _domain(row.domain, outside)
    if row.class_ not in CLASSES:
        yield f"class {row.class_!r} is unknown", f"use {_names(CLASSES)}"
    if row.target != "organisation":
        yield (
            f"its target is {row.target!r}",
            "only organisations: a person needs a decision that names the person, and a row of its own kind",
        )
    if row.objection_suspends:
        yield "objection_suspends is true", "remove it: only a stay suspends (行政复议法 42, 行政诉讼法 56)"
    if not row.action_zh.strip():
        yield "action_zh is empty", "say in Chinese what the approval system should do"
    if row.discretionary and row.class_ == "restrict" and any(word in row.action_zh for word in NEVER_WORDS):
        yield (
            "it is discretionary and its action commands a refusal",
            "write 可以…; the deciding body has to find a specific rule of its own",
        )


def _criterion(row: law.Criterion, outside: Known) -> Problems:
    yield from _expression("when", row.when, criteria.DECISION)
    yield from _expression("met", row.met, criteria.COUNTER)
    if not 1 <= row.window_days <= WINDOW_DAYS_MAX:
        yield f"window_days is {row.window_days}", f"use 1 to {WINDOW_DAYS_MAX} days"
    if row.effect == "notice":
        if row.notify is None or row.notify not in outside.sources:
            yield (
                f"its notice goes to {row.notify!r}",
                f"name the competent source in 'notify': {_names(outside.sources)}",
            )
    elif row.effect == "manage":
        yield from _domain(row.domain, outside)
    else:
        yield f"effect {row.effect!r} is unknown", "use notice or manage: a criterion never restricts"


def _domain(domain: str, outside: Known) -> Problems:
    if domain in outside.closed_domains:
        yield f"domain {domain!r} is not open", "open it in domains.yaml (its topics are then made) or drop the row"
    elif domain not in outside.domains:
        yield f"domain {domain!r} is unknown", f"use {_names(outside.domains)}"


def _expression(field: str, text: str, scope: Mapping[str, Any]) -> Problems:
    try:
        criteria.Expression(text, scope)
    except criteria.RuleError as error:
        yield f"{field}: {error}", "correct the expression"


def _of_signatures(rulebook: law.Rulebook, signed: Mapping[str, Signature]) -> Iterator[Finding]:
    by_id = {row.id: row for _, row in rows(rulebook)}
    for row_id, signature in signed.items():
        row = by_id.get(row_id)
        if row is None:
            yield Finding(SIGNOFF_FILE, row_id, "it signs a row that is not here", "remove the signature")
        elif _date(signature.date) is None:
            yield Finding(SIGNOFF_FILE, row_id, f"its date {signature.date!r} is no date", "write YYYY-MM-DD")
        elif row.status == "draft":
            yield Finding(
                SIGNOFF_FILE,
                row_id,
                "it signs a draft",
                "confirm the row in the official text, set it to read, sign again",
            )
        elif not holds(row, signature):
            yield Finding(
                SIGNOFF_FILE,
                row_id,
                "the row is not what was signed (or no officer is named)",
                "read the row and sign it again",
            )


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text and len(text) == len("2026-01-05") else None
    except ValueError:
        return None


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
