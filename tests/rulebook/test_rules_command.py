"""``streamer rules``: output, exit codes, and signing as the deploying authority does it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from streamer.cli.rules import rules
from streamer.rulebook import load
from streamer.rulebook.loader import SHIPPED


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(rules, arguments)
    return result.exit_code, result.output


def test_the_shipped_rulebooks_are_in_order() -> None:
    code, output = run("check")
    assert code == 0
    assert "real: in order" in output
    assert "nothing is raised" in output


def test_a_wrong_rulebook_ends_with_1_and_says_where(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SHIPPED / "fictional", tmp_path / "rules"))
    text = (folder / "supervision.yaml").read_text(encoding="utf-8").replace("count >= 3", "score >= 3")
    (folder / "supervision.yaml").write_text(text, encoding="utf-8")
    code, output = run("check", str(folder))
    assert code == 1
    assert "supervision.yaml, row test.food.three-in-year: met: 'score >= 3' names score" in output
    code, output = run("check", str(folder), "--json")
    assert code == 1
    assert json.loads(output)[str(folder)][0]["row"] == "test.food.three-in-year"


def test_a_row_is_shown_in_words_and_as_json() -> None:
    code, output = run("show", "tax.major-dishonest", "--rulebook", "real")
    assert code == 0
    assert "已读，未签署" in output
    assert "第六条" in output
    code, output = run("show", "--rulebook", "real", "--json")
    assert code == 0
    assert {row["status"] for row in json.loads(output)["rows"]} == {"read"} | {"draft"}


def test_an_unknown_row_or_rulebook_is_refused() -> None:
    assert run("show", "no.such")[0] == 1
    assert run("show", "--rulebook", "nowhere")[0] == 1


def test_an_officer_signs_read_rows_in_the_deployments_own_file(tmp_path: Path) -> None:
    file = tmp_path / "signoff.yaml"
    signing = ("--rulebook", "real", "--signoff", str(file), "--officer", "测试员", "--date", "2026-01-05")
    assert run("sign", "proc.refuse.tax", *signing)[0] == 0
    assert [row.id for row in load("real", signoff=file).measures if row.status == "signed"] == ["proc.refuse.tax"]
    code, output = run("sign", "tax.major-dishonest.recalled-term", *signing)
    assert code == 1
    assert "is a draft" in output
    assert run("sign", "no.such", *signing)[0] == 1
