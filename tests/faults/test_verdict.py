"""What the verdict compares, each by itself: copies against cuts, local stores against a changelog, tables against messages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import msgpack

from streamer.domain.state import AlertRow
from streamer.engine.partition_row import origin
from streamer.engine.restore import Restore
from streamer.engine.store import NO_ID, Store
from streamer.kafka_io import Message
from tests.faults import tables
from tests.faults.changelog import TABLE, Fold, stored
from tests.faults.in_flight import Cut, Landings, Told, beyond, in_flight
from tests.faults.scenarios import local_store
from tests.faults.tables import Expected, readers
from tests.faults.verdict import Judge

LOG, ALERTS = "changelog", "credit.alerts.procurement"


def body(message: str) -> bytes:
    event = {
        "specversion": "1.0",
        "id": message,
        "type": "t",
        "time": "2026-01-01T00:00:00Z",
        "subject": "s",
        "data": {},
    }
    return json.dumps(event).encode()


def landed(*rows: tuple[int, str]) -> Landings:
    """Rows of alerts in partition 0, at these offsets, each of a unit of ten records."""
    found = Landings()
    for number, (offset, message) in enumerate(rows, 1):
        value = origin(10 * number, offset) + msgpack.encode(AlertRow(body=body(message)))
        found.row(LOG, 0, offset, b"a" + message.encode(), value)
    return found


def told(**places: list[int]) -> dict[str, list[Told]]:
    return {name.replace("_", "."): [Told(ALERTS, 0, offset) for offset in offsets] for name, offsets in places.items()}


def cut(state: int, out: int | None) -> Cut:
    return Cut({(LOG, 0): state}, None if out is None else {(ALERTS, 0): out})


@pytest.mark.parametrize(
    ("cuts", "at_most"),
    [
        ([cut(5, 1)], 1),  # told, its row not there yet
        ([cut(6, 1)], 0),  # its row was there
        ([cut(5, 0)], 0),  # it was not told yet
        ([cut(5, 1), cut(5, 2)], 2),
        ([cut(5, None)], 1),
        ([Cut({("another", 0): 9}, {(ALERTS, 0): 1})], 1),  # a changelog that never had it
        ([], 0),
    ],
)
def test_a_message_may_come_again_for_each_cut_at_which_it_was_in_flight(cuts: list[Cut], at_most: int) -> None:
    messages = told(a_1=[0, 1, 2])
    allowed = in_flight(cuts, messages, landed((5, "a.1")))
    assert allowed.total() == at_most
    assert sum(beyond(messages, allowed).values()) == 2 - at_most


def test_a_row_of_a_later_revision_includes_the_earlier_one() -> None:
    landings = landed((3, "a.1"), (7, "a.3"))
    assert [landings.at(LOG, f"a.{revision}") for revision in (1, 2, 3, 4)] == [(0, 3, 0), (0, 7, 10), (0, 7, 10), None]


@pytest.mark.parametrize(("read", "at_most"), [(5, 1), (9, 1), (10, 2), (25, 2)])
def test_one_that_lives_on_can_tell_only_of_records_that_it_has_read(read: int, at_most: int) -> None:
    silent = Cut({(LOG, 0): 0}, {(ALERTS, 0): 9}, {0: read})
    assert in_flight([silent], told(a_1=[0], b_1=[1]), landed((5, "a.1"), (8, "b.1"))).total() == at_most


# ---------------------------------------------------------------------- local stores


def record(offset: int, key: bytes, payload: bytes, *, position: int | None = None) -> Message:
    return Message(LOG, 0, offset, 0, key, origin(1, offset if position is None else position) + payload, ())


CHANGES = [
    record(0, b"h1", b"one"),
    record(1, b"h2", b"two"),
    record(2, b"h1", b"void", position=9),
    record(3, b"h2", b""),
]


def folder(path: Path, rows: dict[bytes, bytes], position: int) -> Path:
    """A worker's state folder."""
    store = Store(path)
    store.partition(store.table_id(TABLE), 0).write(rows, position)
    store.close()
    return path


@pytest.mark.parametrize(
    ("rows", "position", "level", "differ"),
    [
        ({b"h1": b"one"}, 4, {0}, []),
        ({b"h1": b"one", b"h2": b"two"}, 3, set(), []),
        ({}, 0, set(), []),
        ({b"h1": b"one", b"h2": b"two"}, 4, {0}, [b"h2"]),
        ({b"h1": b"void"}, 4, {0}, [b"h1"]),
        ({}, 2, set(), [b"h1", b"h2"]),
        ({b"h1": b"one"}, 5, set(), [b"beyond the changelog's end"]),
    ],
)
async def test_a_local_store_holds_what_the_changelog_adds_up_to_at_its_position(
    rows: dict[bytes, bytes], position: int, level: set[int], differ: list[bytes], tmp_path: Path
) -> None:
    fold = Fold(LOG, 1, stored(folder(tmp_path / "state", rows, position), 1))

    async def changes() -> AsyncIterator[Message]:
        for change in CHANGES:
            yield change

    await fold.read(changes(), {0: len(CHANGES)}, Landings())
    assert fold.rows == {0: {b"h1": b"one"}}
    assert fold.void == 1
    assert fold.level == level
    assert sorted(key for _, _, key in fold.differ) == differ


