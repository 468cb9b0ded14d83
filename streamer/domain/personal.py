"""What about persons (个人信息) must not travel in the clear: citizen numbers in any text, and texts that could be a name.

Not for: recognising names. A text goes on in the clear only where it looks like what belongs there (an organisation, an
authority, an instrument); everything else is sealed, refused or left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from streamer.domain import words
from streamer.domain.identity import is_citizen_number

MIN_NUMBER_LENGTH: Final = 15
MAX_NAME_LENGTH: Final = 100  # of an organisation, authority or instrument: longer is a text, not a name
MIN_DECLARED_NAME_LENGTH: Final = 2

# What people put between the digits; NFKC has made spaces of the wide ones.
_SPACES: Final = r"\s\u00ad\u200b-\u200f\u2060\ufeff"
_SEPARATORS: Final = rf"{_SPACES}\-‐-―−.·_"
_BETWEEN: Final = rf"[{_SEPARATORS}]*"
_CANDIDATE: Final = re.compile(rf"[\d{_SEPARATORS}]{{14}}[\dXx]")
# The same for texts of ASCII and Chinese characters alone: nearly all, and twenty times faster there.
_USUAL_CANDIDATE: Final = re.compile(r"[0-9 \t\r\n\f\v\x1c-\x1f\-._·]{14}[0-9Xx]")
_UNUSUAL: Final = re.compile(r"[^\x00-\x7f·\u3001-\u9fff]")
_RUN: Final = re.compile(rf"\d(?:{_BETWEEN}\d){{13,}}{_BETWEEN}[\dXx]")
# Fifteen digits have no check of their own, so they must stand alone: whole, or grouped as on the card.
_FIFTEEN: Final = re.compile(
    rf"(?<!\d)(?=(?:(\d{{15}})|(\d{{6}}){_BETWEEN}(\d{{6}}){_BETWEEN}(\d{{3}})"
    rf"|(\d{{6}})[{_SPACES}]*(\d\d)[{_SPACES}]*(\d\d)[{_SPACES}]*(\d\d)[{_SPACES}]*(\d{{3}}))(?!\d))"
)
_NOT_CODE: Final = re.compile(r"[^0-9Xx]")


def find_citizen_number(text: str) -> bool:
    """Whether a valid citizen number (公民身份号码) stands in ``text``: 18 characters anywhere, 15 digits on their own;
    full width, or with spaces, hyphens and the like between its digits."""
    if len(text) < MIN_NUMBER_LENGTH:
        return False
    candidate = _USUAL_CANDIDATE
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        if _UNUSUAL.search(text):
            candidate = _CANDIDATE
    if candidate.search(text) is None:
        return False
    return _scan(_western_digits(text))


def _western_digits(text: str) -> str:
    """Decimal digits of any script as 0 to 9."""
    return text if text.isascii() else "".join(str(unicodedata.decimal(c, c)) for c in text)


def _scan(text: str) -> bool:
    for found in _RUN.finditer(text):
        run = _NOT_CODE.sub("", found[0]).upper()
        if any(is_citizen_number(run[at : at + 18]) for at in range(len(run) - 17)):
            return True
    return any(is_citizen_number("".join(part for part in found.groups() if part)) for found in _FIFTEEN.finditer(text))


_NAME: Final = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff0-9A-Za-z〇·・•&.,'’、\-+ ]+").fullmatch
_AUTHORITY_NAME: Final = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff0-9A-Za-z〇、\-]+").fullmatch
_BRACKETED: Final = re.compile(r"[(〔\[]([^()〔〕\[\]]*)[)〕\]]")
_TAIL: Final = re.compile(r"(.*)[(〔\[]([^()〔〕\[\]]*)[)〕\]]", re.DOTALL).fullmatch
_ORGANISATION_TAILS: Final = frozenset(words.ORGANISATION_TAILS)
_AUTHORITY_TAILS: Final = frozenset(words.AUTHORITY_TAILS)
_PHRASES: Final = "|".join(sorted(map(re.escape, words.TERM_PHRASES), key=len, reverse=True))


def organisation_like(name: str) -> bool:
    """Whether ``name`` ends as organisations' names do, with at most one bracketed part after it that is known too."""
    name = unicodedata.normalize("NFKC", name).strip()
    if len(name) > MAX_NAME_LENGTH:
        return False
    tail = _TAIL(name)
    if tail and not _ends_as_organisation(name):
        name = tail[1]
        if not (
            tail[2] in _ORGANISATION_TAILS or tail[2].endswith(words.PLACE_ENDINGS) or _ends_as_organisation(tail[2])
        ):
            return False
    return bool(_NAME(_BRACKETED.sub("", name))) and _ends_as_organisation(name)


_CLEAR_MAX: Final = 16_384  # names remembered; then all are forgotten
_CLEAR: Final[set[str]] = set()


def clear_organisation(name: str) -> bool:
    """Whether ``name`` ends as organisations' names do and holds no citizen number. Names that do are remembered: an
    organisation comes again; what could be a person's is not kept."""
    if name in _CLEAR:
        return True
    if not organisation_like(name) or find_citizen_number(name):
        return False
    if len(_CLEAR) >= _CLEAR_MAX:
        _CLEAR.clear()
    _CLEAR.add(name)
    return True


def _ends_as_organisation(name: str) -> bool:
    if name.endswith(words.ORGANISATION_ENDINGS):
        return len(name) >= 4
    if name.isascii():
        return len(name) >= 5 and name.upper().rstrip(". ").endswith(words.ENGLISH_ENDINGS)
    return len(name) >= 5 and name[-1] in words.ORGANISATION_LAST_CHARACTERS


