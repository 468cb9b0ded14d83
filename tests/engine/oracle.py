"""What the toy must have done, worked out one event at a time over plain dicts; and the comparison with what it did."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.engine import toy
from tests.engine.cluster import Read

ORIGIN_BYTES = 16
PARTITION_KEY = b"\x00"


def events(seed: int, count: int, accounts: int = 300) -> Iterator[tuple[bytes, bytes]]:
    """(key, value): new facts, one in ten a duplicate, one in twenty a second witness; skewed towards few accounts."""
    r = random.Random(seed)
    weights = [1 / (i + 10) for i in range(accounts)]
    picks = r.choices(range(accounts), weights=weights, k=count)
    recent: list[tuple[bytes, toy.Event, bytes]] = []
    for i in range(count):
        z = r.random()
        if recent and z < 0.10:
            key, _, value = r.choice(recent)
            yield key, value
            continue
        event = toy.Event(f"e{i:07d}", f"a{picks[i]:05d}", f"doc{r.randrange(10**7):07d}", r.randrange(1, 10_000))
        if recent and z < 0.15:
            old = r.choice(recent)[1]
            event.account, event.document = old.account, old.document
        key, value = event.account.encode(), msgspec.json.encode(event) + b" " * 200
        recent.append((key, event, value))
        del recent[:-500]
        yield key, value


class DictRows:
    """Rows without an engine."""

    def __init__(self) -> None:
        self.d: dict[bytes, Any] = {}

    def get(self, key: bytes) -> Any:
        return self.d.get(key)

    def put(self, key: bytes, value: Any, grow: int, keep: bool = True) -> None:
        self.d[key] = value

    def delete(self, key: bytes) -> None:
        self.d.pop(key, None)

    def scan(self, prefix: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, Any]]:
        for key in sorted(k for k in self.d if k.startswith(prefix) and (stop is None or k < stop)):
            if key in self.d:
                yield key, self.d[key]


class Truth(NamedTuple):
    rows: list[dict[bytes, bytes]]
    alerts: list[dict[bytes, bytes]]
    standing: list[dict[bytes, bytes]]


def truth(source: list[list[Read]], schema: int = 1) -> Truth:
    """Sequentially, a partition at a time."""
    out = Truth([], [], [])
    for partition, records in enumerate(source):
        rows = DictRows()
        sent: dict[str, dict[bytes, bytes]] = {"alerts": {}, "standing": {}}

        def send(topic: str, _p: int, key: bytes, value: bytes, headers: Any = (), first: bool = False,
                 sent: dict[str, dict[bytes, bytes]] = sent) -> None:  # fmt: skip
            sent[topic][key] = value

        for record in records:
            assert record.value is not None
            toy.apply(rows, send, toy.decode_event(record.value), ("alerts", "standing"), partition)
        while toy.settle(rows, 1000):
            pass
        codec = toy.ToyCodec(schema)
        out.rows.append({k: codec.encode(k, v) for k, v in rows.d.items()})
        out.alerts.append(sent["alerts"])
        out.standing.append(sent["standing"])
    return out


def counted(changelog: list[list[Read]]) -> list[dict[bytes, bytes]]:
    """Rows by the records that count: those that lie where their writer expected."""
    out = []
    for records in changelog:
        rows: dict[bytes, bytes] = {}
        for r in records:
            assert r.key is not None
            if meant_for(r) != r.offset:
                continue
            rows[r.key] = (r.value or b"")[ORIGIN_BYTES:]
        out.append({k: v for k, v in rows.items() if v})
    return out


def meant_for(r: Read) -> int:
    """The offset at which the record's writer expected it to land; a tombstone says it in its header. -1: not said."""
    origin = r.value if r.value is not None else dict(r.headers).get("t", b"")
    return int.from_bytes(origin[8:16], "big") if len(origin) >= ORIGIN_BYTES else -1


def last(changelog: list[list[Read]]) -> list[dict[bytes, bytes]]:
    """Rows by the last record of each key: what is left after compaction."""
    out = []
    for records in changelog:
        rows = {r.key: (r.value or b"")[ORIGIN_BYTES:] for r in records if r.key is not None}
        out.append({k: v for k, v in rows.items() if v})
    return out


def stored(folder: Path, partitions: int) -> list[dict[bytes, bytes]]:
    """Rows of a local store, whose process has ended."""
    from rocksdict import AccessType, Options, Rdict

    db = Rdict(str(folder / "db"), Options(raw_mode=True), access_type=AccessType.read_only())
    out: list[dict[bytes, bytes]] = [{} for _ in range(partitions)]
    for key, value in db.items():
        if key[0] < 0xF0:
            out[int.from_bytes(key[1:3], "big")][key[3:]] = value
    db.close()
    return out


def differences(want: list[dict[bytes, bytes]], got: list[dict[bytes, bytes]]) -> dict[str, int]:
    """missing, unknown, conflicting rows; the engine's own row aside."""
    bad: Counter[str] = Counter()
    for w, g in zip(want, got, strict=True):
        mine = {k: v for k, v in g.items() if k != PARTITION_KEY}
        bad["missing"] += len(w.keys() - mine.keys())
        bad["unknown"] += len(mine.keys() - w.keys())
        bad["conflicting"] += sum(mine[k] != v for k, v in w.items() if k in mine)
    return dict(+bad)


def alert_differences(want: Truth, alerts: list[list[Read]]) -> dict[str, int]:
    """At least once, the same bytes every time; ``repeated`` is no difference and is left out."""
    bad: Counter[str] = Counter()
    for partition, records in enumerate(alerts):
        expected = want.alerts[partition]
        seen = {r.key for r in records}
        bad["alerts missing"] += len(expected.keys() - seen)
        bad["alerts unknown"] += len(seen - expected.keys())
        bad["alerts conflicting"] += sum(expected.get(r.key or b"") != r.value for r in records if r.key in expected)
    return dict(+bad)


def standing_differences(want: Truth, standing: list[list[Read]]) -> dict[str, int]:
    """The last version of each key must be the one that stands."""
    got = [{r.key: r.value for r in records} for records in standing]
    return differences(want.standing, got)  # type: ignore[arg-type]