def test_a_worker_without_a_state_folder_has_no_store(tmp_path: Path) -> None:
    assert stored(tmp_path / "nothing", 4) == []


def test_a_store_that_is_ahead_is_built_anew_with_the_words_that_its_scenario_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(folder(tmp_path / "state", {b"h1": b"of nobody"}, local_store.BEYOND))
    kept = store.partition(store.table_id(TABLE), 0)
    assert Restore("changelog-0", kept, NO_ID, 1_000, lambda: 0).begin(0, 4) == 0
    assert caplog.text.count(local_store.REBUILT) == 1
    assert list(kept.after(b"")) == []
    store.close()


# ---------------------------------------------------------------------- tables


def message(topic: str, value: dict[str, Any], offset: int = 3, **headers: bytes) -> Message:
    return Message(topic, 1, offset, 1_000, b"k", json.dumps(value).encode(), tuple(headers.items()))


ITEM = {
    "record": "item", "type": "decision.penalty", "source": "s", "id": "e1", "domain": "d", "document_number": "n\x00",
    "authority": {"name": "office"}, "party": {"org_code": "123456789"}, "decided_on": "2026-01-02", "sealed": "AAEC",
}  # fmt: skip
HEADERS = {tables.HEADER_ORIGIN: b"credit.events.s|2|7|0|1", tables.HEADER_HASH: b"\x01\x02"}
ROW = {
    "source": "s", "event_id": "e1", "org_code": "123456789", "content_hash": b"\x01\x02", "type": "decision.penalty",
    "domain": "d", "version": 1, "sealed": b"\x00\x01\x02", "inbound_topic": "credit.events.s", "inbound_partition": 2,
    "inbound_offset": 7, "party": 0, "parties": 1, "records_partition": 1, "records_offset": 3, "appended_at": 1_000,
    "authority_code": None, "authority_name": "office", "document_number": "n\ufffd", "conduct": "unstated",
    "basis_stated": False,
}  # fmt: skip


def test_a_record_s_row_is_known_column_by_column_and_its_first_copy_stays() -> None:
    expected = Expected()
    take = readers(expected, ["procurement"], ["s"])["credit.records"]
    take(message("credit.records", ITEM, **HEADERS))
    take(message("credit.records", ITEM, offset=9, **HEADERS))
    take(message("credit.records", {"record": "tick", "date": "2026-01-01"}))
    [row] = expected.rows[tables.RECORDS].values()
    assert {name: row[name] for name in ROW} == ROW
    assert row["data"] == {**{k: v for k, v in ITEM.items() if k != "sealed"}, "document_number": "n\ufffd"}
    assert str(row["decided_on"]) == "2026-01-02"
    assert not expected.rows[tables.PEOPLE]


def test_of_an_alert_the_highest_revision_stands_with_the_time_of_the_first() -> None:
    expected = Expected()
    take = readers(expected, ["procurement"], ["s"])[ALERTS]
    data = {
        "alert_id": "a", "action": "raised", "domain": "procurement", "entity": {"org_code": "o"}, "in_force": True,
        "listing": {"list": "l"}, "measure": {"rule_id": "r", "class": "c"},
    }  # fmt: skip
    for revision in (2, 1, 1):
        take(message(ALERTS, {"time": f"1970-01-01T00:00:0{revision}Z", "data": data | {"revision": revision}}))
    [row] = expected.rows[tables.ALERTS].values()
    assert (row["revision"], row["changed_at"], row["raised_at"]) == (2, 2_000, 1_000)
    assert len(expected.rows[tables.ALERT_HISTORY]) == 2


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, {"not once": 0, "missing": 0, "differs": 0}),
        ({"authority_name": "another"}, {"not once": 0, "missing": 0, "differs": 1}),
        ({"event_id": "e2"}, {"not once": 0, "missing": 1, "differs": 1}),
    ],
)
def test_a_row_that_differs_in_one_column_is_found(changes: dict[str, Any], wrong: dict[str, int]) -> None:
    it = Judge(None, None)  # type: ignore[arg-type]  # its tables need no stage
    key = tuple(ROW[name] for name in tables.RECORDS.key)
    it._table(tables.RECORDS, {key: ROW}, [ROW | changes])
    assert it.wrong == {f"Postgres enterprise.record: {name}": count for name, count in wrong.items()}
    assert Counter(it.figures) == {"Postgres enterprise.record": 1}


def test_a_column_that_nothing_determines_is_left_out() -> None:
    it = Judge(None, None)  # type: ignore[arg-type]
    it.free = {"enterprise.record": frozenset({"records_offset"})}
    key = tuple(ROW[name] for name in tables.RECORDS.key)
    it._table(tables.RECORDS, {key: ROW}, [ROW | {"records_offset": 8}])
    assert not any(it.wrong.values())
