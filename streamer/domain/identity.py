"""Who a party is: from checked identifiers (代码) to the 9-character organization code, the entity key. No look-up.

Not for: looking an identifier up (registration numbers alone, passports), and not for names: a name never joins.

Standards: GB 32100-2015 unified social credit code (统一社会信用代码), GB 11714-1997 organization code (组织机构代码),
GB 11643-1999 citizen number (公民身份号码), GS 15 business registration number (工商注册号); taxpayer
numbers (纳税人识别号): region 6 + organization code 9, or the unified code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from operator import mul
from typing import Final, NamedTuple

USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100: no I, O, S, V, Z
_ORG_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_CHECKS: Final = "0123456789X"
_CITIZEN_CHECKS: Final = "10X98765432"  # GB 11643: check character by weighted sum mod 11

_ORG_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_USCC_WEIGHTS: Final = tuple(pow(3, i, 31) for i in range(17))
_CITIZEN_WEIGHTS: Final = tuple(pow(2, 17 - i, 11) for i in range(17))

_BAD: Final = 255


def _table(alphabet: str) -> bytes:
    """ASCII code → value in ``alphabet``, 255 for a character outside it."""
    values = bytearray([_BAD]) * 256
    for value, character in enumerate(alphabet):
        values[ord(character)] = value
    return bytes(values)


_USCC_VALUES: Final = _table(USCC_ALPHABET)
_ORG_VALUES: Final = _table(_ORG_ALPHABET)

_ORG: Final = re.compile(r"[0-9A-Z]{8}[0-9X]").fullmatch
_USCC: Final = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}").fullmatch
_CITIZEN: Final = re.compile(r"[0-9]{17}[0-9X]").fullmatch
_DIGITS: Final = re.compile(r"[0-9]+").fullmatch
_CLEAN: Final = re.compile(r"[0-9A-Z*]*").fullmatch

# Province part of an administrative division code (GB/T 2260); 81 to 83: residence permits.
PROVINCES: Final = frozenset(
    str(province)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for province in range(first, last + 1)
)
INDIVIDUAL_PREFIX: Final = "92"  # unified codes of individual businesses (个体工商户)


def normalise_code(text: str) -> str:
    """Upper case, full width to half width; spaces and hyphens of any kind removed. A masked code keeps its ``*``."""
    if _CLEAN(text) or _CLEAN(text := text.replace("-", "").replace(" ", "").upper()):
        return text
    clean = "".join(c for c in unicodedata.normalize("NFKC", text).upper() if _kept(c))
    return clean if _CLEAN(clean) or clean == text else normalise_code(clean)


def _kept(character: str) -> bool:
    return not (character.isspace() or character == "−" or unicodedata.category(character) in ("Pd", "Cf", "Cc"))


def org_code_check(body: str) -> str:
    """The check character of the first 8 characters of an organization code (GB 11714)."""
    total = sum(map(mul, body.encode("ascii").translate(_ORG_VALUES), _ORG_WEIGHTS))
    return _ORG_CHECKS[-total % 11]


def uscc_check(body: str) -> str:
    """The check character of the first 17 characters of a unified code (GB 32100)."""
    total = sum(map(mul, body.encode("ascii").translate(_USCC_VALUES), _USCC_WEIGHTS))
    return USCC_ALPHABET[-total % 31]


def citizen_check(body: str) -> str:
    """The check character of the first 17 digits of a citizen number (GB 11643, ISO 7064 MOD 11-2)."""
    return _CITIZEN_CHECKS[sum(map(mul, map(int, body), _CITIZEN_WEIGHTS)) % 11]


def registration_check(body: str) -> str:
    """The check digit of the first 14 digits of a business registration number (GS 15, ISO 7064 MOD 11,10)."""
    product = 10
    for digit in map(int, body):
        product = ((product + digit) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def parse_org_code(code: str) -> str | None:
    """The organization code, or None where ``code`` (normalised) is not one or fails its check."""
    return code if _ORG(code) and org_code_check(code[:8]) == code[8] else None


def parse_uscc(code: str) -> str | None:
    """The organization code inside a unified code (positions 9 to 17), or None unless *both* checks hold."""
    if not _USCC(code):
        return None
    if sum(map(mul, code.encode("ascii").translate(_USCC_VALUES), _USCC_WEIGHTS_AND_CHECK)) % 31:
        return None
    return parse_org_code(code[8:17])


_USCC_WEIGHTS_AND_CHECK: Final = (*_USCC_WEIGHTS, 1)  # the weighted sum of all 18 is 0 mod 31


def parse_taxpayer(code: str) -> str | None:
    """The organization code inside a taxpayer number of 15 or 18 characters; None for others or where a check fails."""
    if len(code) == 18:
        return parse_uscc(code)
    if len(code) == 15 and _DIGITS(code[:6]):
        return parse_org_code(code[6:])
    return None


def is_registration_number(code: str) -> bool:
    """Whether ``code`` is a 15-digit business registration number with a right check digit."""
    return len(code) == 15 and bool(_DIGITS(code)) and registration_check(code[:14]) == code[14]


def upgrade_citizen_number(code: str) -> str | None:
    """The 18-character form of a 15-digit citizen number (before 1999, no check); None if it is not one."""
    if len(code) != 15 or not _DIGITS(code):
        return None
    body = f"{code[:6]}19{code[6:]}"
    return body + citizen_check(body) if _citizen_body(body) else None


def _citizen_body(body: str) -> bool:
    """Division and date of birth of a citizen number exist. New permits of foreigners begin with 9 and the province."""
    if body[:2] not in PROVINCES and not (body[0] == "9" and body[1:3] in PROVINCES):
        return False
    if body[6:8] not in ("18", "19", "20"):
        return False
    try:
        date(int(body[6:10]), int(body[10:12]), int(body[12:14]))
    except ValueError:
        return False
    return True


def is_citizen_number(code: str) -> bool:
    """Whether ``code`` (normalised) is a citizen number, of 18 characters with its check or of 15 digits without."""
    if len(code) == 18:
        return bool(_CITIZEN(code)) and _citizen_body(code) and citizen_check(code[:17]) == code[17]
    return upgrade_citizen_number(code) is not None


class Resolved(NamedTuple):
    """The entity key. ``individual``: an individual business (个体工商户), by its code 92… or as declared."""

    org_code: str
    uscc: str | None
    individual: bool


class Held(NamedTuple):
    """The code in ``field`` fails a check: it waits for a registry event that carries exactly it, or for a person."""

    field: str


class Contradiction(NamedTuple):
    """Two identifiers give different organization codes. ``field``: the second of them."""

    field: str


class Unresolved(NamedTuple):
    """Nothing here gives an entity key without a look-up: no identifier, a masked one, a registration number alone."""


class PersonalNumber(NamedTuple):
    """A citizen number in ``field``, where an organisation's identifier belongs; or (empty) the party is a person."""

    field: str


