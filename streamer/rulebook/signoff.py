"""Signatures (签署): which officer of the deploying authority stands for which row, by the row's content hash.

Not for: proving who wrote the file; that is the deployment's own control. A row that changed has lost its signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import yaml

from streamer.domain import law
from streamer.rulebook.errors import RulebookError, read_yaml

FILE: Final = "signoff.yaml"
SIGNED: Final = "signed"
SIGNABLE: Final = "read"  # a recalled row (draft) has to be read before anyone can stand for it
HASH_BYTES: Final = 16
RowT = TypeVar("RowT", bound=law.Row)
_encode = msgspec.json.Encoder(order="deterministic").encode


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``hash`` of the row as read, the ``officer`` who stands for it, the ``date`` (YYYY-MM-DD)."""

    hash: str
    officer: str
    date: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: dict[str, Signature]


def row_hash(row: law.Row) -> str:
    """BLAKE2b-128 over the row's canonical JSON, its kind and its status as written, in hexadecimal."""
    written = msgspec.structs.replace(row, status=SIGNABLE if row.status == SIGNED else row.status)
    return blake2b(type(row).__name__.encode() + b"\0" + _encode(written), digest_size=HASH_BYTES).hexdigest()


def signatures(path: Path) -> dict[str, Signature]:
    """The signatures of a sign-off file by row id; none without such a file. RulebookError for a broken one."""
    if not path.is_file():
        return {}
    try:
        return msgspec.convert(read_yaml(path), _File).rows
    except msgspec.ValidationError as error:
        raise RulebookError(
            f"{path.name}: {error}; a signature is 'rows: {{<id>: {{hash, officer, date}}}}'"
        ) from error


def holds(row: law.Row, signature: Signature | None) -> bool:
    """Whether this signature stands for this row as it is now."""
    return (
        signature is not None
        and row.status in {SIGNABLE, SIGNED}
        and signature.hash == row_hash(row)
        and bool(signature.officer.strip())
        and bool(signature.date.strip())
    )


def apply_signatures(row: RowT, signed: Mapping[str, Signature]) -> RowT:
    return msgspec.structs.replace(row, status=SIGNED) if holds(row, signed.get(row.id)) else row


def sign(path: Path, chosen: Iterable[law.Row], officer: str, date: str) -> int:
    """Write an officer's signatures for these rows into the sign-off file; how many. RulebookError for a draft."""
    entries = dict(signatures(path))
    count = 0
    for row in chosen:
        if row.status not in {SIGNABLE, SIGNED}:
            raise RulebookError(
                f"row {row.id} is a draft: confirm it in the official text and set its status to 'read' first"
            )
        entries[row.id] = Signature(row_hash(row), officer, date)
        count += 1
    content = {"rows": {row_id: msgspec.to_builtins(entries[row_id]) for row_id in sorted(entries)}}
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=160), encoding="utf-8")
    return count
