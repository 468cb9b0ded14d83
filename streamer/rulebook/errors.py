"""The one error of this package, and reading YAML so that nothing in it is lost or guessed.

Not for: what a row means (``streamer.rulebook.checks``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

FILE_MAX_BYTES: Final = 4 * 1024 * 1024


class RulebookError(ValueError):
    """A rulebook or sources file that cannot be used: which file and row, what is wrong, what to do."""


class _Loader(yaml.SafeLoader):
    """YAML without dates of its own (a date stays text), and without keys given twice."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise RulebookError(f"line {key_node.start_mark.line + 1}: {key!r} is given twice; keep one")
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises RulebookError naming the file and the line."""
    try:
        size = path.stat().st_size
        if size > FILE_MAX_BYTES:
            raise RulebookError(f"{size} bytes, at most {FILE_MAX_BYTES}; split the rulebook")
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RulebookError) as error:
        raise RulebookError(f"{path.name}: {error}") from error
