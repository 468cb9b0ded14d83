"""Topic families and topic names, from one YAML a family in this folder. Not for settings of a broker or for values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

from topics.settings import SETTINGS, TopicSettings

FOLDER: Final = Path(__file__).parent
EXAMPLES: Final = FOLDER / "examples"

RECORDS: Final = "credit.records"
DEAD_LETTERS: Final = "credit.dead-letters"
STATUS: Final = "credit.status"
RULEBOOK: Final = "credit.rulebook"
EVENTS_PREFIX: Final = "credit.events."
BACKFILL_PREFIX: Final = "credit.backfill."
DOSSIER_APP_ID: Final = "credit-dossier"

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")  # a source, a domain, an app: part of a topic's name
_PLACEHOLDER: Final = re.compile(r"\{(source|domain|app)\}")


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One family of topics. ``types`` are names of schemas, each with a folder of examples of the same name."""

    family: str
    description: str
    direction: Literal["inbound", "internal", "outbound"]
    key: str
    value: Literal["cloudevent", "json", "rows"]
    types: tuple[str, ...] = ()
    writers: tuple[str, ...]
    readers: tuple[str, ...]

    @property
    def settings(self) -> TopicSettings:
        return SETTINGS[self.family]

    @property
    def placeholder(self) -> str | None:
        """``source``, ``domain``, ``app``, or None for a family of one topic."""
        found = _PLACEHOLDER.search(self.family)
        return found[1] if found else None

    def topic(self, name: str = "") -> str:
        """The topic of a source, domain or app. Raises ValueError for a name that cannot be part of a topic's."""
        if self.placeholder is None:
            return self.family
        if not _NAME.fullmatch(name):
            raise ValueError(f"{self.family}: a {self.placeholder} is lower-case letters, digits and hyphens, 1 to 64")
        return self.family.replace("{" + self.placeholder + "}", name)


class Topic(msgspec.Struct, frozen=True):
    """A topic that should exist."""

    name: str
    family: Family


def _load() -> dict[str, Family]:
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name == "settings.yaml":
            continue
        family = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Family)
        found[family.family] = family
    return found


FAMILIES: Final[Mapping[str, Family]] = _load()
EVENTS: Final = FAMILIES["credit.events.{source}"]
BACKFILL: Final = FAMILIES["credit.backfill.{source}"]
OUTCOMES: Final = FAMILIES["credit.outcomes.{source}"]
NOTICES: Final = FAMILIES["credit.notices.{source}"]
ALERTS: Final = FAMILIES["credit.alerts.{domain}"]
STANDING: Final = FAMILIES["credit.standing.{domain}"]
CHANGELOG: Final = FAMILIES["{app}-dossier-changelog"]
INBOUND_TYPES: Final = frozenset(EVENTS.types)


def source_of(topic: str) -> str:
    """The source of an inbound topic: ``credit.events.tax`` is a topic of ``tax``. Raises ValueError for others."""
    for prefix in (EVENTS_PREFIX, BACKFILL_PREFIX):
        if topic.startswith(prefix):
            return topic[len(prefix) :]
    raise ValueError(f"{topic} is no inbound topic")


def inbound_topics(sources: Iterable[str]) -> list[str]:
    """What these sources send to: their topics of events, then of history."""
    known = list(sources)
    return [family.topic(source) for family in (EVENTS, BACKFILL) for source in known]


def topics(sources: Iterable[str], domains: Iterable[str], app_id: str = DOSSIER_APP_ID) -> list[Topic]:
    """Every topic of a deployment with these sources and approval domains, by name."""
    names = {"source": sorted(set(sources)), "domain": sorted(set(domains)), "app": [app_id], None: [""]}
    found = [Topic(f.topic(name), f) for f in FAMILIES.values() for name in names[f.placeholder]]
    return sorted(found, key=lambda t: t.name)
