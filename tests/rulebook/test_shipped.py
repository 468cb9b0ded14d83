"""What ships: the real rows unsigned, as they were read or recalled; the fictional ones signed, of the same shapes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamer.domain.criteria import Expression
from streamer.rulebook import SECTIONS, find, load, row_hash, rows, rulebook_hash, sources
from streamer.rulebook.checks import check_folder
from streamer.rulebook.loader import SHIPPED


@pytest.mark.parametrize("name", ["real", "fictional"])
def test_a_shipped_rulebook_has_no_findings(name: str) -> None:
    assert check_folder(name) == ()


def test_no_real_row_is_signed() -> None:
    assert [row.id for _, row in rows(load("real")) if row.status == "signed"] == []
    assert not (SHIPPED / "real" / "signoff.yaml").exists()


def test_every_real_row_is_to_be_rechecked_and_has_no_end() -> None:
    assert [row.id for _, row in rows(load("real")) if not row.recheck or row.valid_to is not None] == []


def test_what_is_recalled_is_a_draft_and_stands_in_no_row_that_could_be_signed() -> None:
    real = load("real")
    assert {row.id for row in real.notes if row.status == "draft"} >= {
        "tax.major-dishonest.recalled-term",
        "tax.major-dishonest.recalled-exit",
        "tax.major-dishonest.notice",
    }
    recalled = [
        row.id for section, row in rows(real) if section != "notes" and "回忆" in "".join(b.text_zh for b in row.basis)
    ]
    assert recalled == []


def test_the_real_rulebook_has_the_two_lists_with_their_measures_and_items() -> None:
    real = load("real")
    assert [row.id for row in real.lists] == ["tax.major-dishonest", "procurement.serious"]
    assert {row.id for row in real.measures} == {
        "proc.refuse.tax",
        "proc.refuse.serious",
        "proc.consortium.tax",
        "proc.consortium.serious",
        "tax.d-level",
    }
    assert len([row for row in real.catalogue if row.id.startswith("tax.")]) == 12
    assert [row.id for row in real.supervision] == ["food.three-in-year"]
    assert len(real.authorities) == 2


def test_every_fictional_row_is_signed_and_looks_fictional() -> None:
    fictional = load("fictional")
    assert fictional.fictional
    assert [row.id for _, row in rows(fictional) if row.status != "signed"] == []
    assert all("测试省" in basis.instrument for _, row in rows(fictional) for basis in row.basis)
    assert all(row.id.startswith("11449900") for row in fictional.authorities)


def test_hashes_are_stable_and_differ() -> None:
    hashes = {name: rulebook_hash(load(name)) for name in ("real", "fictional")}
    assert hashes == {name: rulebook_hash(load(name)) for name in ("real", "fictional")}
    assert hashes["real"] != hashes["fictional"]
    assert all(re.fullmatch(r"[0-9a-f]{32}", text) for text in hashes.values())


def test_every_shipped_expression_compiles_alone() -> None:
    for name in ("real", "fictional"):
        rulebook = load(name)
        for row in rulebook.supervision:
            Expression(row.when)
            Expression(row.met)
        for entry in rulebook.lists:
            if entry.entry_when:
                Expression(entry.entry_when)


def test_find_finds_rows_of_every_section() -> None:
    fictional = load("fictional")
    for section in SECTIONS:
        for row in getattr(fictional, section):
            assert find(fictional, row.id) is row
    assert find(fictional, "no.such-row") is None


def test_two_rows_of_the_same_content_but_other_kind_have_other_hashes() -> None:
    fictional = load("fictional")
    assert len({row_hash(row) for _, row in rows(fictional)}) == len(list(rows(fictional)))


def test_eight_departments_and_a_collector_that_is_no_authority() -> None:
    found = {source.id: source for source in sources()}
    assert set(found) == {"tax", "customs", "court", "market", "finance", "quality", "housing", "drug", "collector"}
    codes = {row.id for row in load("fictional").authorities}
    assert all(set(source.authorities) <= codes for source in found.values())
    assert found["collector"].authorities == ()
    assert set(found["collector"].types) == {"decision.penalty", "document.recorded"}


def test_sources_of_a_broken_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    row = "- {id: a, name_zh: 甲, types: [decision.penalty], domains: [tax], contact: a@example.org}\n"
    for text, problem in (
        (row * 2, "used twice"),
        (row.replace("decision.penalty", "x"), "unknown types"),
        ("- {id: a}\n", "missing"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=problem):
            sources(file)
