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

MAX_NAMED: Final = 5

Offsets = dict[tuple[str, int], int]

_decode_row = msgspec.msgpack.Decoder(AlertRow).decode
_decode_event = msgspec.json.Decoder(CloudEvent).decode


@dataclass(eq=False)
class Cut:
    """An end of a dossier. ``state``: where the changelog ended, looked at first; ``told``: where the topics of alerts and
    notices ended, looked at later (None: not yet). Looked at while nobody writes, both are exact; else a little wide."""

    state: Offsets
    told: Offsets | None = None


class Told(NamedTuple):
    """One message in a topic of alerts or notices."""

    topic: str
    partition: int
    offset: int


class Landings:
    """When the state came to include each revision of an alert or notice. A changelog that a new beginning made has landings of
    its own."""

    def __init__(self) -> None:
        #: By changelog and id: revision, partition, offset, as the rows came.
        self._found: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)

    def row(self, topic: str, partition: int, offset: int, key: bytes, payload: bytes) -> None:
        """A changelog record that counts."""
        if key[:1] == ALERT:
            identifier, revision = split(message_id(_decode_row(payload).body))
            self._found[topic, identifier].append((revision, partition, offset))

    def at(self, topic: str, message: str) -> tuple[int, int] | None:
        """Partition and offset of the first row that includes this message; None: none does."""
        identifier, revision = split(message)
        return next(((p, o) for found, p, o in self._found[topic, identifier] if found >= revision), None)


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
            if landed is None or landed[1] >= cut.state.get((topic, landed[0]), 0):
                found[message] += 1
    return found


def beyond(told: dict[str, list[Told]], allowed: Counter[str]) -> dict[str, int]:
    """Copies that no cut explains, by message."""
    extra = {message: len(places) - 1 - allowed[message] for message, places in told.items()}
    return {message: count for message, count in extra.items() if count > 0}
