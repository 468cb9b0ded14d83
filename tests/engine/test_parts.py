"""The small pure parts: ledger, partition row, replay, starts, failpoints, exits, lock. One table of cases each."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine import exits, failpoints, wall
from streamer.engine.exits import ADVICE, Exit, Refusal, describe
from streamer.engine.ledger import Ledger
from streamer.engine.lock import FolderLock
from streamer.engine.partition_row import (
    MAX_LOSSES,
    TOMBSTONE_HEADER,
    PartitionRow,
    decode_partition_row,
    encode_partition_row,
    is_void,
    origin,
    read_origin,
    tombstone_header,
)
from streamer.engine.preflight import check_changelog, check_topics, compacted
from streamer.engine.producer import Appender
from streamer.engine.replay import Replay
from streamer.engine.settings import EngineSettings
from streamer.engine.starts import check, first_offset
from streamer.engine.store import Deleted
from streamer.engine.thread import Start
from streamer.engine.unit import Message, message_bytes

# ------------------------------------------------------------------ ledger


def test_a_ledger_takes_what_follows_and_refuses_a_gap() -> None:
    ledger = Ledger("t-0", 10, None)
    ledger.hand_over(10, 15, 5)
    for first, following, records in [(16, 20, 4), (14, 20, 6), (15, 20, 4)]:
        with pytest.raises(Refusal, match="t-0"):
            ledger.hand_over(first, following, records)
    ledger.hand_over(15, 20, 5)
    for first, following in [(11, 15), (10, 21), (10, 9)]:
        with pytest.raises(Refusal, match="t-0"):
            ledger.finish(first, following)
    ledger.finish(10, 20)
    assert (ledger.next, ledger.done, ledger.uncommitted) == (20, 20, 20)
    ledger.committed = 20
    assert ledger.uncommitted is None


def test_markers_and_aborted_records_are_no_gap_where_the_position_counts() -> None:
    ledger = Ledger("t-0", 0, 0, strict=False)
    ledger.hand_over(0, 12, 3)
    with pytest.raises(Refusal):
        ledger.hand_over(13, 14, 1)


@given(st.lists(st.integers(1, 5), max_size=20), st.data())
def test_a_ledger_ends_where_the_last_unit_ended(sizes: list[int], data: st.DataObject) -> None:
    ledger, position = Ledger("t-0", 0, None), 0
    for size in sizes:
        ledger.hand_over(position, position + size, size)
        position += size
    while ledger.done < position:
        ledger.finish(ledger.done, data.draw(st.integers(ledger.done, position)))
    assert ledger.done == ledger.next == position


# ------------------------------------------------------------------ partition row, replay


@given(
    st.integers(-1, 2**62), st.integers(0, 2**31), st.dictionaries(st.text(max_size=8), st.integers(0, 2**62)),
    st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), max_size=40),
)  # fmt: skip
def test_a_partition_row_survives_its_codec(
    applied: int, sequence: int, outputs: dict[str, int], losses: list[tuple[int, int]]
) -> None:
    row = PartitionRow(applied, sequence, 3, outputs)
    for loss in losses:
        row.lose(*loss)
    assert len(row.losses) <= MAX_LOSSES
    again = decode_partition_row(encode_partition_row(row))
    assert again == row
    if losses:
        assert (again.losses[0][0], again.losses[-1][1]) == (losses[0][0], losses[-1][1])


def test_an_older_partition_row_is_read() -> None:
    assert decode_partition_row(b"\x91\x05") == PartitionRow(applied=5)


class Rec(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 7


def good(offset: int, key: bytes, payload: bytes) -> Rec:
    return Rec(offset, key, origin(offset, offset) + payload)


def test_the_origin_tells_source_offset_and_place() -> None:
    assert read_origin(origin(7, 9) + b"x") == (7, 9)
    with pytest.raises(ValueError, match="origin"):
        read_origin(b"short")
    assert [is_void(origin(1, 5), 5), is_void(origin(1, 4), 5), is_void(b"", 0), is_void(None, 0)] == [
        False, True, True, True,
    ]  # fmt: skip


def test_records_that_lie_where_nobody_expected_them_do_not_count() -> None:
    replay = Replay(0)
    stale = Rec(2, b"a", origin(99, 1) + b"zombie")
    rows = replay.rows([good(0, b"a", b"1"), good(1, b"b", b"1"), stale], 3)
    assert rows == {b"a": b"1", b"b": b"1"}
    assert (replay.void, replay.spoiled, replay.position) == (1, {b"a"}, 3)
    assert replay.rows([good(3, b"a", b"2"), good(4, b"b", b"")], 5) == {b"a": b"2", b"b": None}
    assert replay.spoiled == set()


def tombstone(offset: int, key: bytes, meant: int, mark: int) -> Rec:
    return Rec(offset, key, None, (("other", b""), (TOMBSTONE_HEADER, tombstone_header(9, meant, mark))))


def test_a_tombstone_that_lies_where_it_was_meant_removes_a_row_and_settles_its_mark() -> None:
    replay = Replay(0)
    rows = replay.rows([good(0, b"a", b"1"), good(1, b"a", b""), tombstone(2, b"a", 2, 1), Rec(3, None, b"?")], 4)
    assert rows == {b"a": None}
    assert (replay.deleted, replay.settled) == ([Deleted(1, 7, b"a")], [(1, b"a")])
    assert replay.void == 0


@pytest.mark.parametrize(
    "late", [Rec(1, b"a", None), tombstone(1, b"a", 0, 0), Rec(1, b"a", None, ((TOMBSTONE_HEADER, b"short"),))]
)
def test_a_tombstone_that_lies_elsewhere_or_says_nothing_is_void(late: Rec) -> None:
    replay = Replay(0)
    assert replay.rows([good(0, b"a", b"1"), late], 2) == {b"a": b"1"}
    assert (replay.void, replay.spoiled) == (1, {b"a"})
    assert Replay(0, [b"z"]).spoiled == {b"z"}, "what an earlier reading found is known"


# ------------------------------------------------------------------ starts


class Owned(NamedTuple):
    following: int
    known: bool = True


@pytest.mark.parametrize(
    ("start", "owned", "first"),
    [
        (Start(0, 10, None), None, 0),
        (Start(3, 10, None), None, 3),
        (Start(0, 10, 4), None, 4),
        (Start(0, 10, 4), Owned(7), 4),  # redelivery is skipped, and counted
        (Start(0, 10, None), Owned(7), 7),  # the group's offsets expired: state knows
        (Start(0, 10, None), Owned(0, known=False), 0),
        (Start(5, 10, 4), Owned(7), 5),  # gone, but included
        (Start(0, 10, 0), Owned(0, known=False), 0),
    ],
)
def test_where_a_partition_starts(start: Start, owned: Any, first: int) -> None:
    assert check("t-0", start, owned) is None
    assert first_offset(start, owned) == first


@pytest.mark.parametrize(
    ("start", "owned", "loss"),
    [(Start(5, 10, 4), None, (4, 5)), (Start(9, 10, 4), Owned(7), (7, 9)), (Start(9, 10, None), Owned(7), (7, 9))],
)
def test_what_is_gone_is_known_exactly(start: Start, owned: Any, loss: tuple[int, int]) -> None:
    assert check("t-0", start, owned) == loss


@pytest.mark.parametrize(
    ("start", "owned", "text"),
    [
        (Start(0, 5, None), Owned(7), "t-0 ends at 5"),
        (Start(0, 5, 7), None, "group has committed 7"),
        (Start(0, 9, 8), Owned(7), "changelog was deleted"),
        (Start(0, 9, 8), Owned(0, known=False), "changelog was deleted"),
    ],
)
def test_a_topic_made_anew_is_refused(start: Start, owned: Any, text: str) -> None:
    with pytest.raises(Refusal, match=text) as refused:
        check("t-0", start, owned)
    assert refused.value.code is Exit.CONFIG


# ------------------------------------------------------------------ preflight


def test_missing_and_unequal_topics_are_named_with_what_to_do() -> None:
    check_topics({"a": 4, "b": 2}, {"a": 4, "b": None})
    with pytest.raises(Refusal, match=r"topics missing: c, d\. Create them: streamer topics apply"):
        check_topics({"a": 4}, {"d": None, "a": 4, "c": 4})
    with pytest.raises(Refusal, match="a has 4 partitions, not 8"):
        check_topics({"a": 4}, {"a": 8})


def test_a_changelog_that_would_lose_rows_is_refused() -> None:
    made = {"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime", "max.message.bytes": "3000"}
    check_changelog("c", {"c": made}, 3000)
    check_changelog("c", {}, 3000)  # not allowed to ask
    for key, value, text in [
        ("cleanup.policy", "delete", "compact"),
        ("cleanup.policy", "compact,delete", "compact"),
        ("message.timestamp.type", "CreateTime", "LogAppendTime"),
        ("max.message.bytes", "2999", "unit_max_bytes"),
    ]:
        with pytest.raises(Refusal, match=text):
            check_changelog("c", {"c": {**made, key: value}}, 3000)
    assert compacted({"a": made, "b": {"cleanup.policy": "delete"}}) == {"a"}


# ------------------------------------------------------------------ failpoints, exits, lock, settings, batches


def test_failpoints_need_two_switches_and_count(monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[str] = []
    monkeypatch.setattr(failpoints, "kill", lambda: died.append("x"))
    failpoints.arm({"STREAMER_FAILPOINTS": "after_outputs"})
    failpoints.hit("after_outputs")
    assert died == []
    failpoints.arm({"STREAMER_FAILPOINTS": "after_outputs:2,in_recovery", "STREAMER_ALLOW_FAILPOINTS": "1"})
    for _ in range(2):
        failpoints.hit("after_outputs")
    assert died == []
    failpoints.hit("after_outputs")
    failpoints.hit("in_recovery")
    assert died == ["x", "x"]
    with pytest.raises(ValueError, match="'nowhere' is none of"):
        failpoints.arm({"STREAMER_FAILPOINTS": "nowhere", "STREAMER_ALLOW_FAILPOINTS": "1"})
    failpoints.arm({})


def test_a_failpoint_stops_the_process_once_and_lets_it_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []
    monkeypatch.setattr(failpoints, "stop", lambda: stopped.append("x"))
    failpoints.arm({"STREAMER_FAILPOINTS": "before_outputs:1:stop", "STREAMER_ALLOW_FAILPOINTS": "1"})
    for _ in range(4):
        failpoints.hit("before_outputs")
    assert stopped == ["x"]
    with pytest.raises(ValueError, match="'sleep' is not `stop`"):
        failpoints.arm({"STREAMER_FAILPOINTS": "before_outputs:1:sleep", "STREAMER_ALLOW_FAILPOINTS": "1"})
    failpoints.arm({})


def test_every_exit_says_what_to_do() -> None:
    assert set(ADVICE) == set(Exit)
    assert [int(e) for e in Exit] == list(range(70, 84))


def test_a_handlers_exception_is_shown_by_class_and_place_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exits, "terminate", lambda code: None)
    monkeypatch.setattr(exits.sys, "__stderr__", exits.sys.stderr)
    with pytest.raises(SystemExit) as ended:
        exits.fatal(Exit.HANDLER, "agent x", KeyError("440100199001011234"))
    shown = capsys.readouterr().err
    assert ended.value.code == Exit.HANDLER
    assert "440100199001011234" not in shown
    assert "KeyError" in shown
    assert "exit 70 (handler)" in shown
    assert "440100199001011234" in describe(KeyError("440100199001011234"), with_text=True)


def test_a_refusal_carries_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exits, "terminate", lambda code: None)
    with pytest.raises(SystemExit) as ended:
        exits.fatal(Exit.STALL, "commit", Refusal(Exit.FOREIGN, "somebody"))
    assert ended.value.code == Exit.FOREIGN


@pytest.mark.parametrize("code", [Exit.HANDLER, Exit.CONFIG, Exit.STALL])
@pytest.mark.parametrize(
    "exc",
    [
        OSError(errno.ENOSPC, "No space left on device", "http.port"),
        OSError(errno.EFBIG, "File too large"),
        Exception("IO error: No space left on device: While appending to file: db/000012.sst: No space left on device"),
        Exception("IO error: While open a file for appending: db/000012.sst: Disk quota exceeded"),
    ],
    ids=["file", "limit of the process", "RocksDB", "RocksDB, quota"],
)
def test_a_full_disk_has_a_code_of_its_own_wherever_it_shows(
    code: Exit, exc: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exits, "terminate", lambda code: None)
    monkeypatch.setattr(exits.sys, "__stderr__", exits.sys.stderr)
    wrapped: Exception = (
        Refusal(code, "an event's own words") if code is Exit.CONFIG else KeyError("an event's own words")
    )
    wrapped.__cause__ = exc
    for seen in (exc, wrapped):
        with pytest.raises(SystemExit) as ended:
            exits.fatal(code, "commit of t-0", seen)
        assert ended.value.code == Exit.DISK
    shown = capsys.readouterr().err
    assert "the disk is full: commit of t-0" in shown
    assert "make room" in shown
    assert "own words" not in shown


@pytest.mark.parametrize(
    "exc",
    [
        OSError(errno.EACCES, "Permission denied"),
        Exception("Corruption: bad block"),
        KeyError("No space left on device"),
    ],
)
def test_other_faults_keep_their_code(exc: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exits, "terminate", lambda code: None)
    with pytest.raises(SystemExit) as ended:
        exits.fatal(Exit.STALL, "commit", exc)
    assert ended.value.code == Exit.STALL


def test_a_process_whose_log_cannot_be_written_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exits, "terminate", lambda code: None)
    monkeypatch.setattr(exits.sys, "__stderr__", Full())
    with pytest.raises(SystemExit) as ended:
        exits.fatal(Exit.GAP, "hand-over")
    assert ended.value.code == Exit.GAP


# ------------------------------------------------------------------ the wall clock


def test_the_wall_clock_is_shifted_only_where_failpoints_are_allowed(tmp_path: Path) -> None:
    file = tmp_path / "shift"
    named = {"STREAMER_CLOCK_SHIFT_FILE": str(file)}
    assert wall.clock_of(named) is time.time
    assert wall.clock_of({"STREAMER_ALLOW_FAILPOINTS": "1"}) is time.time
    clock = wall.clock_of(named | {"STREAMER_ALLOW_FAILPOINTS": "1"})
    for text, shift in [(None, 0), ("86400", 86_400), ("-86400\n", -86_400), ("", 0)]:
        if text is not None:
            file.write_text(text)
        before = time.time()
        seen = clock()
        assert before <= seen - shift <= time.time()
    file.write_text("a day")
    with pytest.raises(ValueError, match="a day"):
        clock()


def test_a_state_folder_has_one_holder(tmp_path: Path) -> None:
    FolderLock(tmp_path / "a").take()
    with pytest.raises(Refusal, match="is held by process"):
        FolderLock(tmp_path / "a").take()
    FolderLock(tmp_path / "b").take()


@pytest.mark.parametrize(
    "wrong", [{"unit_target_bytes": 4 << 20}, {"heartbeat_s": 9.0}, {"slices_in_flight": 0}, {"unit_target_bytes": 0}]
)
def test_limits_that_contradict_each_other_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        EngineSettings(app_id="a", bootstrap_servers="b", state_dir=tmp_path, **wrong)


@given(st.lists(st.integers(0, 300), max_size=40))
def test_batches_keep_order_and_stay_below_their_bound(sizes: list[int]) -> None:
    queue = [Message(0, b"%d" % i, b"x" * size, ()) for i, size in enumerate(sizes)]
    parts = list(Appender.parts(queue, 400))
    assert [m for part in parts for m in part] == queue
    assert all(part for part in parts)
    assert all(len(part) == 1 or sum(map(message_bytes, part)) <= 400 for part in parts)
