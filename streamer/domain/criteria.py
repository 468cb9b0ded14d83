"""Criteria (条件) in CEL over one decision or a counter: compiled once, known names only, always the same answer.

Not for: which criteria there are (the rulebook) or running counters (``streamer.domain.counters``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

import cel

from streamer.domain.records import Record

# What an expression may name. The sample values give each its type; an expression must yield a boolean over them.
DECISION: Final[Mapping[str, Any]] = {
    "type": "decision.penalty",
    "kind": "",  # of a document: tax-treatment, judgment …
    "domain": "tax",
    "conduct": "",  # catalogue code; "" = unstated
    "authority_roles": ["tax"],
    "fine_fen": 0,  # sum of the fines
    "ban_days": 0,  # longest procurement or agency ban, first and last day included; 0 = none or open ended
    "sanctions": ["fine"],  # kinds
    "basis": ["instrument"],  # instruments as stated, without title marks
    "assessed_fen": 0,  # sum of the tax assessed as unpaid
    "share_permille": 0,  # largest share of a year's tax; 0 = unstated
    "publicity": "",  # minor | general | serious
}
COUNTER: Final[Mapping[str, Any]] = {"count": 0, "amount_fen": 0}

LOCAL: Final = "x"  # the one name that a macro may bind: basis.exists(x, x == "…")
OPERATORS: Final = frozenset({"@in", "@not_strictly_false", "!_", "-_", "_?_:_", "_[_]"})
FUNCTIONS: Final = frozenset({"size", "startsWith", "endsWith", "contains"})  # nothing that could read a clock
BAN_KINDS: Final = frozenset({"procurement-ban", "agency-ban"})
TEXT_MAX: Final = 1000  # characters of an expression
ANSWERS_MAX: Final = 8192  # remembered by one expression; then it forgets them all
TITLE_MARKS: Final = str.maketrans("", "", "《》〈〉 \u3000")


class RuleError(ValueError):
    """An expression that cannot be used: what is wrong with it and what to write instead."""


class Expression:
    """A CEL expression that yields true or false.

    ``scope``: the variables it may name with a sample value each; by default those of a decision and of a counter.
    Raises RuleError when the text does not compile, names anything else, or does not yield a boolean.
    """

    __slots__ = ("_answers", "_execute", "names", "text")

    def __init__(self, text: str, scope: Mapping[str, Any] | None = None) -> None:
        self.text = text
        known = {**DECISION, **COUNTER} if scope is None else dict(scope)
        program = _compile(text)
        _check_names(text, program, known)
        try:
            sample = program.execute(known)
        except Exception as error:
            raise RuleError(
                f"{text!r} cannot be evaluated ({error}): compare text with text and whole numbers with numbers"
            ) from error
        if not isinstance(sample, bool):
            raise RuleError(f"{text!r} yields {type(sample).__name__}, not true or false: write a comparison")
        self._execute = program.execute
        #: The variables that it asks for.
        self.names = tuple(sorted(name for name in program.variables() if name in known))
        self._answers: dict[tuple[Any, ...], bool] = {}

    def evaluate(self, variables: Mapping[str, Any]) -> bool:
        """Whether it holds. What cannot be evaluated does not hold: nothing is raised on a doubt.

        An answer depends on what the text names alone, so it is remembered by that: an evaluation takes 20 µs, and most
        decisions differ in nothing that a criterion asks for.
        """
        try:
            named = tuple([tuple(v) if type(v := variables[name]) is list else v for name in self.names])
        except KeyError:
            return False
        answer = self._answers.get(named)
        if answer is None:
            if len(self._answers) >= ANSWERS_MAX:
                self._answers.clear()
            answer = self._answers[named] = self._holds(named)
        return answer

    def _holds(self, named: tuple[Any, ...]) -> bool:
        given = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in zip(self.names, named, strict=True)
        }
        try:
            return self._execute(given) is True
        except Exception:  # noqa: BLE001 - whatever CEL raises (IndexError for basis[0] of none), a doubt is no ground
            return False


@lru_cache(maxsize=1024)
def _compile(text: str) -> cel.Program:
    if len(text) > TEXT_MAX:
        raise RuleError(f"expression of {len(text)} characters: at most {TEXT_MAX} are accepted, split the row")
    try:
        return cel.compile(text)
    except ValueError as error:
        raise RuleError(f"{text!r} is not CEL: {str(error).splitlines()[0]}") from error


def _check_names(text: str, program: cel.Program, known: Mapping[str, Any]) -> None:
    unknown = [name for name in program.variables() if name not in known and name != LOCAL]
    if unknown:
        raise RuleError(
            f"{text!r} names {', '.join(unknown)}: known are {', '.join(sorted(known))} (and {LOCAL} inside a macro)"
        )
    foreign = [
        name
        for name in program.functions()
        if name not in OPERATORS and name not in FUNCTIONS and not (name.startswith("_") and name.endswith("_"))
    ]
    if foreign:
        raise RuleError(f"{text!r} calls {', '.join(foreign)}: only {', '.join(sorted(FUNCTIONS))} are allowed")


def decision_variables(record: Record, roles: tuple[str, ...]) -> dict[str, Any]:
    """What an expression sees of a decision by an authority with these ``roles``. What is unstated is empty or 0."""
    found = {name: read(record, roles) for name, read in READERS.items()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


@lru_cache(maxsize=4096)
def _title(instrument: str) -> str:
    return instrument.translate(TITLE_MARKS)


def ban_days(record: Record) -> int:
    """Days of the longest procurement or agency ban, first and last included; from the decision if none is named."""
    longest = 0
    for sanction in record.sanctions:
        start = sanction.from_ or record.decided_on
        if sanction.kind in BAN_KINDS and start and sanction.to:
            longest = max(longest, (date.fromisoformat(sanction.to) - date.fromisoformat(start)).days + 1)
    return longest


# How each variable of DECISION is read; lists as tuples, so that an answer can be remembered by them.
READERS: Final[Mapping[str, Callable[[Record, tuple[str, ...]], Any]]] = {
    "type": lambda record, _: record.type,
    "kind": lambda record, _: record.kind or "",
    "domain": lambda record, _: record.domain,
    "conduct": lambda record, _: record.conduct or "",
    "authority_roles": lambda _, roles: roles,
    "fine_fen": lambda record, _: sum([s.amount_fen for s in record.sanctions if s.kind == "fine"]),
    "ban_days": lambda record, _: ban_days(record),
    "sanctions": lambda record, _: tuple(sorted({sanction.kind for sanction in record.sanctions})),
    "basis": lambda record, _: tuple([_title(basis.instrument) for basis in record.basis]),
    "assessed_fen": lambda record, _: sum([year.amount_fen for year in record.assessed]),
    "share_permille": lambda record, _: max([year.share_permille or 0 for year in record.assessed], default=0),
    "publicity": lambda record, _: record.publicity or "",
}
