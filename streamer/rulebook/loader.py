"""A folder of YAML rows → ``law.Rulebook``, with the signatures that hold; its hash; look-up by row id.

Not for: judging the rows (``streamer.rulebook.checks``) or compiling them (``streamer.domain.lawbook``).
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from streamer.domain import law
from streamer.rulebook.errors import RulebookError, read_yaml
from streamer.rulebook.signoff import FILE as SIGNOFF_FILE
from streamer.rulebook.signoff import apply_signatures, signatures

SHIPPED: Final = Path(__file__).parent
HEAD_FILE: Final = "rulebook.yaml"
HASH_BYTES: Final = 16
WRITTEN_STATUSES: Final = ("draft", "read")  # ``signed`` comes from the sign-off file alone
SECTIONS: Final[dict[str, type[law.Row]]] = {
    "authorities": law.Authority,
    "catalogue": law.Conduct,
    "lists": law.ListRow,
    "measures": law.Measure,
    "supervision": law.Criterion,
    "notes": law.Note,
}


def folder_of(name_or_path: str | Path) -> Path:
    """The folder of a shipped rulebook (``real``, ``fictional``) or of one's own. RulebookError if there is none."""
    shipped = SHIPPED / str(name_or_path)
    folder = shipped if str(name_or_path) in {"real", "fictional"} else Path(name_or_path)
    if not (folder / HEAD_FILE).is_file():
        raise RulebookError(f"{name_or_path}: no {HEAD_FILE} there; give 'real', 'fictional' or a folder that has one")
    return folder


def load(name_or_path: str | Path, *, signoff: Path | None = None) -> law.Rulebook:
    """The rulebook of a folder; ``signoff``: the deployment's sign-off file (default: the one in the folder, if any).

    Raises RulebookError for what cannot be read as rows. What can be read but is wrong, ``checks.check`` says.
    """
    folder = folder_of(name_or_path)
    head = read_yaml(folder / HEAD_FILE)
    if (
        not isinstance(head, dict)
        or set(head) - {"name", "fictional", "title"}
        or not isinstance(head.get("name"), str)
    ):
        raise RulebookError(
            f"{HEAD_FILE}: needs 'name' (text), may have 'fictional' (true or false) and 'title', nothing else"
        )
    signed = signatures(signoff or folder / SIGNOFF_FILE)
    sections = {
        section: tuple(apply_signatures(row, signed) for row in _section(folder, section, kind))
        for section, kind in SECTIONS.items()
    }
    return law.Rulebook(name=head["name"], fictional=head.get("fictional") is True, **sections)  # type: ignore[arg-type]


def rulebook_hash(rulebook: law.Rulebook) -> str:
    """Its key in ``credit.rulebook``: BLAKE2b-128 over its canonical JSON, 32 hexadecimal characters."""
    return blake2b(law.encode_rulebook(rulebook), digest_size=HASH_BYTES).hexdigest()


def rows(rulebook: law.Rulebook) -> Iterator[tuple[str, law.Row]]:
    """Every row with its section, in the order of the files."""
    for section in SECTIONS:
        for row in getattr(rulebook, section):
            yield section, row


def find(rulebook: law.Rulebook, row_id: str) -> law.Row | None:
    """The row with this id, or None."""
    return next((row for _, row in rows(rulebook) if row.id == row_id), None)


def _section(folder: Path, section: str, kind: type[law.Row]) -> Iterator[law.Row]:
    path = folder / f"{section}.yaml"
    if not path.is_file():
        return
    content = read_yaml(path)
    if not isinstance(content, list):
        raise RulebookError(f"{path.name}: must be a list of rows (each beginning with '- id: …')")
    for number, raw in enumerate(content, start=1):
        yield _row(path.name, number, raw, kind)


def _row(file: str, number: int, raw: Any, kind: type[law.Row]) -> law.Row:
    where = f"{file}, row {raw['id']}" if isinstance(raw, dict) and "id" in raw else f"{file}, row number {number}"
    if not isinstance(raw, dict):
        raise RulebookError(f"{where}: must be a mapping of field to value")
    unknown = set(raw) - {field.encode_name for field in msgspec.structs.fields(kind)}
    if unknown:
        raise RulebookError(
            f"{where}: no such field: {', '.join(sorted(map(str, unknown)))}; remove it or correct its name"
        )
    try:
        row = msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise RulebookError(f"{where}: {error}; correct the field") from error
    if row.status not in WRITTEN_STATUSES:
        raise RulebookError(f"{where}: status {row.status!r}; write draft or read, and sign it in {SIGNOFF_FILE}")
    return row
