"""Named queries from ``sinks/queries/*.sql`` (``-- name: upsert_alerts``). Not for: running them."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


class QueryNotFoundError(LookupError):
    """No query of that name in sinks/queries: compare the name with the ``-- name:`` lines there."""


def parse(text: str) -> dict[str, str]:
    """One file's queries by name, in order. Raises ValueError when a name is given twice."""
    parts = _NAME.split(text)[1:]
    found: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in found:
            raise ValueError(f"query {name!r} is there twice; rename one")
        found[name] = body.strip()
    return found


@cache
def all_queries() -> dict[str, str]:
    """Every query of every file. Raises ValueError when two files share a name."""
    found: dict[str, str] = {}
    for file in sorted(files("sinks").joinpath("queries").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            queries = parse(file.read_text(encoding="utf-8"))
            if shared := found.keys() & queries.keys():
                raise ValueError(
                    f"sinks/queries/{file.name}: {', '.join(sorted(shared))} is also in another file; rename one"
                )
            found |= queries
    return found


def query(name: str) -> str:
    """The query called ``name``. Raises QueryNotFoundError."""
    try:
        return all_queries()[name]
    except KeyError:
        raise QueryNotFoundError(f"no query {name!r} in sinks/queries") from None
