"""The rulebook (规则库) as the domain reads it: dated, sourced rows, and nothing that they do not say.

Not for: loading or signing rows (``streamer.rulebook``). Only rows with status ``signed`` raise anything.
"""

from __future__ import annotations

import msgspec


class LegalBasis(msgspec.Struct, frozen=True, omit_defaults=True):
    """Instrument, article and wording of a row (依据)."""

    instrument: str
    article: str
    text_zh: str


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every row has. ``status``: draft | read | signed."""

    id: str
    valid_from: str
    valid_to: str | None = None
    basis: tuple[LegalBasis, ...] = ()
    status: str = "draft"
    recheck: bool = False
    note: str = ""  # what a person must look at before signing


class Authority(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A body that decides (机关). ``id`` is its unified code; ``roles``: tax, finance, court, market, customs …"""

    name: str
    aliases: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    source: str | None = None  # where a notice to it goes: credit.notices.<source>


class Conduct(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A catalogue item (行为目录): a conduct code that an event may carry."""

    name_zh: str
    open: bool = True
    roles: tuple[str, ...] = ()  # only these authorities' events; empty: any registered


class Ground(msgspec.Struct, frozen=True, omit_defaults=True):
    code: str
    name_zh: str


class Term(msgspec.Struct, frozen=True, omit_defaults=True):
    """A term that a row itself states: ``years`` from the date of field ``from_`` (decided_on, published_on, effective_on)."""

    years: int
    from_: str = msgspec.field(name="from")


class ListRow(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A list (名单). ``entry`` is ``listing`` (a listing decision is the entry) or ``penalty`` (the penalty itself is,
    where the CEL expression ``entry_when`` holds over the decision)."""

    name_zh: str
    listed_by: tuple[str, ...]  # roles of the authorities competent to list
    entry: str = "listing"
    entry_when: str | None = None
    grounds: tuple[Ground, ...] = ()
    requires: tuple[str, ...] = ()  # of a listing: notice_served_on, published_on, remedies_closed
    term: Term | None = None  # used only where the decision states no end
    exit_zh: str = ""
    objection_to: str = ""
    repair_to: str = ""
    ends_with_ban: bool = False  # entry ``penalty``: a stated end of its procurement or agency ban is the entry's end


class Measure(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A measure (惩戒措施): what an entry of ``list`` means to the approval systems of ``domain``."""

    list: str
    domain: str
    class_: str = msgspec.field(name="class")  # restrict | manage | reference
    discretionary: bool
    action_zh: str
    applied_by: str = ""
    target: str = (
        "organisation"  # never a person: that needs a row of its own kind and a decision that names the person
    )
    longest: str = ""  # in words
    objection_suspends: bool = False  # 行政复议法 42, 行政诉讼法 56: only a stay suspends


class Criterion(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A supervision criterion over running counters (监管提示).

    ``when``: CEL over one decision, says whether it counts. ``met``: CEL over ``count`` and ``amount_fen`` of what counts within
    the last ``window_days`` days by decision date. ``effect``: ``notice`` (to the competent source) or ``manage`` (alert).
    """

    name_zh: str
    when: str
    met: str
    window_days: int
    effect: str = "notice"
    notify: str | None = None  # source, for effect notice
    domain: str = "supervision"
    action_zh: str = ""


class Note(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A rule about another row that no code applies yet, kept as it was read or recalled (备查). Never raises anything."""

    about: str  # id of the row that it would complete
    content: str


class Rulebook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of the rules; its ``hash`` is over its canonical JSON without the hash."""

    name: str
    fictional: bool = False
    authorities: tuple[Authority, ...] = ()
    catalogue: tuple[Conduct, ...] = ()
    lists: tuple[ListRow, ...] = ()
    measures: tuple[Measure, ...] = ()
    supervision: tuple[Criterion, ...] = ()
    notes: tuple[Note, ...] = ()


encode_rulebook = msgspec.json.Encoder(order="deterministic").encode
decode_rulebook = msgspec.json.Decoder(Rulebook).decode
