"""The sources (来源): who may send what, in which fields, whom to call, and their own field names (alias maps).

Not for: applying an alias map (``streamer.aliases``). A source is a system; an authority is a body that decides: a
collector of public notices is a source and no authority.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from streamer.rulebook.errors import RulebookError, read_yaml

FILE: Final = Path(__file__).parent / "sources.yaml"
TYPES: Final = (
    "decision.penalty",
    "decision.listing",
    "decision.delisting",
    "document.recorded",
    "withdrawal",
    "correction",
)


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source system. ``types``: event types without ``credit.`` and ``.v1``; ``domains``: what it speaks about."""

    id: str
    name_zh: str
    types: tuple[str, ...]
    domains: tuple[str, ...]
    contact: str
    authorities: tuple[str, ...] = ()  # codes of the bodies whose own system this is; none for a collector
    aliases: dict[str, dict[str, Any]] = {}  # by format name; format of a map: docs in sources.yaml

    @property
    def alias(self) -> dict[str, Any] | None:
        """The map of the source's usual format: the first one."""
        return next(iter(self.aliases.values()), None)


def sources(path: Path | None = None) -> tuple[Source, ...]:
    """All sources of a file (default: the demo's). RulebookError for a broken file, a repeated id, an unknown type."""
    file = path or FILE
    try:
        found = msgspec.convert(read_yaml(file), tuple[Source, ...])
    except msgspec.ValidationError as error:
        raise RulebookError(f"{file.name}: {error}; correct the field") from error
    seen: set[str] = set()
    for source in found:
        if source.id in seen:
            raise RulebookError(f"{file.name}, source {source.id}: the id is used twice; ids are unique")
        seen.add(source.id)
        unknown = [name for name in source.types if name not in TYPES]
        if unknown:
            raise RulebookError(
                f"{file.name}, source {source.id}: unknown types {', '.join(unknown)}; known: {', '.join(TYPES)}"
            )
    return found


DOMAINS_FILE: Final = Path(__file__).parent / "domains.yaml"


class ApprovalDomain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field of approval systems (审批领域). Only an open one has topics and may get alerts."""

    id: str
    name_zh: str
    open: bool


def approval_domains() -> tuple[ApprovalDomain, ...]:
    """All approval domains, open or not. Raises RulebookError for a broken file."""
    try:
        return msgspec.convert(read_yaml(DOMAINS_FILE), tuple[ApprovalDomain, ...])
    except msgspec.ValidationError as error:
        raise RulebookError(f"{DOMAINS_FILE.name}: {error}; correct the field") from error


def open_domains() -> tuple[str, ...]:
    """Ids of the open approval domains."""
    return tuple(domain.id for domain in approval_domains() if domain.open)
