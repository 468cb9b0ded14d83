"""The records topic's contract: one *item* (one party of one event) as the dossier reads it, and the control records beside it.

Not for: decoding what departments send (``streamer.agents.intake``), or state (``streamer.domain.state``).
All dates are ISO strings ``YYYY-MM-DD`` (Beijing, 北京时间); all amounts are integers in fen (分).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

# Headers of every message of ``credit.records`` (bytes values).
HEADER_ORIGIN: Final = "origin"  # "<inbound topic>|<partition>|<offset>|<party>|<parties>": the item of account
HEADER_HASH: Final = "hash"  # content hash of the event, 16 bytes
HEADER_CONFIG: Final = "config"  # hash of the intake's configuration, 8 bytes


class Origin(NamedTuple):
    """The item of account: party ``party`` of ``parties`` of the event at ``topic``/``partition``/``offset``."""

    topic: str
    partition: int
    offset: int
    party: int = 0
    parties: int = 1

    def __str__(self) -> str:
        return f"{self.topic}|{self.partition}|{self.offset}|{self.party}|{self.parties}"

    @property
    def event(self) -> tuple[str, int, int]:
        return (self.topic, self.partition, self.offset)

    @property
    def item(self) -> tuple[str, int, int, int]:
        return (self.topic, self.partition, self.offset, self.party)

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Raises ValueError when ``text`` is not five fields joined by ``|``."""
        topic, partition, offset, party, parties = text.split("|")
        if party == "0" and parties == "1":  # nearly all
            return cls(topic, int(partition), int(offset))
        return cls(topic, int(partition), int(offset), int(party), int(parties))


class AuthorityRef(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """Who decided (决定机关): a unified code, a normalised name, or both; the dossier resolves it in the rulebook."""

    code: str | None = None
    name: str | None = None


class Party(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """The party (相对人) of this item. ``name`` is for display only and never joins."""

    org_code: str  # 9 characters, GB 11714: the entity key
    uscc: str | None = None  # 18 characters, GB 32100, where the event carried it
    name: str | None = None  # organisation's name; absent when it does not look like one
    individual: bool = False  # individual business (个体工商户, codes 92…): recorded sealed, never emitted


class Sanction(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """One outcome of a penalty (处罚结果)."""

    kind: str  # fine | confiscation | warning | suspension | revocation | procurement-ban | agency-ban | restriction | other
    amount_fen: int = 0
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None


class Basis(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """A legal basis as the decision states it (处罚依据)."""

    instrument: str
    article: str | None = None


class Assessed(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """Tax assessed as unpaid for one year, with its share of all tax due that year (偷税数额及占比)."""

    year: int
    amount_fen: int
    share_permille: int | None = None


class Target(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """What a delisting, withdrawal or correction is about: an event of the same source, or a natural key."""

    id: str | None = None
    authority: AuthorityRef | None = None
    document_number: str | None = None
    kind: str | None = None  # penalty | listing | document


class Record(msgspec.Struct, omit_defaults=True, frozen=True, gc=False, tag_field="record", tag="item"):
    """One party of one event. Fields that a type does not have are absent.

    ``type`` is one of ``decision.penalty``, ``decision.listing``, ``decision.delisting``, ``document.recorded``,
    ``withdrawal``. (A correction becomes a decision with a higher version, or a withdrawal and a new decision.)
    """

    type: str
    source: str
    id: str
    domain: str
    authority: AuthorityRef
    document_number: str  # normalised; for a withdrawal or delisting: the withdrawing document's own
    party: Party
    decided_on: str | None = None
    version: int = 1
    # penalty, document
    conduct: str | None = None
    basis: tuple[Basis, ...] = ()
    sanctions: tuple[Sanction, ...] = ()
    assessed: tuple[Assessed, ...] = ()
    publicity: str | None = None  # minor | general | serious
    kind: str | None = None  # document.recorded: tax-treatment | judgment | breach-adjudicated | abnormal-list | other
    # listing, delisting
    list: str | None = None
    ground: str | None = None
    notice_served_on: str | None = None
    remedies_closed: bool = False
    effective_on: str | None = None
    published_on: str | None = None
    until: str | None = None  # the last day in force
    until_basis: str | None = None
    # delisting, withdrawal
    target: Target | None = None
    cause: str | None = None
    # of all
    url: str | None = None
    sealed: str | None = None  # base64 of the sealed free text; opaque here


class Tick(msgspec.Struct, frozen=True, gc=False, tag_field="record", tag="tick"):
    """A Beijing date, in every partition: moves the partition's clock and nothing else."""

    date: str


class Activation(
    msgspec.Struct, omit_defaults=True, frozen=True, gc=False, tag_field="record", tag="rulebook.activated"
):
    """The rulebook in force from here on in this partition; a partition's first record.

    ``clock`` sets the partition's first date; ``ticks`` is ``append`` (a tick's date must be its append date) or ``simulated``.
    """

    rulebook: str  # hash, key in credit.rulebook
    clock: str
    ticks: str = "append"


AnyRecord = Record | Tick | Activation
encode_record = msgspec.json.Encoder().encode
decode_record = msgspec.json.Decoder(Record | Tick | Activation).decode