def authority_like(name: str) -> bool:
    """Whether ``name`` ends as names of authorities (机关) do."""
    name = unicodedata.normalize("NFKC", name).strip()
    if len(name) > MAX_NAME_LENGTH:
        return False
    tail = _TAIL(name)
    if tail:
        name = tail[1]
        if not (tail[2] in _AUTHORITY_TAILS or tail[2].endswith(words.AUTHORITY_ENDINGS)):
            return False
    return len(name) >= 2 and name.endswith(words.AUTHORITY_ENDINGS) and bool(_AUTHORITY_NAME(name))


_EDITION: Final = re.compile(r"[第修订正试行暂年月日版号0-9一二三四五六七八九十〇]{1,30}").fullmatch
_ORDER: Final = re.compile(r"(.*?)(?:令|公告)?(?:[0-9]{4}年)?第?[0-9一二三四五六七八九十百]+号").fullmatch
_FILE_NUMBER: Final = re.compile(r"[(〔][\u4e00-\u9fff]{2,8}[(〔\[][0-9]{4}[)〕\]][0-9]{1,5}号[)〕]$")
_INSTRUMENT_NAME: Final = re.compile(r"[\u3400-\u9fff0-9A-Za-z〇〈〉<>()〔〕、·\-]+").fullmatch


def instrument_like(text: str) -> bool:
    """Whether ``text`` names an instrument (法律文件): 《…办法》 or …条例, with at most its edition or number after it."""
    text = unicodedata.normalize("NFKC", text).strip()
    if len(text) > MAX_NAME_LENGTH:
        return False
    name = text
    if text.startswith("《"):
        name, closed, rest = text[1:].partition("》")
        if not closed or (rest and not _edition_like(rest)):
            return False
    name = _FILE_NUMBER.sub("", name)
    tail = _TAIL(name)
    if tail and _edition_like(tail[2]):
        name = tail[1]
    if not _INSTRUMENT_NAME(name):
        return False
    if name.startswith(words.DECREE_STARTS) and name.endswith(words.DECREE_ENDINGS):
        return True
    return len(name) >= 2 and name.endswith(words.INSTRUMENT_ENDINGS)


def _edition_like(text: str) -> bool:
    """Edition or number of an instrument, bracketed or not: 2017年修正, 试行, 国务院令第658号."""
    text = text.strip("()〔〕[] ")
    order = _ORDER(text)
    return bool(_EDITION(text)) or bool(order and (not order[1] or authority_like(order[1])))


_TERM_BASIS: Final = re.compile(
    # each text has one parse only: digits one by one, since a row of them in a repeated group takes exponential time
    rf"(?:[a-z][a-z0-9.-]{{0,63}}|(?:{_PHRASES}|第[0-9一二三四五六七八九十百]+[条款项]|[0-9]|\s)+)",
    re.ASCII,
).fullmatch
_ARTICLE: Final = re.compile(r"第[0-9〇一二三四五六七八九十百]+条(?:第[0-9〇一二三四五六七八九十]+[款项])*$")


def term_basis_like(text: str) -> bool:
    """Whether ``text`` only says what an end rests on (期限依据): a code, a known phrase, an instrument with its article."""
    text = unicodedata.normalize("NFKC", text).strip()
    return bool(_TERM_BASIS(text)) or instrument_like(_ARTICLE.sub("", text))


_LAST_DIGIT: Final = re.compile(r".*[0-9]([^0-9]*)", re.DOTALL).fullmatch
_LATIN_TAIL: Final = re.compile(r"号?[A-Z〔〕()/.-]{0,6}").fullmatch
_DOCUMENT_NUMBER_TAILS: Final = frozenset(words.DOCUMENT_NUMBER_TAILS)


def document_number_like(number: str) -> bool:
    """Whether a normalised document number (文号) ends as they do: after its last digit comes 号 or little else."""
    found = _LAST_DIGIT(number)
    if found is None or len(number) > MAX_NAME_LENGTH:
        return False
    tail = found[1].strip("〕〔")
    return tail in _DOCUMENT_NUMBER_TAILS or bool(_LATIN_TAIL(tail))


def url_like(url: str) -> bool:
    """Whether ``url`` is ASCII http(s) that hides neither a citizen number nor a text of another script."""
    if not url.isascii() or not url.startswith(("http://", "https://")):
        return False
    plain = url
    while "%" in plain:
        decoded = unquote(plain)
        if decoded == plain:
            break
        plain = decoded
    return plain.isascii() and not find_citizen_number(plain)


def folded(text: str) -> str:
    """``text`` for finding a name in it: one width, one case, nothing between its letters."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


_PERSON_KEYS: Final = ("legal_representative", "operator", "responsible_person")


def declared_person_names(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of persons that an event itself declares, folded: parties that are persons or individual businesses under a
    person's name, and legal representatives (法定代表人) where a source sends them."""
    found: list[str] = []
    parties = data.get("parties")
    for party in (*(parties if isinstance(parties, list) else ()), data.get("original_party")):
        if not isinstance(party, Mapping):
            continue
        name = party.get("name")
        if isinstance(name, str) and party.get("kind") != "organisation" and not organisation_like(name):
            found.append(folded(name))
        found += (folded(party[key]) for key in _PERSON_KEYS if isinstance(party.get(key), str))
    found += (folded(data[key]) for key in _PERSON_KEYS if isinstance(data.get(key), str))
    return tuple(name for name in found if len(name) >= MIN_DECLARED_NAME_LENGTH)


def contains_name(text: str, names: Iterable[str]) -> bool:
    """Whether one of ``names`` (folded) stands in ``text``."""
    if not names:
        return False
    plain = folded(text)
    return any(name in plain for name in names)
