"""Codes of invented entities: organisations, individual businesses, persons, all of division 449900, which does not exist.

Not for: checking codes. The check characters are found by trying: the one that makes the standard's congruence hold.
"""

from __future__ import annotations

from typing import Final, NamedTuple

DIVISION: Final = "449900"
ORG_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CODE_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LETTERS: Final = "ABCDEFGHJKLMNPQRTUWXY"
ENTITIES_MAX: Final = len(LETTERS) ** 2 * 10**5

TRADES: Final = ("建筑", "商贸", "食品", "药业", "科技", "物流", "机械", "电子", "纺织", "环保", "医疗", "印务")
WORDS: Final = ("甲", "乙", "丙", "丁", "戊", "己", "庚", "辛", "壬", "癸")


class Entity(NamedTuple):
    """An invented party. ``org_code`` is GB 11714 without hyphen, ``uscc`` GB 32100."""

    org_code: str
    uscc: str
    name: str


def organisation(number: int) -> Entity:
    """The invented organisation with this number, 0 ≤ number < ENTITIES_MAX."""
    return _entity(number, "91", "测试省{}号{}有限公司")


def individual_business(number: int) -> Entity:
    """An individual business (个体工商户): its unified code begins with 92."""
    return _entity(number, "92", "测试省{}号{}经营部")


def _entity(number: int, prefix: str, pattern: str) -> Entity:
    high, low = divmod(number, 10**5)
    first, second = divmod(high, len(LETTERS))
    body = f"T{LETTERS[first]}{LETTERS[second]}{low:05d}"  # a letter first: no taxpayer number of it is all digits
    org_code = body + _org_check(body)
    return Entity(
        org_code, _unified(prefix + DIVISION + org_code), pattern.format(_words(number), TRADES[number % len(TRADES)])
    )


def _words(number: int) -> str:
    return "".join(WORDS[int(digit)] for digit in str(number))


def _org_check(body: str) -> str:
    """GB 11714: with the check, the weighted sum is divisible by 11 (X counts ten)."""
    total = sum(weight * ORG_ALPHABET.index(char) for weight, char in zip((3, 7, 9, 10, 5, 8, 4, 2), body, strict=True))
    return next(char for value, char in enumerate("0123456789X") if (total + value) % 11 == 0)


def _unified(body: str) -> str:
    """GB 32100: the sum weighted by powers of 3, the check with 1, is divisible by 31."""
    total = sum(pow(3, place, 31) * CODE_ALPHABET.index(char) for place, char in enumerate(body))
    return body + next(c for v, c in enumerate(CODE_ALPHABET) if (total + v) % 31 == 0)


def wrong_check(uscc: str) -> str:
    """The code with a last character that fails its check."""
    return uscc[:-1] + CODE_ALPHABET[(CODE_ALPHABET.index(uscc[-1]) + 1) % len(CODE_ALPHABET)]


def citizen_number(number: int) -> str:
    """An invented person's number (GB 11643, ISO 7064 MOD 11-2) in the division that does not exist."""
    body = f"{DIVISION}1980{1 + number % 12:02d}{1 + number // 12 % 28:02d}{number % 1000:03d}"
    remainder = 0
    for digit in body:
        remainder = (remainder + int(digit)) * 2 % 11
    return body + next(char for value, char in enumerate("0123456789X") if (remainder + value) % 11 == 1)


def registration_number(number: int) -> str:
    """An invented business registration number (GS 15, ISO 7064 MOD 11,10)."""
    body = f"{DIVISION}{number:08d}"
    product = 10
    for digit in body:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return body + str(next(value for value in range(10) if (product + value) % 10 == 1))
