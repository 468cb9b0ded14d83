"""Every event is accounted for (对账): inbound items against records, dead letters and the dossier's books; the residual is zero.

Not for: mending anything. Counts distinct items, never messages, on [from, to) offsets at a barrier: first the inbound ends are
taken and the intake waited for, then the records' ends and the dossier. An opening balance is an earlier audit's report.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Final

import msgspec

from streamer import kafka_io
from streamer.domain.messages import decode_dead_letter
from streamer.domain.records import HEADER_ORIGIN, Origin
from streamer.domain.state import PARTITION, Codec, Counts, Partition
from streamer.engine.partition_row import ORIGIN_BYTES, PARTITION_KEY, decode_partition_row, is_void
from streamer.errors import StreamerError
from streamer.kafka_io import Offsets
from topics.catalog import inbound_topics

RECORDS: Final = "credit.records"
DEAD_LETTERS: Final = "credit.dead-letters"
BARRIER_POLL_S: Final = 0.5
BARRIER_TIMEOUT_S: Final = 120.0
MAX_EXAMPLES: Final = 20  # items named in the report

Item = tuple[str, int, int, int]  # topic, partition, offset, party


class Balance(msgspec.Struct):
    """Offsets up to which everything is accounted for, and the dossier's books there: the opening of the next audit."""

    inbound: dict[str, int] = {}  # "topic|partition" → next offset
    records: dict[str, int] = {}
    dead_letters: dict[str, int] = {}
    books: dict[str, dict[str, int]] = {}  # partition → columns


class Report(msgspec.Struct, kw_only=True):
    """``residual`` is the sum of all absolute differences; 0: every item has exactly one fate."""

    events: int
    items: int
    fates: dict[str, int]
    reasons: dict[str, int]
    witnesses: int
    resent_messages: int
    differences: dict[str, int]
    residual: int
    examples: list[str]
    closing: Balance


class Seen(msgspec.Struct):
    """What was read, by item."""

    events: set[tuple[str, int, int]] = set()
    parties: dict[tuple[str, int, int], int] = {}  # event → number of its items
    records: dict[Item, int] = {}  # messages of each
    record_messages: int = 0
    refused: dict[Item, tuple[str, str]] = {}  # by the intake: fate, reason
    refused_later: dict[Item, str] = {}  # by the dossier: reason


async def audit(
    bootstrap: str,
    *,
    sources: list[str],
    intake_group: str,
    dossier_group: str,
    changelog: str,
    opening: Balance | None = None,
    timeout_s: float = BARRIER_TIMEOUT_S,
) -> Report:
    """Raises StreamerError when the workers do not reach the barrier in time."""
    opening = opening or Balance()
    inbound = inbound_topics(sources)
    deadline = time.monotonic() + timeout_s
    begin, end = await kafka_io.bounds(bootstrap, inbound)
    start = {key: max(offset, opening.inbound.get(_name(key), 0)) for key, offset in begin.items()}
    for key, offset in begin.items():
        if offset > opening.inbound.get(_name(key), 0):
            raise StreamerError(
                f"the log of {_name(key)} starts at {offset}, which no opening balance covers",
                todo="give the last report with `--opening FILE` (streamer audit --json > FILE, before retention deletes)",
            )
    seen = Seen()
    last: Offsets = {}
    async for message in kafka_io.read(bootstrap, start, end):
        seen.events.add((message.topic, message.partition, message.offset))
        last[message.topic, message.partition] = message.offset + 1
    await _reached(bootstrap, intake_group, last, deadline)
    _, records_end = await kafka_io.bounds(bootstrap, [RECORDS], committed_only=False)
    await _reached(bootstrap, dossier_group, records_end, deadline)
    _, letters_end = await kafka_io.bounds(bootstrap, [DEAD_LETTERS], committed_only=False)
    records_start = {key: opening.records.get(_name(key), 0) for key in records_end}
    letters_start = {key: opening.dead_letters.get(_name(key), 0) for key in letters_end}
    await _read_items(bootstrap, seen, (records_start, records_end), (letters_start, letters_end))
    books, _ = await read_books(bootstrap, changelog)
    closing = Balance(
        {_name(k): v for k, v in end.items()},
        {_name(k): v for k, v in records_end.items()},
        {_name(k): v for k, v in letters_end.items()},
        {str(p): columns(row) for p, row in books.items()},
    )
    return settle(seen, opening, closing)


def _name(key: tuple[str, int]) -> str:
    return f"{key[0]}|{key[1]}"


