"""What is read of an older schema is written in the present one; the engine's upgrade rests on that."""

from __future__ import annotations

import pytest

from streamer.domain.state import (
    ALERT,
    DUE,
    EVENT,
    FACT,
    HEAD,
    MARK,
    PARTITION,
    SCHEMA,
    AlertRow,
    Codec,
    Event,
    Fact,
    Head,
    Partition,
)


@pytest.mark.parametrize(
    ("key", "row"), [(PARTITION, Partition), (HEAD, Head), (FACT, Fact), (EVENT, Event), (ALERT, AlertRow)]
)
def test_a_row_of_another_schema_is_written_in_the_present_one(key: bytes, row: type) -> None:
    codec = Codec()
    old = codec.encode(key, row(schema=SCHEMA - 1))
    assert codec.encode(key, codec.decode(key, old)) == codec.encode(key, row()) != old


def test_a_mark_has_no_schema() -> None:
    assert Codec().decode(DUE, Codec().encode(DUE, MARK)) is MARK
