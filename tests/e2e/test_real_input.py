"""What a collector of public notices publishes: kept, shown, and nothing raised; published again, nothing changes.

CREDIT_SHARED_DATA names a folder with the real file (tax_decisions_2026-07-26.jsonl); without it, one of the same shape is made.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from streamer.domain.state import FACT, HEAD, Codec, Partition
from streamer.engine.partition_row import ORIGIN_BYTES
from tests.e2e.chain import Chain
from tests.real_input import real_or_made

ALIAS: Final = "collector/tax-decisions-2026"
BIG_FEN: Final = 10**10  # 100 million yuan


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_or_made(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def published(running: Chain, file: Path) -> dict[str, Any]:
    """Once, and all through."""
    report: dict[str, Any] = orjson.loads(running.command("publish", str(file), "--alias", ALIAS, "--json"))
    running.through()
    return report


RECORDS: Final = "SELECT * FROM enterprise.record WHERE source = 'collector'"


def books(chain: Chain) -> Counter[str]:
    """The collector's page of the books, and the dead letters of its topic."""
    codec, last = Codec(), dict[int, Partition]()
    for message in chain.read([chain.stage.changelog]):
        if message.key == b"p" and message.value:
            last[message.partition] = codec.decode(b"p", message.value[ORIGIN_BYTES:])
    found = Counter[str]()
    for row in last.values():
        counts = row.books.get("collector")
        if counts is not None:
            for name in ("applied", "duplicate", "superseded", "dead_lettered"):
                found[name] += getattr(counts, name)
    found["parked"] = sum(letter.source == "collector" and letter.fate == "parked" for letter in chain.dead_letters())
    return found


def facts(chain: Chain, org_codes: set[str]) -> dict[tuple[int, bytes], bytes]:
    """Head and fact rows of these entities, as the state has them last."""
    found: dict[tuple[int, bytes], bytes] = {}
    for message in chain.read([chain.stage.changelog]):
        key = message.key or b""
        if key[:1] in {HEAD, FACT} and key[1:10].decode() in org_codes:
            found[message.partition, key] = (message.value or b"")[ORIGIN_BYTES:]
    return found


def test_all_of_it_is_recorded_or_held(chain: Chain, published: dict[str, Any]) -> None:
    assert (published["read"], published["bad"], published["acknowledged"]) == (23, 0, 23)
    rows = chain.rows(RECORDS)
    assert Counter(row["type"] for row in rows) == {"document.recorded": 15, "decision.penalty": 7}
    assert Counter(row["date_status"] for row in rows) == {"unknown": 19, "known": 3}
    held = [letter for letter in chain.dead_letters() if letter.source == "collector"]
    assert [(letter.fate, letter.reason) for letter in held] == [("parked", "identity_unresolved")]
    assert books(chain) == Counter(applied=22, parked=1)


def test_what_it_does_not_say_is_unstated(chain: Chain, published: dict[str, Any]) -> None:
    for row in chain.rows(RECORDS):
        assert (row["conduct"], row["basis_stated"]) == ("unstated", False)


def test_a_collector_is_no_authority_and_raises_nothing(chain: Chain, published: dict[str, Any]) -> None:
    rows = chain.rows(RECORDS)
    org_codes = {row["org_code"] for row in rows}
    amounts = [
        sanction["amount_fen"] for row in rows for sanction in orjson.loads(row["data"]).get("sanctions", [])
        if row["type"] == "document.recorded"
    ]  # fmt: skip
    assert max(amounts) > BIG_FEN, "the 处理 of more than 100 million yuan is there"
    for table in ("alert", "alert_history", "notice", "notice_history"):
        found = {row["org_code"] for row in chain.rows(f"SELECT org_code FROM enterprise.{table}")}
        assert not found & org_codes


def test_published_again_nothing_changes(chain: Chain, file: Path, published: dict[str, Any]) -> None:
    org_codes = {row["org_code"] for row in chain.rows(RECORDS)}
    before = facts(chain, org_codes)
    rows_before = chain.rows(RECORDS)
    assert len([key for _, key in before if key[:1] == FACT]) == 22
    chain.command("publish", str(file), "--alias", ALIAS, "--json")
    chain.through()
    assert books(chain) == Counter(applied=22, duplicate=22, parked=2)
    assert facts(chain, org_codes) == before
    assert chain.rows(RECORDS) == rows_before
    assert chain.audit().residual == 0
