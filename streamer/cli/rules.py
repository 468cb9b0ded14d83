"""``streamer rules``: look at the rulebook's rows, check them, sign them. Not for activating a rulebook."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from streamer.domain import law
from streamer.rulebook import RulebookError, find, folder_of, load, rows, rulebook_hash
from streamer.rulebook import sign as sign_rows
from streamer.rulebook.checks import check_folder
from streamer.rulebook.signoff import FILE as SIGNOFF_FILE

STATUS_ZH = {"draft": "draft (回忆，未读到)", "read": "read (已读，未签署)", "signed": "signed (已签署)"}
SIGNOFF_OPTION = click.option(
    "--signoff",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The deployment's sign-off file (default: beside the rows).",
)
RULEBOOK_OPTION = click.option(
    "--rulebook",
    "name",
    default="fictional",
    envvar="STREAMER_RULEBOOK",
    show_default=True,
    help="real, fictional or a folder.",
)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@click.group(name="rules")
def rules() -> None:
    """Look at, check and sign the rulebook. Only signed rows raise anything."""


@rules.command()
@click.argument("names", nargs=-1)
@SIGNOFF_OPTION
@JSON_OPTION
def check(names: tuple[str, ...], signoff: Path | None, *, as_json: bool) -> None:
    """Check rulebooks (default: real and fictional). Exit 1 when something is wrong."""
    found = {name: check_folder(name, signoff=signoff) for name in names or ("real", "fictional")}
    if as_json:
        click.echo(
            json.dumps(
                {name: msgspec.to_builtins(findings) for name, findings in found.items()}, ensure_ascii=False, indent=2
            )
        )
    else:
        for name, findings in found.items():
            for finding in findings:
                click.echo(f"{name}: {finding}")
            click.echo(
                f"{name}: {len(findings)} findings" if findings else f"{name}: in order, {_summary(name, signoff)}"
            )
    if any(found.values()):
        raise SystemExit(1)


@rules.command()
@click.argument("row_id", required=False)
@RULEBOOK_OPTION
@SIGNOFF_OPTION
@JSON_OPTION
def show(row_id: str | None, name: str, signoff: Path | None, *, as_json: bool) -> None:
    """Show one row, or all rows, in words."""
    rulebook = _load(name, signoff)
    chosen = [(section, row) for section, row in rows(rulebook) if row_id is None or row.id == row_id]
    if not chosen:
        raise click.ClickException(f"rulebook {name} has no row {row_id}: `streamer rules show` lists all ids")
    if as_json:
        content = {
            "name": rulebook.name,
            "hash": rulebook_hash(rulebook),
            "rows": [{"section": s, **msgspec.to_builtins(r)} for s, r in chosen],
        }
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
        return
    if row_id is None:
        click.echo(f"{rulebook.name}{' (fictional)' if rulebook.fictional else ''}, hash {rulebook_hash(rulebook)}")
    for section, row in chosen:
        click.echo(_line(section, row) if row_id is None else _words(section, row))


@rules.command()
@click.argument("row_ids", nargs=-1, required=True)
@RULEBOOK_OPTION
@click.option(
    "--signoff",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The deployment's own sign-off file.",
)
@click.option("--officer", required=True, help="Name and office of the officer who stands for these rows.")
@click.option("--date", "on", required=True, help="The day of signing, YYYY-MM-DD.")
def sign(row_ids: tuple[str, ...], name: str, signoff: Path, officer: str, on: str) -> None:
    """Sign rows for the deploying authority, in its own file. A row that changes later has lost its signature."""
    rulebook = _load(name, signoff)
    chosen = [row for row in (find(rulebook, row_id) for row_id in row_ids) if row is not None]
    missing = set(row_ids) - {row.id for row in chosen}
    if missing:
        raise click.ClickException(f"rulebook {name} has no row {', '.join(sorted(missing))}: nothing was signed")
    try:
        click.echo(f"{sign_rows(signoff, chosen, officer, on)} rows signed in {signoff}")
    except RulebookError as error:
        raise click.ClickException(str(error)) from error


def _load(name: str, signoff: Path | None) -> law.Rulebook:
    try:
        return load(name, signoff=signoff)
    except RulebookError as error:
        raise click.ClickException(str(error)) from error


def _summary(name: str, signoff: Path | None) -> str:
    statuses = [row.status for _, row in rows(load(name, signoff=signoff))]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in ("signed", "read", "draft"))
    where = signoff or folder_of(name) / SIGNOFF_FILE
    return f"{len(statuses)} rows: {counts}" + ("" if where.is_file() else "; no sign-off file: nothing is raised")


def _line(section: str, row: law.Row) -> str:
    title = next((text for text in (getattr(row, field, "") for field in ("name_zh", "name", "action_zh")) if text), "")
    return f"{section:12} {row.status:6} {row.id:32} {title}".rstrip()


def _words(section: str, row: law.Row) -> str:
    lines = [
        f"{row.id} ({section}): {STATUS_ZH[row.status]}",
        f"  valid from {row.valid_from} to {row.valid_to or 'no end known'}",
    ]
    skip = {"id", "valid_from", "valid_to", "basis", "status", "recheck", "note"}
    for field, value in msgspec.to_builtins(row).items():
        if field not in skip and value not in ("", [], None):
            lines.append(f"  {field}: {_plain(value)}")
    lines += [f"  basis: {basis.instrument} {basis.article}: {basis.text_zh}" for basis in row.basis]
    if row.recheck:
        lines.append("  to be confirmed once in the official text before it is signed")
    if row.note:
        lines.append(f"  note: {row.note}")
    return "\n".join(lines)


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return " ".join(str(item) for item in value.values())
    return str(value)
