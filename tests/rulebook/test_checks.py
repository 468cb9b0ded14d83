"""``streamer rules check`` catches each kind of defect, and says where it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from streamer.domain import law
from streamer.rulebook import Signature, load, row_hash
from streamer.rulebook.checks import check, check_folder
from streamer.rulebook.loader import SHIPPED

Change = Callable[[law.Rulebook], law.Rulebook]


def with_row(section: str, row_id: str, **changes: Any) -> Change:
    def change(rulebook: law.Rulebook) -> law.Rulebook:
        changed = tuple(
            msgspec.structs.replace(row, **changes) if row.id == row_id else row for row in getattr(rulebook, section)
        )
        assert changed != getattr(rulebook, section)
        return msgspec.structs.replace(rulebook, **{section: changed})

    return change


def twice(section: str, row_id: str) -> Change:
    def change(rulebook: law.Rulebook) -> law.Rulebook:
        found = getattr(rulebook, section)
        return msgspec.structs.replace(rulebook, **{section: (*found, *(row for row in found if row.id == row_id))})

    return change


LISTING, PENALTY, MEASURE, COUNT = (
    "tax.major-dishonest",
    "procurement.serious",
    "test.qual.limit.tax",
    "test.food.three-in-year",
)
COURT = "11449900TTTT00014K"

DEFECTS: dict[str, tuple[Change, str]] = {
    "an id twice": (twice("lists", LISTING), "used 2 times"),
    "no basis": (with_row("measures", MEASURE, basis=()), "no basis"),
    "no words": (with_row("measures", MEASURE, basis=(law.LegalBasis("办法", "一", " "),)), "no text_zh"),
    "no article": (with_row("lists", LISTING, basis=(law.LegalBasis("办法", "", "词"),)), "no article"),
    "valid_from no date": (with_row("lists", LISTING, valid_from="2022"), "is no date"),
    "valid_from impossible": (with_row("lists", LISTING, valid_from="2022-02-30"), "is no date"),
    "ends before it begins": (with_row("lists", LISTING, valid_to="2001-01-01"), "before valid_from"),
    "measure without its list": (with_row("measures", MEASURE, list="no.list"), "is not here"),
    "unknown domain": (with_row("measures", MEASURE, domain="weather"), "is unknown"),
    "closed domain": (with_row("measures", MEASURE, domain="tendering"), "is not open"),
    "unknown class": (with_row("measures", MEASURE, class_="forbid"), "class 'forbid'"),
    "a person as target": (with_row("measures", MEASURE, target="person"), "only organisations"),
    "an objection that suspends": (with_row("measures", MEASURE, objection_suspends=True), "only a stay"),
    "a may that refuses": (with_row("measures", MEASURE, action_zh="拒绝其取得资质"), "commands a refusal"),
    "no action": (with_row("measures", MEASURE, action_zh=""), "action_zh is empty"),
    "ground outside the catalogue": (
        with_row("lists", LISTING, grounds=(law.Ground("tax.nothing", "无"),)),
        "not in the catalogue",
    ),
    "no one lists": (with_row("lists", LISTING, listed_by=()), "listed_by is empty"),
    "an unknown role lists": (with_row("lists", LISTING, listed_by=("weather",)), "role that no authority has"),
    "unknown requirement": (with_row("lists", LISTING, requires=("published_on", "luck")), "'luck' is unknown"),
    "unpublished listings": (with_row("lists", LISTING, requires=()), "does not require published_on"),
    "a term of no years": (with_row("lists", LISTING, term=law.Term(0, "published_on")), "a term of 0 years"),
    "a term from nowhere": (with_row("lists", LISTING, term=law.Term(3, "birthday")), "runs from 'birthday'"),
    "a penalty's term from publication": (with_row("lists", PENALTY, term=law.Term(3, "published_on")), "runs from"),
    "unknown entry": (with_row("lists", LISTING, entry="rumour"), "entry 'rumour'"),
    "penalty entry without when": (with_row("lists", PENALTY, entry_when=None), "without entry_when"),
    "listing entry with when": (with_row("lists", LISTING, entry_when="true"), "the listing decision itself"),
    "broken CEL": (with_row("lists", PENALTY, entry_when="fine_fen >="), "is not CEL"),
    "CEL with an unknown variable": (with_row("lists", PENALTY, entry_when="score > 3"), "names score"),
    "CEL with a clock": (with_row("lists", PENALTY, entry_when="now() > 3"), "calls now"),
    "CEL of another type": (with_row("supervision", COUNT, met='count > "3"'), "cannot be evaluated"),
    "met over the decision": (with_row("supervision", COUNT, met="fine_fen > 3"), "names fine_fen"),
    "no window": (with_row("supervision", COUNT, window_days=0), "window_days is 0"),
    "a notice to nobody": (with_row("supervision", COUNT, notify=None), "goes to None"),
    "a criterion that restricts": (with_row("supervision", COUNT, effect="restrict"), "never restricts"),
    "authority without a name": (with_row("authorities", COURT, name=""), "has no name"),
    "one name for two bodies": (with_row("authorities", COURT, aliases=("测试省财政厅",)), "another row's"),
    "authority of an unknown source": (with_row("authorities", COURT, source="weather"), "source 'weather'"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found(name: str) -> None:
    change, problem = DEFECTS[name]
    findings = check(change(load("fictional")))
    assert any(problem in str(finding) for finding in findings), [str(f) for f in findings]
    assert all(finding.remedy and finding.row and finding.file.endswith(".yaml") for finding in findings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An own copy of the fictional rulebook."""
    return Path(shutil.copytree(SHIPPED / "fictional", tmp_path / "rules"))


