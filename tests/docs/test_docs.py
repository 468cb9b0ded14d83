"""The documentation says what the program has: commands, options, codes, metrics, settings, links, and examples that run."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from streamer.agents.admission import Admission, OutRecord
from streamer.cli.main import COMMANDS, cli
from streamer.domain.dossier import Meta
from streamer.domain.reasons import REASONS
from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN, Activation, Origin, encode_record
from streamer.domain.replay import Replay
from streamer.domain.sealing import Sealer
from streamer.engine.exits import NEVER_RESTARTED, Exit
from streamer.rulebook import load, rulebook_hash, sources
from tests.docs import tables
from topics.envelope import SOURCE_PREFIX

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").glob("*.md")),
]
DEPARTMENTS, OPERATORS = ROOT / "docs" / "departments.md", ROOT / "docs" / "operators.md"
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
VARIABLE = re.compile(r"STREAMER_[A-Z_]+|KAFKA_BOOTSTRAP_SERVERS|DATABASE_URL|KEEP")
ACTIVATED = "2026-03-10"


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _cells(page: Path, pattern: str) -> list[str]:
    """The first cells of tables that match ``pattern``, without their backquotes."""
    cells = re.findall(r"^\| *`?([^|`]+)`? *\|", _text(page), re.MULTILINE)
    return [cell.strip() for cell in cells if re.fullmatch(pattern, cell.strip())]


# ---------------------------------------------------------------- commands


def _code(page: Path) -> Iterator[str]:
    """Code spans and lines of code blocks."""
    text = _text(page)
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def _calls(page: Path) -> Iterator[list[str]]:
    """Words after ``streamer`` where a line of code calls it."""
    for line in _code(page):
        found = re.match(r"(?:[A-Z_]+=\S+ +)*(?:docker compose \w+ \w+ )?(?:python -m )?streamer +(.*)", line.strip())
        if found:
            yield shlex.split(found[1].partition("#")[0].replace("…", "X").replace("|", ""))


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that ``words`` name, and what follows its name."""
    command: click.Command | None = cli.get_command(click.Context(cli), words[0])
    rest = words[1:]
    assert command is not None, f"no command streamer {words[0]}"
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        following = command.get_command(click.Context(command), rest[0])
        assert following is not None, f"no command streamer {' '.join(words)}"
        command, rest = following, rest[1:]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_and_option_that_is_named_exists(page: Path) -> None:
    for words in _calls(page):
        if not words or words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, f"{page.name}: streamer {' '.join(words)}"
        if importlib.util.find_spec(COMMANDS[words[0]].target.partition(":")[0]) is None:
            continue
        command, rest = _command(words)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
        assert not unknown, f"{page.name}: streamer {' '.join(words)} has no {unknown}"


def test_every_command_is_told_to_operators() -> None:
    told = {words[0] for words in _calls(OPERATORS) if words}
    assert set(COMMANDS) - told == set()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    named = {found[1] for line in _code(page) if (found := re.match(r"make ([a-z]+)", line.strip()))}
    assert named <= targets


# ---------------------------------------------------------------- codes, metrics, settings


def test_the_tables_are_those_of_the_code() -> None:
    text = _text(DEPARTMENTS)
    assert tables.filled(text) == text, "run `python -m tests.docs.tables`"


def test_every_reason_has_its_fix() -> None:
    assert set(REASONS) <= set(_cells(DEPARTMENTS, r"[a-z_]+"))


def test_every_exit_code_is_told_with_what_to_do() -> None:
    text = _text(OPERATORS)
    for code in Exit:
        row = re.search(rf"^\| {int(code)} \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
        assert row, f"exit code {int(code)} is not in the table"
        assert row[1].strip() == code.name.lower()
        assert (row[2].strip() == "no") == (code in NEVER_RESTARTED), f"{int(code)}: is it started again?"
    assert set(_cells(OPERATORS, r"7\d|8\d")) == {str(int(code)) for code in Exit}


METRICS = {"Counter": "_total", "CounterMetricFamily": "_total", "Gauge": "", "GaugeMetricFamily": "", "Histogram": ""}


def _metrics_in_code() -> set[str]:
    """Metrics as they are exposed: what the code gives a name to."""
    found = set()
    for path in [*(ROOT / "streamer").rglob("*.py"), *(ROOT / "sinks").rglob("*.py")]:
        for node in ast.walk(ast.parse(_text(path))):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in METRICS and node.args
            ):
                continue
            name = node.args[0]
            if isinstance(name, ast.Constant) and str(name.value).startswith("streamer_"):
                found.add(name.value + METRICS[node.func.id])
    return found


def test_every_metric_is_told_and_no_other() -> None:
    known = _metrics_in_code()
    assert "streamer_ready" in known
    assert set(_cells(OPERATORS, r"streamer_[a-z_]+")) == known
    for page in PAGES:
        assert set(re.findall(r"\bstreamer_[a-z_]+", _text(page))) <= known, page.name


def _variables_in_code() -> set[str]:
    """Environment variables that the code names; the benchmark's own messages between its processes are left out."""
    found = set()
    for path in [*(ROOT / "streamer").rglob("*.py"), *(ROOT / "sinks").rglob("*.py"), *(ROOT / "topics").rglob("*.py")]:
        if "bench" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(_text(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
                found.add(node.value)
    return found


def test_every_variable_is_told_and_no_other() -> None:
    assert set(_cells(OPERATORS, VARIABLE.pattern)) == _variables_in_code()


# ---------------------------------------------------------------- links


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", _text(page), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _text(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in _anchors(target), f"{page.name}: {link}"


# ---------------------------------------------------------------- examples


def _examples() -> list[dict[str, Any]]:
    blocks = re.findall(r"```json\n(.*?)```", _text(DEPARTMENTS), re.DOTALL)
    return [json.loads(block) for block in blocks]


def test_there_is_an_example_of_every_type() -> None:
    types = {f"credit.{name}.v1" for source in sources() for name in source.types}
    assert {event["type"] for event in _examples()} == types


def test_the_examples_run_through_the_program_as_told() -> None:
    """Admitted, applied, and doing what the text beside them says."""
    rulebook = load("fictional")
    identifier = rulebook_hash(rulebook)
    replay = Replay({identifier: rulebook})
    replay.record(0, encode_record(Activation(identifier, ACTIVATED, "simulated")), Meta(0, 0))
    admission = Admission(sources(), Sealer(b"\x01" * 32))
    for offset, event in enumerate(_examples(), 1):
        topic = "credit.events." + event["source"].removeprefix(SOURCE_PREFIX)
        for item in admission.admit(topic, 0, offset, json.dumps(event).encode(), ()).items:
            assert isinstance(item, OutRecord), f"{event['id']}: {item.reason} at {item.json_pointer}"
            headers = dict(item.headers)
            meta = Meta(offset, 0, Origin.parse(headers[HEADER_ORIGIN].decode()), headers[HEADER_HASH])
            replay.record(0, item.value, meta)
    assert replay.effects.refused == []
    raised = [domain for domain, _, _ in replay.effects.alerts]
    assert sorted(raised) == ["procurement", "qualification", "supervision"], "the listing, and nothing else"
