"""A variant without a guarantee is the product's own path without exactly that one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from bench.kernel.bare import BareRows, NoOrigin
from streamer.engine.commit import CommitSteps, RowMessages
from streamer.engine.partition_row import ORIGIN_BYTES
from streamer.engine.unit import NONE_DUE

ROWS = {b"f1": b"one", b"f2": None, b"h": b""}


class Appended:
    """An appender that keeps what it was given."""

    def __init__(self, offset: int) -> None:
        self.offset, self.calls = offset, list[tuple[Any, ...]]()

    async def batch(self, topic: str, partition: int, messages: Any, limit_bytes: int, failpoint: str | None) -> int:
        self.calls.append((topic, partition, list(messages), limit_bytes, failpoint))
        return self.offset


def test_records_differ_from_the_engines_by_the_origin_alone() -> None:
    engines, bare = (list(kind(5, 9, 100, ROWS.items())) for kind in (RowMessages, BareRows))
    assert bare == [message._replace(value=(message.value or b"")[ORIGIN_BYTES:]) for message in engines]
    assert [type(message) for message in bare] == [type(message) for message in engines]


async def test_a_step_differs_from_the_engines_by_the_origins_alone() -> None:
    taken = [await appended(steps, offset=7) for steps in (CommitSteps, NoOrigin)]
    (engines, where), (bare, bare_where) = taken
    strip = [message._replace(value=message.value[ORIGIN_BYTES:]) for message in engines[0][2]]
    assert bare == [(*engines[0][:2], strip, *engines[0][3:])]
    assert where == bare_where == 10


async def appended(kind: type[CommitSteps], offset: int) -> tuple[list[tuple[Any, ...]], int]:
    appender = Appended(offset)
    settings = SimpleNamespace(unit_max_bytes=1 << 20, commit_step_timeout_s=5.0)
    runtime: Any = SimpleNamespace(appender=appender, settings=settings, answered=lambda: None)
    owned: Any = SimpleNamespace(position=7, number=2, row=SimpleNamespace(applied=41))
    unit: Any = SimpleNamespace(timestamp_ms=5, due=NONE_DUE)
    await kind(runtime, "changelog").append_rows(owned, unit, ROWS.items())
    return appender.calls, owned.position
