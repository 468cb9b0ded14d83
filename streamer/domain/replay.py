"""The same records give the same output: an export of ``credit.records`` run through the domain alone (重放).

Not for: production. No Kafka, no Faust, no engine; rows are plain dictionaries. The oracle of the fault tests. An export is JSON
Lines: first ``{"rulebook": <hash>, "body": {…}}`` for each rulebook, then one line a record in order of offset within a partition:
``{"partition", "offset", "append_ms", "key", "origin", "content" (hex), "value": {…}}``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from streamer.domain.dossier import Dossier, Meta
from streamer.domain.law import Rulebook
from streamer.domain.lawbook import Law
from streamer.domain.records import Origin, Record, decode_record
from streamer.domain.state import DUE, DUE_INDEX, EXPIRY, Codec


class MemoryRows:
    """Rows of one partition in a dictionary, kept encoded: what was not put is not kept. Scans find calendar rows only."""

    SCANNED = DUE + DUE_INDEX + EXPIRY

    def __init__(self, codec: Codec | None = None) -> None:
        self._codec = codec or Codec()
        self.raw: dict[bytes, bytes] = {}
        self._sorted: dict[int, list[bytes]] = {kind: [] for kind in self.SCANNED}

    def get(self, key: bytes) -> Any:
        raw = self.raw.get(key)
        return None if raw is None else self._codec.decode(key, raw)

    def put(self, key: bytes, value: Any, grow: int, keep: bool = True) -> None:  # noqa: ARG002  as the engine's rows
        if key[0] in self._sorted and key not in self.raw:
            insort(self._sorted[key[0]], key)
        self.raw[key] = self._codec.encode(key, value)

    def delete(self, key: bytes) -> None:
        if self.raw.pop(key, None) is not None and key[0] in self._sorted:
            keys = self._sorted[key[0]]
            del keys[bisect_left(keys, key)]

    def scan(self, prefix: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, Any]]:
        keys = self._sorted[prefix[0]]
        at = bisect_left(keys, prefix)
        while at < len(keys) and keys[at].startswith(prefix) and (stop is None or keys[at] < stop):
            key = keys[at]
            yield key, self.get(key)
            at = bisect_right(keys, key)


class Collected:
    """Effects kept for comparison: each message once a sending, in order."""

    def __init__(self) -> None:
        self.alerts: list[tuple[str, str, bytes]] = []
        self.notices: list[tuple[str, str, bytes]] = []
        self.statuses: list[tuple[str, bytes]] = []
        self.refused: list[tuple[str, str, str]] = []  # origin, reason, json pointer
        self.reports: list[tuple[str, bytes]] = []

    def alert(self, domain: str, alert_id: str, body: bytes) -> None:
        self.alerts.append((domain, alert_id, body))

    def notice(self, source: str, notice_id: str, body: bytes) -> None:
        self.notices.append((source, notice_id, body))

    def status(self, org_code: str, body: bytes) -> None:
        self.statuses.append((org_code, body))

    def refuse(self, record: Record, origin: Origin, reason: str, json_pointer: str) -> None:  # noqa: ARG002
        self.refused.append((str(origin), reason, json_pointer))

    def counts(self, source: str, body: bytes) -> None:
        self.reports.append((source, body))


class ExportedRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of an export."""

    partition: int
    offset: int
    append_ms: int
    origin: str | None = None
    content: str = ""
    value: msgspec.Raw


class ExportedRulebook(msgspec.Struct):
    """A rulebook line of an export."""

    rulebook: str
    body: Rulebook


class Replay:
    """Runs records of any partitions; ``rows[p]`` and ``effects`` hold the result."""

    def __init__(self, rulebooks: dict[str, Rulebook]) -> None:
        self._laws = {key: Law(rulebook, key) for key, rulebook in rulebooks.items()}
        codec = Codec()
        self.rows: dict[int, MemoryRows] = defaultdict(lambda: MemoryRows(codec))
        self.effects = Collected()
        self._dossier = Dossier(self._laws.__getitem__)

    def record(self, partition: int, value: bytes, meta: Meta) -> None:
        self._dossier.apply(self.rows[partition], self.effects, decode_record(value), meta)

    def finish(self) -> None:
        """Work off all that is due in every partition."""
        for rows in self.rows.values():
            while self._dossier.sweep(rows, self.effects):
                pass


def run(lines: Iterable[bytes]) -> Replay:
    """Replay an export. Raises msgspec.ValidationError with the line's number on a line that is neither kind."""
    rulebooks: dict[str, Rulebook] = {}
    replay: Replay | None = None
    for number, line in enumerate(lines, 1):
        try:
            if line.startswith(b'{"rulebook"'):
                head = msgspec.json.decode(line, type=ExportedRulebook)
                rulebooks[head.rulebook] = head.body
                continue
            record = msgspec.json.decode(line, type=ExportedRecord)
        except msgspec.DecodeError as error:
            raise msgspec.ValidationError(f"line {number} of the export: {error}") from None
        if replay is None:
            replay = Replay(rulebooks)
        origin = Origin.parse(record.origin) if record.origin else None
        meta = Meta(record.offset, record.append_ms, origin, bytes.fromhex(record.content))
        replay.record(record.partition, bytes(record.value), meta)
    if replay is None:
        replay = Replay(rulebooks)
    replay.finish()
    return replay
