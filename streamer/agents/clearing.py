"""What of an event may travel in the clear, and what is taken out of it to be sealed. Pure.

Not for: checking shapes (``topics.validation``) or parties (``streamer.agents.admission``). A field that every reader behind
needs is either fit to be read or the event is refused; one that a record can do without is sealed when in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from streamer.domain.identity import is_citizen_number, normalise_code
from streamer.domain.keys import normalise_authority_name, normalise_document_number
from streamer.domain.personal import (
    authority_like,
    contains_name,
    document_number_like,
    find_citizen_number,
    instrument_like,
    term_basis_like,
    url_like,
)
from streamer.domain.records import Assessed, AuthorityRef, Basis, Sanction, Target

# Amounts with as many digits as a citizen number of the old form (15): 10 billion yuan and more.
_LONG_AMOUNT_FEN: Final = 10**14
_AUTHORITY_CODE: Final = re.compile(r"[0-9A-Z]{9,20}").fullmatch


class NotAdmitted(Exception):  # noqa: N818 - an answer, not a fault
    """The event is refused: a reason code, and where (RFC 6901, contract names and indexes only)."""

    def __init__(self, reason: str, pointer: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pointer = pointer


class Clearing:
    """One decision's fields for ``Record`` and, beside them, what was removed. Use once, for one body."""

    __slots__ = ("_names", "_texts", "fields", "removed")

    def __init__(self, names: tuple[str, ...]) -> None:
        """``names``: folded names of persons that the event declares; none may stand in a clear field."""
        self._names = names
        self._texts: list[tuple[str, str]] = []  # pointer and text of what must be clear
        self.fields: dict[str, Any] = {}
        self.removed: dict[str, Any] = {}

    def must(self, pointer: str, text: str) -> str:
        """``text`` has to travel in the clear; ``verify`` refuses the event if it may not."""
        self._texts.append((pointer, text))
        return text

    def must_known(self, pointer: str, text: str) -> str:
        """The same for a text of few values, whose clean ones are remembered: those need no second look for a number."""
        if self._names or not _numberless(text):
            self._texts.append((pointer, text))
        return text

    def verify(self) -> None:
        """Raises NotAdmitted if a text that has to be clear holds a citizen number or a declared person's name."""
        texts = self._texts
        if find_citizen_number("|".join([text for _, text in texts])):
            for pointer, text in texts:
                if find_citizen_number(text):
                    raise NotAdmitted("citizen_number_in_field", pointer)
        if self._names:
            for pointer, text in texts:
                if contains_name(text, self._names):
                    raise NotAdmitted("personal_name_in_field", pointer)

    def may(self, text: str) -> bool:
        """Whether a text that a record can do without is free of numbers and declared names."""
        return not find_citizen_number(text) and not contains_name(text, self._names)

    # ------------------------------------------------------------------ what every type has

    def common(self, data: Mapping[str, Any]) -> None:
        fields, get = self.fields, data.get
        fields["domain"] = data["domain"]
        fields["authority"] = self.authority(data["authority"], "/data/authority")
        fields["document_number"] = self.document_number(data["document_number"], "/data/document_number")
        if (decided_on := get("decided_on")) is not None:
            fields["decided_on"] = decided_on
        if (version := get("version")) is not None:
            fields["version"] = version
        if (url := get("url")) is not None:
            if url_like(url) and not contains_name(url, self._names):
                fields["url"] = url
            else:
                self.removed["url"] = url
        if "remarks" in data:
            self.removed["remarks"] = data["remarks"]

    def authority(self, raw: Mapping[str, str], pointer: str) -> AuthorityRef:
        """Raises NotAdmitted where neither code nor name looks like an authority's."""
        code, name = raw.get("code"), raw.get("name")
        found = _authority(code, name)
        if not isinstance(found, AuthorityRef):
            reason, field = found
            raise NotAdmitted(reason, f"{pointer}/{field}")
        if found.name is not None:
            self.must_known(f"{pointer}/name", found.name)
        elif name is not None:
            self.removed[f"{pointer}/name"] = name
        return found

    def document_number(self, text: str, pointer: str) -> str:
        number = normalise_document_number(text)
        if not document_number_like(number):
            reason = "citizen_number_in_field" if find_citizen_number(text) else "not_a_document_number"
            raise NotAdmitted(reason, pointer)
        return self.must(pointer, number)

    def target(self, raw: Mapping[str, Any], pointer: str) -> Target:
        identifier, number, authority = raw.get("id"), raw.get("document_number"), raw.get("authority")
        return Target(
            id=None if identifier is None else self.must(f"{pointer}/id", identifier),
            authority=None if authority is None else self.authority(authority, f"{pointer}/authority"),
            document_number=None if number is None else self.document_number(number, f"{pointer}/document_number"),
            kind=raw.get("kind"),
        )

    # ------------------------------------------------------------------ bodies by type

    def penalty(self, body: Mapping[str, Any], at: str) -> None:
        get, fields = body.get, self.fields
        self.code(body, "conduct", at)
        if (publicity := get("publicity")) is not None:
            fields["publicity"] = publicity
        if "facts" in body:
            self.removed["facts"] = body["facts"]
        if basis := get("basis"):
            fields["basis"] = self._basis(basis, at)
        if outcomes := get("outcomes"):
            fields["sanctions"] = self._sanctions(outcomes, at)
        if assessed := get("assessed"):
            fields["assessed"] = tuple([self._assessed(row, f"{at}/assessed/{i}") for i, row in enumerate(assessed)])

    def document(self, body: Mapping[str, Any], at: str) -> None:
        self.fields["kind"] = body["kind"]
        if "facts" in body:
            self.removed["facts"] = body["facts"]
        if outcomes := body.get("outcomes"):
            self.fields["sanctions"] = self._sanctions(outcomes, at)

    def listing(self, body: Mapping[str, Any], at: str) -> None:
        get, fields = body.get, self.fields
        self.code(body, "list", at)
        self.code(body, "ground", at)
        for name in ("notice_served_on", "remedies_closed", "effective_on", "published_on", "until"):
            if (value := get(name)) is not None:
                fields[name] = value
        if (until := get("until")) is not None and until < body["effective_on"]:
            raise NotAdmitted("impossible_date", f"{at}/until")
        if (basis := get("until_basis")) is not None:
            if term_basis_like(basis) and self.may(basis):
                fields["until_basis"] = basis
            else:
                self.removed["until_basis"] = basis
        if "based_on" in body:
            self.removed["based_on"] = body["based_on"]

    def delisting(self, body: Mapping[str, Any], at: str) -> None:
        self.code(body, "list", at)
        self.fields["cause"] = body["cause"]
        self.fields["effective_on"] = body["effective_on"]
        self.fields["target"] = self.target(body["listing"], f"{at}/listing")

    def withdrawal(self, body: Mapping[str, Any], at: str) -> None:
        self.code(body, "cause", at)
        self.fields["target"] = self.target(body["target"], f"{at}/target")
        self.fields["version"] = body.get("target_version", 0)

    def code(self, body: Mapping[str, Any], name: str, at: str) -> None:
        """A code of the rulebook; the pattern of codes leaves room for a number, so it is looked at too."""
        if (value := body.get(name)) is not None:
            self.fields[name] = self.must_known(f"{at}/{name}", value)

    # ------------------------------------------------------------------ parts of bodies

    def _basis(self, rows: list[Mapping[str, str]], at: str) -> tuple[Basis, ...]:
        kept, removed = [], []
        for i, row in enumerate(rows):
            instrument, article = row["instrument"], row.get("article")
            if _instrument(instrument) and not contains_name(instrument, self._names):
                if article is not None:
                    self.must_known(f"{at}/basis/{i}/article", article)
                kept.append(Basis(instrument, article))
                if "text" in row:
                    removed.append({"row": i, "text": row["text"]})
            else:
                removed.append({"row": i, **row})
        if removed:
            self.removed["basis"] = removed
        return tuple(kept)

    def _sanctions(self, rows: list[Mapping[str, Any]], at: str) -> tuple[Sanction, ...]:
        kept, removed = [], []
        for i, row in enumerate(rows):
            begins, ends = row.get("from"), row.get("to")
            if begins is not None and ends is not None and ends < begins:
                raise NotAdmitted("impossible_date", f"{at}/outcomes/{i}/to")
            amount = _amount(row.get("amount_fen", 0), f"{at}/outcomes/{i}/amount_fen")
            kept.append(Sanction(row["kind"], amount, begins, ends))
            if "content" in row:
                removed.append({"row": i, "content": row["content"]})
        if removed:
            self.removed["outcomes"] = removed
        return tuple(kept)

    def _assessed(self, row: Mapping[str, Any], at: str) -> Assessed:
        return Assessed(row["year"], _amount(row["amount_fen"], f"{at}/amount_fen"), row.get("share_permille"))


