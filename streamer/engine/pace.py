"""How many records are handed over at once, by the time that handlers took for those before. Not for: memory
(``memory.InFlight``), nor for a single event that takes longer than a session (nothing helps there).

A handler has the event loop for itself while it works on a slice, and a loop that does not turn is taken for a process that
slept. What a record costs may change a hundredfold: rows from memory or from a cold disk, a first or a fiftieth fact.
"""

from __future__ import annotations

from typing import Final

#: Records of a first slice.
FIRST_RECORDS: Final = 1_000
#: How much a quicker slice lowers the average; a slower one counts at once.
_WEIGHT: Final = 0.2


class Pace:
    """Time a record, as last seen."""

    def __init__(self, target_s: float) -> None:
        """``target_s``: what handing over takes in all until the loop turns, about."""
        self._target_s = target_s
        self._each_s = target_s / FIRST_RECORDS

    def saw(self, records: int, seconds: float) -> None:
        """A slice of so many records was handled."""
        if records:
            each_s = seconds / records
            slower = each_s > self._each_s
            self._each_s += (each_s - self._each_s) * (1.0 if slower else _WEIGHT)

    def room(self, most: int) -> int:
        """How many records may be handed over now, of ``most``; one at the least."""
        return most if self._each_s * most <= self._target_s else max(1, int(self._target_s / self._each_s))
