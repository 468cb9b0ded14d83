"""What is to be forgotten: many events to a row, each of them forgotten on its day, whatever wrote the rows."""

from __future__ import annotations

from streamer.domain import expiry
from streamer.domain.replay import MemoryRows
from streamer.domain.state import (
    EVENT,
    EVENT_BYTES,
    EXPIRIES_A_ROW,
    EXPIRY,
    EXPIRY_BYTES,
    MARK,
    Event,
    Expiries,
    Partition,
    day_key,
)

DAY = 740_000
ENTITY = b"TTTT99001"


def key_of(number: int) -> bytes:
    return ENTITY + number.to_bytes(16, "big")


def remember(rows: MemoryRows, numbers: range, day: int) -> None:
    for number in numbers:
        rows.put(EVENT + key_of(number), Event(content=b"c", expires=day), EVENT_BYTES)


def noted(rows: MemoryRows, partition: Partition, numbers: range, day: int) -> None:
    remember(rows, numbers, day)
    for number in numbers:
        expiry.note(rows, partition, day, key_of(number))


def kinds(rows: MemoryRows, kind: bytes) -> list[bytes]:
    return [key for key in rows.raw if key[:1] == kind]


def test_many_events_share_a_row_whose_size_is_bounded() -> None:
    rows, partition = MemoryRows(), Partition()
    noted(rows, partition, range(3 * EXPIRIES_A_ROW + 1), DAY)
    noted(rows, partition, range(1000, 1001), DAY + 1)
    assert len(kinds(rows, EXPIRY)) == 5
    assert max(len(key) + len(rows.raw[key]) for key in kinds(rows, EXPIRY)) <= EXPIRY_BYTES


def test_each_is_forgotten_on_its_day_and_no_sooner() -> None:
    rows, partition = MemoryRows(), Partition()
    noted(rows, partition, range(40), DAY)
    noted(rows, partition, range(40, 50), DAY + 1)
    assert not expiry.forget(rows, DAY - 1)
    assert len(kinds(rows, EVENT)) == 50
    assert not expiry.forget(rows, DAY)
    assert kinds(rows, EVENT) == [EVENT + key_of(number) for number in range(40, 50)]
    assert not expiry.forget(rows, DAY + 1)
    assert not kinds(rows, EVENT) + kinds(rows, EXPIRY)


def test_an_event_that_is_remembered_longer_meanwhile_stays() -> None:
    rows, partition = MemoryRows(), Partition()
    noted(rows, partition, range(2), DAY)
    noted(rows, partition, range(1, 2), DAY + 9)  # an end that waits for it came
    expiry.forget(rows, DAY)
    assert kinds(rows, EVENT) == [EVENT + key_of(1)]


def test_a_day_of_many_is_forgotten_in_pieces() -> None:
    rows, partition = MemoryRows(), Partition()
    count = 2 * expiry.SWEEP_EXPIRIES + 5
    noted(rows, partition, range(count), DAY)
    pieces = []
    more = True
    while more:
        before = len(kinds(rows, EVENT))
        more = expiry.forget(rows, DAY)
        pieces.append(before - len(kinds(rows, EVENT)))
    assert sum(pieces) == count
    assert max(pieces) < expiry.SWEEP_EXPIRIES + EXPIRIES_A_ROW


def test_rows_of_schema_1_are_forgotten_beside_the_new_ones() -> None:
    rows, partition = MemoryRows(), Partition()
    remember(rows, range(3), DAY)
    for number in range(3):
        rows.put(EXPIRY + day_key(DAY) + key_of(number), MARK, 60)
    noted(rows, partition, range(3, 5), DAY)
    assert not expiry.forget(rows, DAY)
    assert not kinds(rows, EVENT) + kinds(rows, EXPIRY)


def test_a_partition_row_of_schema_1_begins_with_the_first_expiry_row() -> None:
    rows = MemoryRows()
    rows.raw[b"p"] = (
        b"\x9b\x01\xa1r\xce\x00\x0bJ\xa0\xa6append\x00\x90\x80\x80\x00\x00\x00"  # eleven fields, as written then
    )
    partition = rows.get(b"p")
    assert (partition.rulebook, partition.clock, partition.expiry_day) == ("r", DAY, 0)
    expiry.note(rows, partition, DAY, key_of(1))
    assert rows.get(EXPIRY + day_key(DAY) + bytes(4)) == Expiries(events=[key_of(1)])