async def _reached(bootstrap: str, group: str, wanted: Offsets, deadline: float) -> None:
    """Wait until the group has committed everything up to ``wanted``."""
    while True:
        done = await kafka_io.committed(bootstrap, group)
        behind = {key: offset for key, offset in wanted.items() if offset > done.get(key, 0)}
        if not behind:
            return
        if time.monotonic() > deadline:
            raise StreamerError(
                f"group {group} has {sum(o - done.get(k, 0) for k, o in behind.items())} messages to go and the barrier timed out",
                todo="see `streamer status`: is the worker running? Then audit again, with a longer --timeout",
            )
        await asyncio.sleep(BARRIER_POLL_S)


async def _read_items(
    bootstrap: str, seen: Seen, records: tuple[Offsets, Offsets], letters: tuple[Offsets, Offsets]
) -> None:
    async for message in kafka_io.read(bootstrap, *records, committed_only=False):
        seen.record_messages += 1
        header = message.header(HEADER_ORIGIN)
        if header is not None:
            origin = Origin.parse(header.decode())
            seen.records[origin.item] = seen.records.get(origin.item, 0) + 1
            seen.parties[origin.event] = origin.parties
    async for message in kafka_io.read(bootstrap, *letters, committed_only=False):
        letter = decode_dead_letter(message.value or b"")
        origin = Origin.parse(letter.origin)
        if letter.stage == "intake":
            seen.refused[origin.item] = (letter.fate, letter.reason)
            seen.parties.setdefault(origin.event, origin.parties)
        else:
            seen.refused_later[origin.item] = letter.reason


async def read_books(bootstrap: str, changelog: str) -> tuple[dict[int, Partition], dict[int, int]]:
    """The dossier's books and applied offsets by partition, as the changelog has them last (void records left out)."""
    codec, books, applied = Codec(), dict[int, Partition](), dict[int, int]()
    async for message in kafka_io.read_all(bootstrap, [changelog], committed_only=False):
        if message.value is None or is_void(message.value, message.offset):
            continue
        if message.key == PARTITION:
            books[message.partition] = codec.decode(PARTITION, message.value[ORIGIN_BYTES:])
        elif message.key == PARTITION_KEY:
            applied[message.partition] = decode_partition_row(message.value[ORIGIN_BYTES:]).applied
    return books, applied


def columns(row: Partition) -> dict[str, int]:
    """A partition's books summed over its sources."""
    total = Counts()
    for counts in row.books.values():
        for name in Counts.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(counts, name))
    return {**msgspec.structs.asdict(total), "control": row.control, "resent": row.resent}


def settle(seen: Seen, opening: Balance, closing: Balance) -> Report:
    """Compare what came in with what became of it."""
    expected = {(*event, party) for event in seen.events for party in range(seen.parties.get(event, 1))}
    recorded = {item for item in seen.records if item[:3] in seen.events}
    known = recorded | seen.refused.keys()
    missing = sorted(expected - known)
    unknown = sorted(item for item in known | seen.refused_later.keys() if item not in expected)
    double = sorted(recorded & seen.refused.keys())
    book = Counter[str]()
    for partition, now in closing.books.items():
        before = opening.books.get(partition, {})
        book.update({name: value - before.get(name, 0) for name, value in now.items()})
    in_books = book["applied"] + book["duplicate"] + book["superseded"] + book["dead_lettered"]
    differences = {
        "items missing": len(missing),
        "items with two fates": len(double),
        "items of no event": len(unknown),
        "records' items against the books": abs(len(seen.records) - in_books),
        "records' messages against the books": abs(seen.record_messages - in_books - book["resent"] - book["control"]),
        "dead letters of the dossier against the books": abs(len(seen.refused_later) - book["dead_lettered"]),
    }
    fates = Counter(fate for fate, _ in seen.refused.values())
    fates.update({name: book[name] for name in ("applied", "duplicate", "superseded")})
    fates["dead-lettered"] += book["dead_lettered"]
    reasons = Counter(reason for _, reason in seen.refused.values()) + Counter(seen.refused_later.values())
    return Report(
        events=len(seen.events),
        items=len(expected),
        fates=dict(sorted(fates.items())),
        reasons=dict(sorted(reasons.items())),
        witnesses=book["witness"],
        resent_messages=book["resent"],
        differences=differences,
        residual=sum(differences.values()),
        examples=[f"{'|'.join(map(str, item))}" for item in (*missing, *double, *unknown)[:MAX_EXAMPLES]],
        closing=closing,
    )
