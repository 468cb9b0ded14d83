"""One budget of memory for a process, shared out to what would otherwise grow; refused when it is too small.

Not for: limits of counts or time (``settings``). The shares are of what is left after the program itself and the reserve for
standbys; they add up to 1.
Counted are bytes that the parts account for; the slack is for what nobody counts (allocators, Python's own garbage).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from streamer.engine.exits import Exit, Refusal

if TYPE_CHECKING:
    from streamer.engine.settings import EngineSettings

MIB: Final = 1 << 20

#: A role's process before it has read anything: 99 MiB resident with all of its libraries, and its connections.
PROGRAM_BYTES: Final = 110 * MIB
#: Decoded rows: what is read again most, and costs most to read (a look-up and a decode).
ROWS_SHARE: Final = 0.28
#: RocksDB's blocks with index and filters: behind the rows, for keys that are read once.
BLOCKS_SHARE: Final = 0.14
#: RocksDB's memtables of the whole database: fewer and larger files, and a bloom filter for keys that are new.
MEMTABLES_SHARE: Final = 0.20
#: Answers of Kafka that wait to be handed over.
FETCH_SHARE: Final = 0.06
#: From the hand-over of records until their unit is durable: records, changed rows, outputs, batches on the wire.
IN_FLIGHT_SHARE: Final = 0.18
#: Partitions of outputs by key.
KEYS_SHARE: Final = 0.02
SLACK_SHARE: Final = 0.12

#: For standbys, beside partitions at work: taken off before the shares, where standbys are wanted. Fetched changelog, and what
#: a round of reading makes of it. With very many partitions it is twice the least of each.
STANDBY_BYTES: Final = 24 * MIB
#: A partition of a changelog at a time, at the most, while state is read: then there is nothing else to do.
READ_PARTITION_MOST_BYTES: Final = 8 * MIB

#: More for a partition at a time saves no further request.
FETCH_PARTITION_MOST_BYTES: Final = 1 * MIB
#: With less, a request brings some hundred records only.
FETCH_PARTITION_LEAST_BYTES: Final = 64 << 10
#: With less, hardly a slice's rows stay between two slices.
ROWS_PARTITION_LEAST_BYTES: Final = 256 << 10
#: What a key with its topic and partition costs in a dict.
KEY_BYTES: Final = 250

#: A record in a slice costs its object, key and headers; its value twice: as it came, and decoded or in a sink's row.
RECORD_BYTES: Final = 600
VALUE_FACTOR: Final = 2
#: A unit's rows and outputs: encoded, with an origin, in a batch, and in the producer's buffer.
UNIT_FACTOR: Final = 4


#: What a record is taken to cost before the first was seen.
_FIRST_GUESS_BYTES: Final = 4 << 10
#: How much a slice changes the average of those before it.
_WEIGHT: Final = 0.2


class HasValue(Protocol):
    @property
    def value(self) -> bytes | None: ...


def records_bytes(records: Sequence[HasValue]) -> int:
    """What records cost while they are handled, about."""
    return len(records) * RECORD_BYTES + VALUE_FACTOR * sum([len(r.value or b"") for r in records])


class InFlight:
    """How many records more may be handed over, by what those before them cost, and about as much again once they are
    handled (their unit)."""

    def __init__(self) -> None:
        self._average = float(_FIRST_GUESS_BYTES)

    def saw(self, records: int, cost: int) -> None:
        if records:
            self._average += _WEIGHT * (cost / records - self._average)

    def room(self, claimed_bytes: int, bound_bytes: int) -> int:
        """0: none."""
        left = bound_bytes - claimed_bytes
        return 0 if left <= 0 else max(1, int(left / (2 * self._average)))


@dataclass(frozen=True, slots=True)
class Reading:
    """Bounds of one reader of whole topics: of a partition's answer, of one request's, and of a round's records, made of
    them. Kafka gives one batch at least, of ``unit_max_bytes`` at the most."""

    partition_bytes: int
    answer_bytes: int
    round_bytes: int


def reading(bound_bytes: int, partitions: int) -> Reading:
    """Half for answers that wait, one a partition; half for what a round makes of them."""
    half = bound_bytes // 2
    each = max(1, min(READ_PARTITION_MOST_BYTES, half // max(1, partitions)))
    return Reading(each, max(each, half), half)


class Rounds:
    """How many records a round of reading takes, by what those before them cost."""

    #: Looked at of an answer: its records are alike.
    SAMPLE: Final = 64

    def __init__(self, bounds: Reading, most: int) -> None:
        self._flight = InFlight()
        self._bytes = bounds.round_bytes
        self._most = most

    @property
    def records(self) -> int:
        return min(self._most, self._flight.room(0, self._bytes))

    def saw(self, records: Sequence[HasValue]) -> None:
        sample = records[: self.SAMPLE]
        self._flight.saw(len(sample), records_bytes(sample))


@dataclass(frozen=True, slots=True)
class Shares:
    """Bounds in bytes. ``partitions``: of all source topics, for one process may be the last to own them."""

    rows_bytes: int
    blocks_bytes: int
    memtables_bytes: int
    fetch_bytes: int
    fetch_partition_bytes: int
    in_flight_bytes: int
    keys: int
    standby_bytes: int

    def recovery(self, partitions: int) -> Reading:
        """While state is read nothing is in flight: its share is the reader's."""
        return reading(self.in_flight_bytes, partitions)

    def standbys(self, partitions: int) -> Reading:
        return reading(self.standby_bytes, partitions)

    def bounds(self) -> dict[str, int]:
        """By part, as the gauges name them."""
        return {
            "rows": self.rows_bytes,
            "blocks": self.blocks_bytes,
            "memtables": self.memtables_bytes,
            "fetched": self.fetch_bytes,
            "in_flight": self.in_flight_bytes,
            "keys": self.keys * KEY_BYTES,
            "standbys": self.standby_bytes,
        }


