"""Settings come from the environment, whole or with the name of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.app import engine_settings
from streamer.engine.settings import TOMBSTONE_AFTER_S
from streamer.errors import ConfigurationError
from streamer.settings import SEAL_KEY_BYTES, Settings

KAFKA = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}


@pytest.mark.parametrize(
    ("environment", "rulebook"),
    [
        ({}, "fictional"),
        (KAFKA, "real"),
        ({**KAFKA, "STREAMER_RULEBOOK": "fictional"}, "fictional"),
        ({"STREAMER_RULEBOOK": "/x"}, "/x"),
    ],
)
def test_nothing_invented_is_in_force_on_a_given_kafka_by_mistake(environment: dict[str, str], rulebook: str) -> None:
    assert Settings.from_env(environment).rulebook == rulebook


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STREAMER_PARTITIONS", "0"),
        ("STREAMER_REPLICATION", "x"),
        ("STREAMER_METRICS_PORT", "65536"),
        ("STREAMER_TOMBSTONE_AFTER_H", "5"),
        ("STREAMER_LOG_LEVEL", "DEBUG"),
    ],
)
def test_a_wrong_number_names_its_variable(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_env({name: text})


def test_a_seal_key_is_made_for_local_use_only(tmp_path: Path) -> None:
    local = Settings.from_env({"STREAMER_HOME": str(tmp_path)})
    key = local.seal_key()
    assert len(key) == SEAL_KEY_BYTES
    assert local.seal_key() == key
    assert (tmp_path / "seal.key").stat().st_mode & 0o777 == 0o600
    given = Settings.from_env({"STREAMER_HOME": str(tmp_path), **KAFKA})
    with pytest.raises(ConfigurationError, match="no seal key"):
        given.seal_key()
    with pytest.raises(ConfigurationError, match="64 hex digits") as refused:
        Settings.from_env({**KAFKA, "STREAMER_SEAL_KEY": "secret"}).seal_key()
    assert "secret" not in str(refused.value)


def test_what_an_operator_sets_reaches_the_engine(tmp_path: Path) -> None:
    given = {
        **KAFKA,
        "STREAMER_HOME": str(tmp_path),
        "STREAMER_INSTANCE": "a",
        "STREAMER_METRICS_PORT": "9100",
        "STREAMER_MEMORY_MB": "300",
        "STREAMER_SESSION_TIMEOUT_S": "20",
        "STREAMER_STANDBYS": "2",
        "STREAMER_ACCEPT_LOSS": "1",
        "STREAMER_TOMBSTONE_AFTER_H": "48",
        "STREAMER_LOG_LEVEL": "INFO",
    }
    made = engine_settings(Settings.from_env(given), "dossier")
    assert (made.bootstrap_servers, made.app_id, made.instance_id) == ("127.0.0.1:9092", "credit-dossier", "dossier-a")
    assert made.state_dir == tmp_path / "state" / "credit-dossier-a"
    assert (made.metrics_port, made.memory_budget_bytes) == (9100, 300 << 20)
    assert (made.session_timeout_s, made.num_standby_replicas, made.accept_loss) == (20, 2, True)
    assert (made.tombstone_after_s, made.log_level) == (172_800, "INFO")
    plain = engine_settings(Settings.from_env(KAFKA), "dossier")
    assert (plain.tombstone_after_s, plain.log_level) == (TOMBSTONE_AFTER_S, "WARNING")
