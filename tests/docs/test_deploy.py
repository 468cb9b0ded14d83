"""The deployment files agree with the program: settings, sizes, ports, and nothing bound to the outside. Nothing is started."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from streamer.app import ROLES
from streamer.settings import Settings
from tests.docs.test_docs import ROOT, _variables_in_code
from topics.settings import BROKER_MESSAGE_MAX_BYTES

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def _default(text: str) -> str:
    """``text`` as it is when no variable of the compose file is set."""
    return re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)\}", lambda found: found[1] or "", text)


def test_every_setting_is_one_of_the_programs() -> None:
    ours = {name for service in ("setup", *ROLES) for name in SERVICES[service]["environment"]}
    assert ours <= _variables_in_code()


def test_each_role_has_the_settings_that_it_needs_and_its_own_state() -> None:
    volumes = set()
    for number, role in enumerate(ROLES):
        service = SERVICES[role]
        environment = {name: _default(str(value)) for name, value in service["environment"].items()}
        settings = Settings.from_env(environment)
        assert settings.instance
        assert settings.bootstrap_servers
        assert bool(settings.database_url) == (role == "sink")
        assert bool(service.get("secrets")) == (role != "sink")
        assert f":{settings.metrics_port + number}/readyz" in service["healthcheck"]["test"][-1]
        assert service["command"] == ["worker", "--role", role]
        assert service["read_only"] is True
        volumes.add(service["volumes"][0])
    assert len(volumes) == len(ROLES)


def test_only_the_hosts_own_address_is_bound() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_broker_takes_what_the_contract_allows() -> None:
    broker = SERVICES["kafka"]["environment"]
    assert (
        int(broker["KAFKA_MESSAGE_MAX_BYTES"])
        == int(broker["KAFKA_REPLICA_FETCH_MAX_BYTES"])
        == BROKER_MESSAGE_MAX_BYTES
    )
    assert broker["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_images_are_pinned_and_the_image_copies_what_is_there() -> None:
    assert all(re.search(r":\d", service["image"]) for service in SERVICES.values())
    copied = [source for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]]
    assert copied
    assert all((ROOT / Path(source)).exists() for source in copied)
    assert re.search(r"^USER [1-9]\d*:", DOCKERFILE, re.MULTILINE)