def standby_bytes(settings: EngineSettings, partitions: int) -> int:
    """The reserve for standbys; 0 without."""
    if not settings.num_standby_replicas:
        return 0
    return max(STANDBY_BYTES, 2 * partitions * FETCH_PARTITION_LEAST_BYTES)


def needed_bytes(partitions: int, unit_max_bytes: int, reserve_bytes: int = 0) -> int:
    """The smallest budget with which ``partitions`` can be worked on, beside a reserve."""
    left = max(
        partitions * FETCH_PARTITION_LEAST_BYTES / FETCH_SHARE,
        partitions * ROWS_PARTITION_LEAST_BYTES / ROWS_SHARE,
        UNIT_FACTOR * unit_max_bytes / IN_FLIGHT_SHARE,
    )
    return PROGRAM_BYTES + reserve_bytes + int(left) + 1


def shares(settings: EngineSettings, partitions: int) -> Shares:
    """What each part may hold. Raises Refusal(CONFIG), with the figures, when the budget is too small."""
    budget, partitions = settings.memory_budget_bytes, max(1, partitions)
    reserve = standby_bytes(settings, partitions)
    needed = needed_bytes(partitions, settings.unit_max_bytes, reserve)
    if budget < needed:
        raise Refusal(
            Exit.CONFIG,
            f"a memory budget of {budget // MIB} MiB is too small for {partitions} source partitions: the program takes "
            f"{PROGRAM_BYTES // MIB} MiB, standbys {reserve // MIB} MiB, each partition at least "
            f"{FETCH_PARTITION_LEAST_BYTES >> 10} KiB of fetched records and {ROWS_PARTITION_LEAST_BYTES >> 10} KiB of rows, "
            f"units under way {UNIT_FACTOR} times {settings.unit_max_bytes // MIB} MiB. Give it at least "
            f"{-(-needed // MIB)} MiB (STREAMER_MEMORY_MB)",
        )
    left = budget - PROGRAM_BYTES - reserve
    fetch = int(left * FETCH_SHARE)
    return Shares(
        rows_bytes=settings.cache_max_bytes or int(left * ROWS_SHARE),
        blocks_bytes=int(left * BLOCKS_SHARE),
        memtables_bytes=int(left * MEMTABLES_SHARE),
        fetch_bytes=max(fetch, FETCH_PARTITION_MOST_BYTES),
        fetch_partition_bytes=settings.fetch_max_bytes or min(FETCH_PARTITION_MOST_BYTES, fetch // partitions),
        in_flight_bytes=int(left * IN_FLIGHT_SHARE),
        keys=int(left * KEYS_SHARE) // KEY_BYTES,
        standby_bytes=reserve,
    )


def resident_bytes() -> int:
    """This process's resident memory; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
