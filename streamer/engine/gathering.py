"""How long records are let come together before they are handed over. Not for: how many at once (``pace``, ``memory``), nor
for units (``lane``).

A hand-over, and each commit that it leads to, costs as much as some ten records, whatever it brings; where it wakes a process that
slept, several times that. So without a backlog one round of them is over before the next begins, and what comes meanwhile goes
together: the more there is to do, the larger the rounds.
"""

from __future__ import annotations

from typing import Final

#: A hand-over of so many is worth its cost; the next follows at once. So it does where as many are left behind: a fetch may
#: bring less of a backlog.
ENOUGH_RECORDS: Final = 500
#: A round that takes longer keeps others waiting no more: one lane's server may be away.
ROUND_MOST_S: Final = 0.15
#: How often within a gap one looks whether the round is over.
LOOKS: Final = 2


def is_backlog(records: int, left: int) -> bool:
    """Whether ``records`` at once, with so many more known to wait in Kafka, are enough to go on without a pause."""
    return max(records, left) >= ENOUGH_RECORDS


class Gathering:
    """Since the last hand-over."""

    def __init__(self, gap_s: float) -> None:
        """``gap_s``: from one hand-over to the next, at the least; 0: nothing is waited for."""
        self._gap_s = gap_s
        self._backlog = False
        self._at = float("-inf")

    def handed(self, records: int, left: int, now: float) -> None:
        """So many records were handed over, and so many more are known to wait in Kafka."""
        self._backlog, self._at = is_backlog(records, left), now

    def wait_s(self, now: float, *, under_way: bool) -> float:
        """How long to wait before one asks again; 0: the next records may come. ``under_way``: something of the last round is."""
        since = now - self._at
        if not self._gap_s or self._backlog:
            return 0.0
        if since < self._gap_s:
            return self._gap_s - since
        return min(self._gap_s / LOOKS, ROUND_MOST_S - since) if under_way and since < ROUND_MOST_S else 0.0
