"""A file is checked whole, sent whole, and what was acknowledged is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaConsumer
from click.testing import CliRunner

from streamer import admin
from streamer.cli.publish import publish
from streamer.domain.reasons import REASONS
from streamer.publish import BadLine, Message, Reader, check, send
from streamer.rulebook import Source
from topics import catalog
from topics.catalog import EXAMPLES
from topics.envelope import decode
from topics.settings import EVENT_MAX_BYTES

GOOD = sorted((EXAMPLES / "credit.decision.penalty.v1").glob("good-*.json"))
WHOLE: dict[str, Any] = orjson.loads((EXAMPLES / "credit.decision.penalty.v1" / "good-full.json").read_bytes())
OWN = "publish-test"  # a source that no other test has
TOPIC = catalog.EVENTS.topic(OWN)
WHOLE["source"] = f"urn:credit:source:{OWN}"
NUMBER = "11010519491231002X"


def source(name: str, *types: str) -> Source:
    return Source(
        id=name,
        name_zh="测试系统",
        types=types or ("decision.penalty",),
        domains=("tax", "procurement"),
        contact="x@example.org",
    )


SOURCES = {name: source(name) for name in ("tax", "procurement", OWN)}


def bad_lines(*lines: bytes, sources: dict[str, Source] = SOURCES) -> list[BadLine]:
    report = check(Reader(sources), lines)
    assert report.bad == len(report.bad_lines)
    return report.bad_lines


def line(**changes: Any) -> bytes:
    return orjson.dumps(WHOLE | changes)


def test_every_good_example_can_be_published() -> None:
    lines = [orjson.dumps(orjson.loads(path.read_bytes())) for path in GOOD]
    assert not bad_lines(*lines, b"", b"  \n")
    report = check(Reader(SOURCES), [*lines, b"\n"])
    assert (report.read, report.topics) == (
        len(lines), {"credit.events.procurement": 1, "credit.events.tax": len(lines) - 1},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason", "pointer"),
    [
        (b"{", "not_json", ""),
        (b"[]", "not_cloudevents", "/specversion"),
        (line(id=""), "not_cloudevents", "/id"),
        (line(id="a" + NUMBER), "citizen_number_in_field", "/id"),
        (line(source="urn:credit:source:nobody"), "source_mismatch", "/source"),
        (line(source="tax"), "source_mismatch", "/source"),
        (line(type="credit.loan.default.v1"), "unknown_type", "/type"),
        (line(type="credit.withdrawal.v1"), "type_not_open", "/type"),
        (line(data=WHOLE["data"] | {"decided_on": "2026-02-30"}), "impossible_date", "/data/decided_on"),
        (line(data=WHOLE["data"] | {"parties": []}), "schema", "/data/parties"),
        (line(data=WHOLE["data"] | {"domain": "court"}), "type_not_open", "/data/domain"),
        (line(data=WHOLE["data"] | {"facts": "测" * 20000, "remarks": "x" * 20000} |
              {"basis": [{"instrument": "测", "text": "测" * 20000}] * 9}), "oversized", ""),
    ],
)  # fmt: skip
def test_a_bad_line_is_told_with_number_and_place(text: bytes, reason: str, pointer: str) -> None:
    (found,) = bad_lines(line(), text)
    assert (found.line, found.reason, found.json_pointer) == (2, reason, pointer)
    assert NUMBER not in str(found)
    assert found.reason in REASONS


def test_messages_fit_and_carry_their_id_as_key() -> None:
    for binary in (False, True):
        ((_, message),) = Reader(SOURCES, binary=binary).read([line()])
        assert isinstance(message, Message)
        assert (message.topic, message.key) == (TOPIC, WHOLE["id"].encode())
        assert len(message.value) < EVENT_MAX_BYTES
        assert decode(message.value, message.headers).data == WHOLE["data"]


@pytest.fixture
async def topics(kafka: str) -> None:
    await admin.apply(kafka, [catalog.Topic(TOPIC, catalog.EVENTS)], partitions=4, replication=1)


async def test_every_line_is_acknowledged_and_can_be_read(kafka: str, topics: None) -> None:
    lines = [line(id=f"run-{i}") for i in range(500)]
    reader = Reader(SOURCES)
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=kafka) as consumer:
        await consumer.seek_to_end()
        report = await send(kafka, reader, lines, check(reader, lines))
        assert (report.read, report.sent, report.acknowledged, report.complete) == (500, 500, 500, True)
        seen: list[str] = []
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            batches = await consumer.getmany(timeout_ms=1000)
            seen += [decode(m.value, m.headers).id for batch in batches.values() for m in batch]
    assert sorted(seen) == sorted(f"run-{i}" for i in range(500))


async def test_a_missing_topic_is_told_before_anything_is_sent(kafka: str) -> None:
    reader = Reader({"nowhere": source("nowhere")})
    lines = [line(source="urn:credit:source:nowhere")]
    with pytest.raises(admin.AdminError, match=r"credit\.events\.nowhere"):
        await send(kafka, reader, lines, check(reader, lines))


def run(kafka: str, settings: Path, *args: str) -> tuple[int, str]:
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "STREAMER_SOURCES": str(settings)}
    result = CliRunner().invoke(publish, args, env=env, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


def test_the_command_sends_nothing_when_a_line_is_bad_unless_asked_to(tmp_path: Path, kafka: str, topics: None) -> None:
    file, sources = tmp_path / "events.jsonl", tmp_path / "sources.yaml"
    sources.write_bytes(orjson.dumps([msgspec.to_builtins(SOURCES[OWN])]))
    file.write_bytes(b"\n".join([line(), line(data={"姓名": NUMBER}), line(id="b")]))
    code, output = run(kafka, sources, str(file), "--json")
    report = json.loads(output)
    assert (code, report["read"], report["bad"], report["sent"]) == (1, 3, 1, 0)
    (bad,) = report["bad_lines"]
    assert (bad["line"], bad["reason"], bad["json_pointer"]) == (2, "schema", "/data/authority")
    code, output = run(kafka, sources, str(file), "--skip-bad")
    assert code == 1
    assert "3 read, 1 bad, 2 sent, 2 acknowledged" in output
    assert NUMBER not in output
    file.write_bytes(line())
    assert run(kafka, sources, str(file), "--dry-run")[0] == run(kafka, sources, str(file))[0] == 0


def test_history_goes_to_the_sources_other_topic() -> None:
    report = check(Reader(SOURCES, backfill=True), [line(), line(id="another")])
    assert report.topics == {catalog.BACKFILL.topic(OWN): 2}
