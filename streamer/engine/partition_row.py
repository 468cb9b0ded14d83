"""The engine's own row of each partition and the prefix of every changelog value: their codecs. Not for: a domain's rows."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import msgspec

#: The engine's row; a domain's rows may have any other key.
PARTITION_KEY: Final = b"\x00"
#: Losses kept in the row; older ones are summed into the first.
MAX_LOSSES: Final = 32

_ORIGIN: Final = struct.Struct(">QQ")
ORIGIN_BYTES: Final = _ORIGIN.size

#: origin(following, position): ``following`` is the first source offset *not* included in the value; ``position`` the
#: changelog offset at which its writer expected this very record to land. A record that lies elsewhere was written by
#: somebody who did not know of all records before it (a paused worker that woke): it is void, whatever it says.
origin = _ORIGIN.pack


#: A tombstone has no value, so its origin stands in this header, followed by the offset of the delete mark that it settles.
TOMBSTONE_HEADER: Final = "t"
_TOMBSTONE: Final = struct.Struct(">QQQ")
tombstone_header = _TOMBSTONE.pack


def read_origin(value: bytes) -> tuple[int, int]:
    """(following, position) of a changelog value. Raises ValueError when it has none."""
    if len(value) < ORIGIN_BYTES:
        raise ValueError(f"a changelog value of {len(value)} bytes has no origin")
    following, position = _ORIGIN.unpack_from(value)
    return following, position


def is_void(value: bytes | None, offset: int, headers: Sequence[tuple[str, bytes]] = ()) -> bool:
    """Whether the record at ``offset`` must be ignored. ``headers`` count where there is no value."""
    if value is None:
        return settles(headers, offset) is None
    return len(value) < ORIGIN_BYTES or _ORIGIN.unpack_from(value)[1] != offset


def settles(headers: Sequence[tuple[str, bytes]], offset: int) -> int | None:
    """The offset of the delete mark that the tombstone at ``offset`` settles; None: it is void."""
    for name, value in headers:
        if name == TOMBSTONE_HEADER and len(value) == _TOMBSTONE.size:
            _, position, settled = _TOMBSTONE.unpack(value)
            return int(settled) if position == offset else None
    return None


class PartitionRow(msgspec.Struct, array_like=True):
    """What one partition's state includes; written with every unit, in its batch."""

    #: The last source offset included; -1: none.
    applied: int = -1
    #: Commits so far, sweeps included.
    sequence: int = 0
    #: Ownerships so far: one more at each recovery.
    epoch: int = 0
    #: Compacted output topic → the position where this partition's next record must land.
    outputs: dict[str, int] = msgspec.field(default_factory=dict)
    #: [from, to) of the source that were gone before they could be applied, and that an operator accepted.
    losses: list[tuple[int, int]] = msgspec.field(default_factory=list)
    #: The highest changelog offset of a delete mark that a tombstone has followed; -1: none.
    tombstoned: int = -1
    #: The schema that all rows have at least, and the highest that any may have; 0: not said, which is 1.
    schema: int = 0
    newest: int = 0
    #: Topic id of the source that ``applied`` counts in; empty: not known.
    source_id: str = ""

    def lose(self, start: int, end: int) -> None:
        """Writes a loss into the books; the list stays bounded, its extent exact at the ends."""
        self.losses.append((start, end))
        if len(self.losses) > MAX_LOSSES:
            (a, _), (_, b), *rest = self.losses
            self.losses = [(a, b), *rest]


encode_partition_row = msgspec.msgpack.Encoder().encode
decode_partition_row = msgspec.msgpack.Decoder(PartitionRow).decode
