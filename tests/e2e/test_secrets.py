"""A citizen number and a person's name planted in any field, key, id or header are readable nowhere behind the inbound topics."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from rocksdict import AccessType, Options, Rdict

from streamer.agents.admission import unpack_message
from streamer.domain.sealing import Sealer, dead_letter_aad
from tests.agents.events import FIRST, NAME, NUMBER, TYPES, encoded, event, individual, party, person
from tests.agents.test_planted import places, planted
from tests.e2e.chain import Chain
from tests.e2e.scan import leaks, needles
from topics.envelope import decode, encode_binary

SECRETS = (NUMBER, NAME)
WANTED = needles((NUMBER, NUMBER[:17], NAME))  # a number without its check digit is the number, too
MAKERS = (
    lambda _: NUMBER,
    lambda _: NAME,
    lambda old: f"{old}{NUMBER}",
    lambda old: f"{old}{NAME}",
)
NUMBERS = itertools.count(1)
Out = tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]]]


def fresh(type_: str, **changes: Any) -> dict[str, Any]:
    """An event that nothing else is about: an id and a document number of its own."""
    turn = next(NUMBERS)
    content = event(type_, id=f"s-{turn}", **changes)
    content["data"]["document_number"] = f"测税稽罚〔2026〕5{turn:05}号"
    return content


def planted_everywhere() -> Iterator[Out]:
    """One place at a time in each type, all at once, in keys, in headers of both modes, in what is no event."""
    for type_ in TYPES:
        paths = list(places(fresh(type_)))
        for path, make in itertools.product(paths, MAKERS):
            yield "tax", None, encoded(planted(fresh(type_), path, make)), []
        for companion in (person(), individual()):
            yield "tax", None, encoded(fresh(type_, parties=[party(), companion])), []
            content = fresh(type_, parties=[party(), companion])
            for path in paths:
                if path[-1] in {"facts", "remarks", "content", "text", "until_basis", "instrument", "url"}:
                    content = planted(content, path, lambda old: f"{NUMBER}{NAME}{old}")
            yield "tax", NUMBER.encode(), encoded(content), [(NUMBER, NAME.encode()), (NAME, NUMBER.encode())]
        content = fresh(type_)
        for path in paths:
            content = planted(content, path, lambda _: f"{NUMBER}{NAME}")
        yield "tax", NAME.encode(), encoded(content), [("traceparent", NUMBER.encode())]
    value, headers = encode_binary(decode(encoded(fresh("decision.penalty")), ()))
    for i, (name, _) in enumerate(headers):
        for secret in SECRETS:
            yield "tax", secret.encode(), value, [*headers[:i], (name, secret.encode()), *headers[i + 1 :]]
    for secret in SECRETS:
        whole = fresh("decision.penalty")
        yield "tax", secret.encode(), value, [*headers, (secret, secret.encode())]
        yield "tax", secret.encode(), encoded({**whole, secret: secret}), [("content-type", b"application/json")]
        yield "tax", secret.encode(), encoded({**whole, "data": {**whole["data"], secret: secret}}), []
        yield "tax", secret.encode(), secret.encode(), [(secret, secret.encode())]
        yield "tax", secret.encode(), encoded([secret]), []


@pytest.fixture(scope="module")
def sent(running: Chain) -> int:
    messages = list(planted_everywhere())
    running.publish(messages)
    running.through()
    return len(messages)


def clean(where: str, blob: bytes | str | None) -> None:
    if blob:
        raw = blob.encode() if isinstance(blob, str) else blob
        assert not leaks(raw, WANTED), f"readable in {where}"


def test_the_search_finds_what_is_packed() -> None:
    """Without this, all of the others would prove nothing."""
    for secret in SECRETS:
        text = f"x{secret}y".encode()
        packed = [
            text,
            json.dumps({"a": f"x{secret}y"}).encode(),
            base64.b64encode(b"1" + text),
            base64.urlsafe_b64encode(b"12" + text),
            text.hex().encode(),
            zlib.compress(text),
            gzip.compress(text),
            base64.b64encode(zlib.compress(text)),
            zlib.compress(base64.b64encode(text)).hex().encode(),
            msgspec.msgpack.encode({"a": [secret]}),
            secret.encode("utf-16-le"),
        ]
        for blob in packed:
            assert leaks(b"before " + blob + b" after", WANTED), blob
    assert leaks(msgspec.msgpack.encode([int(NUMBER[:17])]), WANTED)
    assert not leaks(b"nothing of the kind 449900198001019999", WANTED)


def test_it_was_planted_and_kept_sealed(chain: Chain, sent: int) -> None:
    """The secrets came in, and are in the sealed originals: what is looked for below is really there to be lost."""
    inbound = chain.read(["credit.events.tax"])
    assert sum(leaks(message.value or b"", WANTED) for message in inbound) > sent / 2
    sealer = Sealer.from_hex(chain.stage.seal_key)
    letters = chain.dead_letters()
    opened = 0
    for letter in letters:
        if letter.stage == "intake" and letter.source == "tax":
            body = sealer.open(base64.b64decode(letter.sealed), dead_letter_aad(letter.origin))
            opened += leaks(unpack_message(body)[1], WANTED)
    assert opened > 100


def test_in_no_topic_but_the_inbound_ones(chain: Chain, sent: int) -> None:
    topics = [topic for topic in chain.all_topics() if not topic.startswith("credit.events.")]
    assert {"credit.records", "credit.dead-letters", "credit.outcomes.tax", "credit.status"} <= set(topics)
    for message in chain.read([*topics, "__consumer_offsets"]):
        where = f"{message.topic}-{message.partition} at {message.offset}"
        clean(f"a key in {where}", message.key)
        clean(f"a value in {where}", message.value)
        for name, value in message.headers:
            clean(f"a header in {where}", name.encode() + b"\0" + value)


def test_in_no_table(chain: Chain, sent: int) -> None:
    tables = chain.rows(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    names = [row["name"] for row in tables]
    assert "enterprise.record" in names
    for name in names:
        for row in chain.rows(f"SELECT t::text AS row FROM {name} AS t"):
            clean(f"table {name}", row["row"])


def test_in_no_metric_and_no_output_of_a_command(chain: Chain, sent: int, tmp_path: Path) -> None:
    for role in chain.roles.values():
        port = (role.state_dir / "http.port").read_text().strip()
        for path in ("metrics", "healthz", "readyz"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
                clean(f"{role.name}/{path}", answer.read())
    for command in (
        ("status",),
        ("status", "--json"),
        ("status", FIRST),
        ("status", FIRST, "--json"),
        ("audit",),
        ("audit", "--json"),
        ("replay",),
        ("replay", "--json"),
        ("db", "status", "--json"),
        ("topics", "plan", "--json"),
    ):
        clean(f"streamer {' '.join(command)}", chain.command(*command))
    lines = tmp_path / "planted.jsonl"
    values = [value for _, _, value, headers in planted_everywhere() if not headers and value]
    lines.write_bytes(b"".join(orjson.dumps(_json(value)) + b"\n" for value in values))
    clean("streamer publish", chain.command("publish", str(lines), "--dry-run", "--json", code=1))
    clean("streamer publish", chain.command("publish", str(lines), code=1))


def _json(value: bytes) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.decode()


def test_in_no_state_folder_and_no_log(chain: Chain, sent: int) -> None:
    """With the roles stopped, so that all they hold is on the disk; then they go on."""
    chain.stop()
    try:
        home = chain.stage.home
        files = [path for folder in ("state", "logs") for path in (home / folder).rglob("*") if path.is_file()]
        files += [path for path in (home / "local").rglob("*.log") if "data" not in path.parts]
        assert any(path.suffix == ".sst" for path in files)
        for path in files:
            clean(str(path.relative_to(home)), path.read_bytes())
        database = Rdict(
            str(chain.roles["dossier"].state_dir / "db"), Options(raw_mode=True), access_type=AccessType.read_only()
        )
        rows = 0
        for key, value in database.items():
            rows += 1
            clean(f"a row of kind {key[3:4]!r}", key + b"\0" + value)
        database.close()
        assert rows > 100
    finally:
        chain.start()