def edit(file: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")


BROKEN_FILES: dict[str, tuple[str, str, str]] = {
    "not YAML": ("lists.yaml", "- id: [", "lists.yaml"),
    "not a list": ("lists.yaml", "id: x\n", "must be a list of rows"),
    "a row that is no mapping": ("lists.yaml", "- x\n", "must be a mapping"),
    "an unknown field": (
        "measures.yaml",
        "- {id: x, valid_from: '2020-01-01', severity: 3}\n",
        "no such field: severity",
    ),
    "a missing field": ("measures.yaml", "- {id: x, valid_from: '2020-01-01'}\n", "row x"),
    "a key given twice": ("lists.yaml", "- id: x\n  id: y\n", "given twice"),
    "signed in the row itself": (
        "notes.yaml",
        "- {id: x, about: y, content: z, valid_from: '2020-01-01', status: signed}\n",
        "sign it in",
    ),
    "a head with more": ("rulebook.yaml", "{name: x, score: 3}\n", "nothing else"),
    "a broken signature": ("signoff.yaml", "rows: {x: {hash: y}}\n", "a signature is"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_file_that_cannot_be_read_as_rows_is_a_finding(name: str, folder: Path) -> None:
    file, text, problem = BROKEN_FILES[name]
    (folder / file).write_text(text, encoding="utf-8")
    findings = check_folder(folder)
    assert len(findings) == 1
    assert problem in str(findings[0])


def test_a_folder_that_is_none_is_a_finding(tmp_path: Path) -> None:
    assert "give 'real', 'fictional' or a folder" in str(check_folder(tmp_path / "nowhere")[0])


def test_a_changed_row_has_lost_its_signature(folder: Path) -> None:
    def shorten(content: list[dict[str, Any]]) -> None:
        next(row for row in content if row["id"] == COUNT)["window_days"] = 364

    edit(folder / "supervision.yaml", shorten)
    statuses = {row.id: row.status for row in load(folder).supervision}
    assert statuses[COUNT] == "read"
    assert set(statuses.values()) == {"read", "signed"}
    assert [(f.row, f.file) for f in check_folder(folder)] == [(COUNT, "signoff.yaml")]


def test_a_row_that_became_a_draft_has_lost_its_signature(folder: Path) -> None:
    edit(folder / "supervision.yaml", lambda content: content[0].update(status="draft"))
    assert load(folder).supervision[0].status == "draft"
    assert "signs a draft" in str(check_folder(folder)[0])


def test_without_the_sign_off_file_nothing_is_signed(folder: Path) -> None:
    (folder / "signoff.yaml").unlink()
    rulebook = load(folder)
    assert {row.status for row in (*rulebook.lists, *rulebook.measures, *rulebook.supervision)} == {"read"}


def test_a_signature_without_an_officer_or_for_no_row_does_not_hold() -> None:
    rulebook = load("fictional")
    row = rulebook.lists[0]
    signed = {row.id: Signature(row_hash(row), " ", "2026-01-01"), "gone": Signature("0", "x", "2026-01-01")}
    assert {finding.row for finding in check(rulebook, signed)} == {row.id, "gone"}
    bad_date = {row.id: Signature(row_hash(row), "测试员", "someday")}
    assert "is no date" in str(check(rulebook, bad_date)[0])
