"""One table of settings, one YAML a family, and sizes that form a chain."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from streamer.engine.settings import EngineSettings
from topics.catalog import ALERTS, BACKFILL, CHANGELOG, EVENTS, FAMILIES, STANDING, source_of, topics
from topics.settings import BROKER_MESSAGE_MAX_BYTES, EVENT_MAX_BYTES, SETTINGS

ENGINE: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(EngineSettings)}
BASE64 = 4 / 3
ENVELOPE_BYTES = 64 * 1024  # identifiers, reasons and headers beside a sealed body


def size(family: str) -> int:
    return SETTINGS[family].max_message_bytes


def test_every_family_has_a_row_in_the_table_and_every_row_a_family() -> None:
    assert set(FAMILIES) == set(SETTINGS)
    assert all(f.description and f.key and f.writers and f.readers for f in FAMILIES.values())


def test_sizes_form_a_chain() -> None:
    events, records, dead = size("credit.events.{source}"), size("credit.records"), size("credit.dead-letters")
    assert EVENT_MAX_BYTES < events < records < dead <= size(CHANGELOG.family) <= BROKER_MESSAGE_MAX_BYTES


def test_a_record_holds_any_event_that_is_let_in() -> None:
    assert size("credit.records") > EVENT_MAX_BYTES * BASE64 + ENVELOPE_BYTES


def test_a_dead_letter_holds_any_message_that_a_source_can_send_and_any_record() -> None:
    """The inbound topic is stored uncompressed, so its limit bounds the message itself and not only its packed form."""
    assert EVENTS.settings.compression == "uncompressed"
    for family in ("credit.events.{source}", "credit.records"):
        assert size(family) * BASE64 + ENVELOPE_BYTES < size("credit.dead-letters")


def test_the_changelog_holds_a_whole_unit_and_an_output_topic_a_whole_batch() -> None:
    assert size(CHANGELOG.family) > ENGINE["unit_max_bytes"] * 1.5
    assert min(row.max_message_bytes for row in SETTINGS.values()) > ENGINE["output_batch_bytes"]


def test_standing_holds_the_bytes_of_any_alert() -> None:
    assert STANDING.settings.max_message_bytes >= ALERTS.settings.max_message_bytes


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_broker_stamps_everything_but_what_departments_send(family: str) -> None:
    row = SETTINGS[family]
    assert (row.timestamp == "create") == (FAMILIES[family].direction == "inbound")
    if row.timestamp == "create":  # else an old timestamp would have an acknowledged message deleted before it is read
        assert row.oldest_ms is not None
        assert row.oldest_ms * 2 <= row.retention_ms
    if row.cleanup == "compact":
        assert row.compaction_lag_ms is not None
        assert row.compaction_lag_ms > 0 or family == "credit.rulebook"


def test_what_replay_and_parked_items_need_is_never_deleted() -> None:
    for family in ("credit.records", "credit.dead-letters"):
        assert (SETTINGS[family].cleanup, SETTINGS[family].retention_ms) == ("delete", -1)


def test_with_three_replicas_two_must_have_a_message() -> None:
    row = SETTINGS["credit.records"]
    assert [row.config(n)["min.insync.replicas"] for n in (1, 2, 3)] == ["1", "1", "2"]


def test_what_replication_one_does_not_promise_is_said() -> None:
    for family in ("credit.events.{source}", "credit.backfill.{source}", "credit.records"):
        assert "replication 1" in FAMILIES[family].description


def test_the_topics_of_a_deployment() -> None:
    found = topics(["tax", "court"], ["procurement"])
    assert [t.name for t in found] == [
        "credit-dossier-dossier-changelog", "credit.alerts.procurement", "credit.backfill.court", "credit.backfill.tax",
        "credit.dead-letters", "credit.events.court", "credit.events.tax", "credit.notices.court",
        "credit.notices.tax", "credit.outcomes.court", "credit.outcomes.tax", "credit.records", "credit.rulebook",
        "credit.standing.procurement", "credit.status",
    ]  # fmt: skip
    assert source_of(EVENTS.topic("tax")) == source_of(BACKFILL.topic("tax")) == "tax"


@pytest.mark.parametrize("name", ["", "Tax", "a.b", "税", "a b", "-a", "a" * 65])
def test_a_name_that_cannot_be_part_of_a_topic_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="source"):
        EVENTS.topic(name)


def test_history_is_bound_by_the_same_contract_as_events() -> None:
    assert (BACKFILL.types, BACKFILL.value, BACKFILL.writers, BACKFILL.readers) == (
        EVENTS.types, EVENTS.value, EVENTS.writers, EVENTS.readers,
    )  # fmt: skip
    assert BACKFILL.settings == EVENTS.settings


def test_only_inbound_topics_have_a_source() -> None:
    with pytest.raises(ValueError, match="inbound"):
        source_of("credit.records")