@lru_cache(maxsize=4096)  # authorities are few, and come again with every event
def _authority(code: str | None, name: str | None) -> AuthorityRef | tuple[str, str]:
    """The reference in one spelling, without a name that is none; or the reason and the field that is wrong."""
    if code is not None:
        code = normalise_code(code)
        if is_citizen_number(code) or (len(code) > 18 and find_citizen_number(code)):
            return "citizen_number_in_field", "code"
        if not _AUTHORITY_CODE(code):
            return "not_an_authority", "code"
    if name is not None and not authority_like(name):
        if code is None:
            return ("citizen_number_in_field" if find_citizen_number(name) else "not_an_authority"), "name"
        name = None
    return AuthorityRef(code, None if name is None else normalise_authority_name(name))


@lru_cache(maxsize=4096)  # codes, articles and names of authorities are few
def _numberless(text: str) -> bool:
    return not find_citizen_number(text)


@lru_cache(maxsize=4096)  # instruments are few too
def _instrument(text: str) -> bool:
    return instrument_like(text) and not find_citizen_number(text)


def _amount(amount_fen: int, pointer: str) -> int:
    if amount_fen >= _LONG_AMOUNT_FEN and is_citizen_number(str(amount_fen)):
        raise NotAdmitted("citizen_number_in_field", pointer)
    return amount_fen


