"""How many copies of alerts and notices kills may have made: what was published and not yet in the state when a process ended.

A commit sends its outputs first and appends to the changelog then, so a message is in flight from the one to the other; only
what is in flight at an end comes again. Both are read off Kafka's own offsets. Not for: whether copies are alike (``verdict``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from streamer.domain.messages import CloudEvent
from streamer.domain.state import ALERT, AlertRow
from streamer.engine.partition_row import ORIGIN_BYTES, read_origin

MAX_NAMED: Final = 5

Offsets = dict[tuple[str, int], int]

_decode_row = msgspec.msgpack.Decoder(AlertRow).decode
_decode_event = msgspec.json.Decoder(CloudEvent).decode


@dataclass(eq=False)
class Cut:
    """An end of a dossier. ``state``: where the changelog ended, looked at first; ``told``: where the topics of alerts and
    notices ended, looked at later (None: not yet). Looked at while nobody writes, both are exact; else a little wide.
    ``records``: of one that lives on for a while, where the records ended that it can have read."""

    state: Offsets
    told: Offsets | None = None
    records: dict[int, int] | None = None


class Told(NamedTuple):
    """One message in a topic of alerts or notices."""

    topic: str
    partition: int
    offset: int


class Landed(NamedTuple):
    """Where a row lies in its changelog; ``first``: no record below is new in its unit."""

    partition: int
    offset: int
    first: int


class Landings:
    """When the state came to include each revision of an alert or notice. A changelog that a new beginning made has landings of
    its own."""

    def __init__(self) -> None:
        #: By changelog and id: revision and place, as the rows came.
        self._found: dict[tuple[str, str], list[tuple[int, Landed]]] = defaultdict(list)
        #: By changelog and partition: the records below which its units of late include.
        self._unit: dict[tuple[str, int], tuple[int, int]] = {}

    def row(self, topic: str, partition: int, offset: int, key: bytes, value: bytes) -> None:
        """A changelog record that counts, with its origin."""
        following, _ = read_origin(value)
        first, last = self._unit.get((topic, partition), (0, 0))
        if following != last:
            first, last = last, following
            self._unit[topic, partition] = first, last
        if key[:1] == ALERT:
            identifier, revision = split(message_id(_decode_row(value[ORIGIN_BYTES:]).body))
            self._found[topic, identifier].append((revision, Landed(partition, offset, first)))

    def at(self, topic: str, message: str) -> Landed | None:
        """The first row that includes this message; None: none does."""
        identifier, revision = split(message)
        return next((place for found, place in self._found[topic, identifier] if found >= revision), None)


def message_id(body: bytes) -> str:
    return _decode_event(body).id


def split(message: str) -> tuple[str, int]:
    """``<alert id>.<revision>``."""
    identifier, _, revision = message.rpartition(".")
    return identifier, int(revision)


def changelog_of(cut: Cut) -> str:
    return next(iter(cut.state))[0]


def in_flight(cuts: list[Cut], told: dict[str, list[Told]], landings: Landings) -> Counter[str]:
    """By message: at how many of the cuts it was published and not in the state."""
    found: Counter[str] = Counter()
    for cut in cuts:
        topic = changelog_of(cut)
        for message, places in told.items():
            first = places[0]
            if cut.told is not None and first.offset >= cut.told.get((first.topic, first.partition), 0):
                continue
            landed = landings.at(topic, message)
            if landed is None or (_not_in(cut, topic, landed) and _may_be_read(cut, landed)):
                found[message] += 1
    return found


def _not_in(cut: Cut, topic: str, landed: Landed) -> bool:
    return landed.offset >= cut.state.get((topic, landed.partition), 0)


def _may_be_read(cut: Cut, landed: Landed) -> bool:
    return cut.records is None or landed.first <= cut.records.get(landed.partition, 0)


def beyond(told: dict[str, list[Told]], allowed: Counter[str]) -> dict[str, int]:
    """Copies that no cut explains, by message."""
    extra = {message: len(places) - 1 - allowed[message] for message, places in told.items()}
    return {message: count for message, count in extra.items() if count > 0}
