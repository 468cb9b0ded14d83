"""Names of facts, events and authorities: what makes two reports of one decision the same fact.

Not for: identifiers of parties (``streamer.domain.identity``). A changed result here is a changed key.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import Final

KEY_BYTES: Final = 16
# Each key is a hash begun once: setting one up takes longer than hashing a key's text.
_FACTS: Final = blake2b(digest_size=KEY_BYTES, person=b"credit.fact")
_EVENTS: Final = blake2b(digest_size=KEY_BYTES, person=b"credit.event")

_OPENING: Final = "[(【〔「『{〖〘〚﹝<〈⟨［（"
_CLOSING: Final = "])】〕」』}〗〙〛﹞>〉⟩］）"
_DASHES: Final = "‐‑‒–—―−﹣－"
_VARIANTS: Final[dict[int, str]] = {
    **{ord(c): "〔" for c in _OPENING},
    **{ord(c): "〕" for c in _CLOSING},
    **{ord(c): "-" for c in _DASHES},
}
# What is not in its one spelling yet; a text without any of it stays as it is.
_OTHER: Final = re.compile(
    "[" + re.escape("".join(c for c in _OPENING + _CLOSING + _DASHES if c not in "〔〕-")) + r"\s\x00-\x1f\x7f-\x9f"
    r"\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_INVISIBLE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")

_TAX_PREFIX: Final = "国家税务总局"
_TAX_OFFICE: Final = "税务局"


def _plain(text: str) -> str:
    """NFKC, one kind of bracket and dash, without whitespace and control characters."""
    if _OTHER.search(text) is None and unicodedata.is_normalized("NFKC", text):
        return text
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_VARIANTS)
    # Taking a character out can bring two others together that compose.
    return plain if unicodedata.is_normalized("NFKC", plain) else _plain(plain)


def normalise_document_number(text: str) -> str:
    """A document number (文号) in one spelling: 〔〕 for every bracket, half width, upper case, no whitespace."""
    upper = _plain(text.upper()).upper()
    return upper if unicodedata.is_normalized("NFKC", upper) else normalise_document_number(upper)


def normalise_authority_name(text: str) -> str:
    """An authority's name (机关名称) in one spelling.

    Since 2018 tax offices write 国家税务总局 before their name, or not: 国家税务总局测试市税务局 is 测试市税务局.
    测试市税务局第一稽查局 stays another body than 测试市税务局: nothing is ever cut off at the end.
    """
    name = _plain(text)
    rest = name[len(_TAX_PREFIX) :]
    return rest if name.startswith(_TAX_PREFIX) and rest.find(_TAX_OFFICE) > 0 else name


def authority_key(code: str | None, name: str | None) -> str:
    """The authority's part of a fact key: its code, or its normalised name without one. ValueError without both."""
    if code:
        return code
    if not name:
        raise ValueError("an authority without code and name has no key: the event's schema asks for one of them")
    return f"n:{normalise_authority_name(name)}"


def fact_id(authority: str, document_number: str, org_code: str, kind: str) -> bytes:
    """16 bytes that name a fact; ``authority`` as ``authority_key`` gives it, ``document_number`` normalised."""
    digest = _FACTS.copy()
    digest.update(f"{kind}\0{org_code}\0{authority}\0{document_number}".encode())
    return digest.digest()


def event_key(source: str, event_id: str) -> bytes:
    """16 bytes that name an event: CloudEvents ``source`` + ``id`` are unique together."""
    digest = _EVENTS.copy()
    digest.update(f"{source}\0{event_id}".encode())
    return digest.digest()