Resolution = Resolved | Held | Contradiction | Unresolved | PersonalNumber

# In the order in which they are looked at; others (passport, citizen number …) never give an organisation's key.
ORGANISATION_FIELDS: Final = ("uscc", "organization_code", "taxpayer_number", "business_registration_number")
_UNRESOLVED: Final = Unresolved()


def resolve(kind: str, identifiers: Mapping[str, str]) -> Resolution:
    """A party's entity key from its identifiers as declared, each in its own field and of any spelling.

    ``kind``: organisation | individual_business | person. Never raises.
    """
    if kind == "person":
        return PersonalNumber("")
    org_code = uscc = None
    for field in ORGANISATION_FIELDS:
        text = identifiers.get(field)
        if not text:
            continue
        code = normalise_code(text)
        if "*" in code or not code:
            continue
        found = _organisation_of(field, code)
        if found is None:
            continue
        if not found:
            return PersonalNumber(field) if is_citizen_number(code) else Held(field)
        if found == _PERSONAL:
            return PersonalNumber(field)
        if org_code is not None and org_code != found:
            return Contradiction(field)
        org_code = found
        if len(code) == 18:
            if uscc is not None and uscc != code:
                return Contradiction(field)
            uscc = code
    if org_code is None:
        return _UNRESOLVED
    return Resolved(org_code, uscc, kind != "organisation" or (uscc is not None and uscc.startswith(INDIVIDUAL_PREFIX)))


_PERSONAL: Final = "personal"
_CHECKED_MAX: Final = 16_384  # unified codes remembered; then all are forgotten
_CHECKED: Final[
    dict[str, str]
] = {}  # unified code → organization code, where both checks held and it is nobody's number


def _organisation_of(field: str, code: str) -> str | None:
    """The organization code in one identifier; "" where a check fails, None where it has none by its kind.

    Departments fill several columns with one unified code, so the length says what a code is.
    """
    length = len(code)
    if length == 18:
        return _CHECKED.get(code) or _organisation_of_uscc(code)
    if length == 9:
        return parse_org_code(code) or ""
    if field == "taxpayer_number":
        if length == 15:
            return parse_taxpayer(code) or ""
        return _PERSONAL if length in (17, 20) and _starts_with_citizen_number(code) else None
    if field == "business_registration_number":
        return None if length != 15 or is_registration_number(code) else ""
    return ""


def _organisation_of_uscc(code: str) -> str:
    # A citizen number can pass both checks by chance; those that organisations are given today begin with 9, and a
    # person's must never become a key in the clear.
    found = parse_uscc(code)
    if not found:
        return ""
    if code[0] != "9" and is_citizen_number(code):
        return _PERSONAL
    if len(_CHECKED) >= _CHECKED_MAX:
        _CHECKED.clear()
    _CHECKED[code] = found
    return found


def _starts_with_citizen_number(code: str) -> bool:
    """Taxpayer numbers of persons in business: the citizen number and two more characters."""
    return is_citizen_number(code[: len(code) - 2])
