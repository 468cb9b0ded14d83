"""Errors that a person reads: what happened, where, what to do next. Not for: refusing events (those become dead letters)."""

from __future__ import annotations

from typing import ClassVar, Final

EXIT_OK: Final = 0
EXIT_PROBLEM: Final = 1  # the command ran and found, or met, a problem
EXIT_USAGE: Final = 2  # the command line was wrong
EXIT_CONFIGURATION: Final = 78  # EX_CONFIG of sysexits.h: restarting cannot help


class StreamerError(Exception):
    """A problem with a known next step. Printed without a traceback; never holds a value from an event.

    what: one sentence in the past or present tense; where: a file, address, topic or setting;
    todo: the next step, as an instruction.
    """

    exit_code: ClassVar[int] = EXIT_PROBLEM

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.todo:
            lines.append(f"  next:  {self.todo}")
        return "\n".join(lines)


class ConfigurationError(StreamerError):
    """A setting is missing or wrong: the same start will fail again until somebody changes it."""

    exit_code: ClassVar[int] = EXIT_CONFIGURATION