class Item(msgspec.Struct, frozen=True):
    """A decision ready for its parties: the record's type, its clear fields, what was removed."""

    type: str
    fields: dict[str, Any]
    removed: dict[str, Any]


# Fields of the record of an individual business (个体工商户): what and when, by whom, and nothing about what was done.
INDIVIDUAL_FIELDS: Final = (
    *("domain", "authority", "document_number", "decided_on", "version", "kind", "list", "target"),
    *("effective_on", "notice_served_on", "published_on", "until"),
)

_BODIES: Final = {
    "decision.penalty": Clearing.penalty,
    "decision.listing": Clearing.listing,
    "decision.delisting": Clearing.delisting,
    "document.recorded": Clearing.document,
    "withdrawal": Clearing.withdrawal,
}
_OF_KIND: Final = {"penalty": "decision.penalty", "listing": "decision.listing", "document": "document.recorded"}


def clear(type_: str, event_id: str, data: Mapping[str, Any], names: tuple[str, ...]) -> Item:
    """The clear part of an event that its schema allows. ``type_`` without prefix and version, no correction."""
    clearing = Clearing(names)
    clearing.must("/id", event_id)
    clearing.common(data)
    _BODIES[type_](clearing, data, "/data")
    clearing.verify()
    return Item(type_, clearing.fields, clearing.removed)


def clear_correction(event_id: str, data: Mapping[str, Any], names: tuple[str, ...]) -> tuple[Item, Item]:
    """A correction (更正) as what it does: the withdrawal for a party named wrongly, and the decision that replaces it."""
    kind = data["kind"]
    withdrawal = Clearing(names)
    withdrawal.must("/id", event_id)
    withdrawal.common(data)
    fields = withdrawal.fields
    target = withdrawal.target(data["target"], "/data/target")
    own = fields["authority"]
    if target.authority is not None:
        own = _same_authority(own, target.authority)
    if data["target"].get("kind", kind) != kind:
        raise NotAdmitted("schema", "/data/target/kind")
    # By its natural key where that is whole; the id finds a decision of this source under any spelling of its authority.
    fields["target"] = Target(
        id=target.id if target.authority is None else None,
        authority=target.authority,
        document_number=target.document_number,
        kind=kind,
    )
    withdrawal.verify()

    decision = Clearing(names)
    replacement = data["replacement"]
    decision.fields.update({name: fields[name] for name in ("domain", "version", "url") if name in fields})
    decision.fields["authority"] = own
    decision.fields["document_number"] = target.document_number
    if (decided_on := replacement.get("decided_on")) is not None:
        decision.fields["decided_on"] = decided_on
    _BODIES[_OF_KIND[kind]](decision, replacement, "/data/replacement")
    decision.verify()
    decision.removed["correction"] = {"document_number": data["document_number"], **withdrawal.removed}
    return Item("withdrawal", fields, withdrawal.removed), Item(_OF_KIND[kind], decision.fields, decision.removed)


def _same_authority(own: AuthorityRef, target: AuthorityRef) -> AuthorityRef:
    """Both together, since only the authority that decided corrects; refused where they are seen to differ."""
    codes, names = (own.code, target.code), (own.name, target.name)
    first, second = codes if all(codes) else names
    differs = bool(first and second) and first != second
    if differs:
        raise NotAdmitted("target_of_other_authority", "/data/target/authority")
    return AuthorityRef(target.code or own.code, target.name or own.name)
