"""Rows of the schema before the present one are written again, in place, between units. Not for: reading an old row (that is
the codec's: a reader of n reads n - 1).

The partition row says which schema all rows have at least, and the highest that any may have. So a program that cannot read
what is there refuses to start, in the middle of an upgrade, too, and an upgrade that was killed goes on.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Final

from streamer.engine.exits import Exit, Refusal
from streamer.engine.partition_row import PARTITION_KEY

if TYPE_CHECKING:
    from streamer.engine.metrics import Metrics
    from streamer.engine.partition import OwnedPartition
    from streamer.engine.rows import Codec
    from streamer.engine.unit import Unit

log = logging.getLogger(__name__)

#: Rows looked at between two units, and their bytes, beyond which there is one more at most.
STEP_ROWS: Final = 500
STEP_BYTES: Final = 256 << 10
#: What a row costs beyond its key and value.
_ROW_BYTES: Final = 40


def check_schema(name: str, owned: OwnedPartition, schema: int) -> bool:
    """Whether rows must be upgraded to ``schema``. Raises Refusal(CONFIG) for rows that this program cannot read."""
    row = owned.row
    if not owned.known:
        row.schema = row.newest = schema
        return False
    least = row.schema or 1
    newest = max(least, row.newest)
    if newest > schema:
        raise Refusal(
            Exit.CONFIG,
            f"{name} holds rows of schema {newest}, this program knows {schema}: start the program that wrote them, or a later one",
        )
    if least < schema - 1:
        raise Refusal(
            Exit.CONFIG,
            f"{name} holds rows of schema {least}, this program reads {schema - 1} and {schema}: start the program of schema "
            f"{least + 1} first, until its log says that the upgrade is done",
        )
    row.schema, row.newest = least, schema
    return least < schema


class Upgrade:
    """The upgrade of one owned partition."""

    __slots__ = ("_codec", "_cursor", "_metrics", "_name", "_owned", "_schema", "done")

    def __init__(self, name: str, owned: OwnedPartition, codec: Codec, schema: int, metrics: Metrics) -> None:
        self._name = name
        self._owned = owned
        self._codec = codec
        self._schema = schema
        self._metrics = metrics
        self._cursor = PARTITION_KEY
        self.done = not check_schema(name, owned, schema)

    def step(self, unit: Unit) -> None:
        """A bounded piece of work, into the open unit. What units under way change has the present schema already."""
        owned, codec = self._owned, self._codec
        found: list[tuple[bytes, bytes]] = []
        size = 0
        for key, raw in islice(owned.stored.after(self._cursor), STEP_ROWS):
            found.append((key, raw))
            size += len(raw)
            if size >= STEP_BYTES:
                break
        for key, raw in found:
            if codec.encode(key, codec.decode(key, raw)) == raw:
                continue
            value = owned.rows.get(key)
            if value is not None:
                owned.rows.put(key, value, len(key) + len(raw) + _ROW_BYTES, keep=False)
                self._metrics.upgraded.inc()
        if found:
            self._cursor = found[-1][0]
            return
        unit.schema = self._schema  # its partition row, or a later one, follows all rows that were put
        self.done = True
        log.warning("%s: all rows have schema %d now", self._name, self._schema)
