"""Topics that wait for others: a gated topic is fetched only while its gate is open and no other topic has a backlog.

Not for: what is behind a gate, or why (the role says). What waits stays in Kafka; nothing of it is held here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from faust.types import TP

    from streamer.engine.lane import Lane

#: Slices of all gated topics together that are handed over and not yet handled: a slice of another topic that arrives
#: waits for so many at the most, for one agent handles them in turn.
GATED_SLICES_QUEUED: Final = 2
#: A measure older than this is none: whoever measures has lost its server.
MEASURE_VALID_S: Final = 10.0
#: A gate that closed at its bound opens again at this share of it, so that it does not flutter.
REOPEN_SHARE: Final = 0.5


class Gate(Protocol):
    """Asked before every fetch."""

    @property
    def closed(self) -> bool: ...

    def took(self, records: int) -> None:
        """So many records of its topics were handed over."""


class Bound:
    """Closed from ``most`` on, open again from half of it; closed as long as nothing is known.

    What passed and was not yet written when the last measure began counts beside it: the bound holds between two measures, too.
    """

    def __init__(self, most: int, clock: Callable[[], float], in_flight: Callable[[], int] = lambda: 0) -> None:
        """``in_flight``: how many of the records that passed are not yet written, which no measure can see."""
        self._most = most
        self._reopen = int(most * REOPEN_SHARE)
        self._clock = clock
        self.in_flight = in_flight
        self._measured: int | None = None
        self._measured_at = 0.0
        self._passed = 0
        self._shut = True

    def begin(self) -> int:
        """A measure begins; give what this returns to ``measured``: how much of what passed it will see."""
        return max(0, self._passed - self.in_flight())

    def measured(self, value: int, begun: int) -> None:
        self._measured, self._measured_at = value, self._clock()
        self._passed -= begun

    def took(self, records: int) -> None:
        self._passed += records

    @property
    def value(self) -> int | None:
        """The last measure with what passed and is not in it; None: unknown, or too old to tell."""
        if self._measured is None or self._clock() - self._measured_at > MEASURE_VALID_S:
            return None
        return self._measured + self._passed

    @property
    def closed(self) -> bool:
        value = self.value
        self._shut = value is None or value >= self._most or (self._shut and value > self._reopen)
        return self._shut


class Turns:
    """Which source partitions may be fetched now; partitions behind gates take turns."""

    def __init__(self) -> None:
        self._last: TP | None = None

    def choose(self, lanes: Mapping[TP, Lane], ready: Iterable[TP], gates: Mapping[str, Gate]) -> list[TP]:
        """Of ``ready`` (they have room), those without a gate, and of the others as many as may go before them.
        Sets ``held`` of each lane that could go on but for this."""
        if not gates:
            return list(ready)
        gated = {tp: lane for tp, lane in lanes.items() if tp.topic in gates}
        for lane in gated.values():
            lane.held = lane.end > lane.ledger.next
        with_room = list(ready)
        free = [tp for tp in with_room if tp not in gated]
        room = GATED_SLICES_QUEUED - sum(lane.queued for lane in gated.values())
        backlog = any(lane.end > lane.ledger.next for tp, lane in lanes.items() if tp not in gated)
        if room <= 0 or backlog:
            return free
        shut = {topic for topic in {tp.topic for tp in gated} if gates[topic].closed}
        waiting = sorted(tp for tp in with_room if tp in gated and gated[tp].held and tp.topic not in shut)
        chosen = self._next(waiting, room)
        for tp in chosen:
            gated[tp].held = False
        return free + chosen

    def _next(self, waiting: list[TP], room: int) -> list[TP]:
        last = self._last
        after = waiting if last is None else [tp for tp in waiting if tp > last] + [tp for tp in waiting if tp <= last]
        chosen = after[:room]
        if chosen:
            self._last = chosen[-1]
        return chosen
