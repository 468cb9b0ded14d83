"""Every setting of the program in one typed place, read from the environment once.

Not for: topic settings (``topics/settings.yaml``) or rules (``streamer.rulebook``). Secrets come from the environment or a file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streamer.errors import ConfigurationError

SEAL_KEY_BYTES: Final = 32
MAX_PARTITIONS: Final = 1024
DEFAULT_HOME: Final = ".streamer"
ALERT_DOMAINS: Final = ("procurement", "qualification", "supervision")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``home`` holds local servers' data, state folders and the local seal key. Addresses are None when not given."""

    home: Path
    bootstrap_servers: str | None
    database_url: str | None
    partitions: int
    replication: int
    rulebook: str
    sources: str | None
    group_prefix: str
    instance: str | None
    metrics_port: int
    session_timeout_s: float
    environment: Mapping[str, str]

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Raises ConfigurationError naming the variable and what it takes."""
        env = os.environ if environment is None else environment
        return cls(
            home=Path(env.get("STREAMER_HOME", DEFAULT_HOME)).absolute(),
            bootstrap_servers=env.get("KAFKA_BOOTSTRAP_SERVERS") or None,
            database_url=env.get("DATABASE_URL") or None,
            partitions=_integer(env, "STREAMER_PARTITIONS", 4, 1, MAX_PARTITIONS),
            replication=_integer(env, "STREAMER_REPLICATION", 1, 1, 5),
            rulebook=env.get("STREAMER_RULEBOOK", "fictional"),
            sources=env.get("STREAMER_SOURCES") or None,
            group_prefix=env.get("STREAMER_PREFIX", "credit"),
            instance=env.get("STREAMER_INSTANCE") or None,
            metrics_port=_integer(env, "STREAMER_METRICS_PORT", 0, 0, 65_535),
            session_timeout_s=_integer(env, "STREAMER_SESSION_TIMEOUT_S", 10, 6, 300),
            environment=env,
        )

    def require_bootstrap(self) -> str:
        """The broker addresses: given, or those of the local servers when they run."""
        if self.bootstrap_servers:
            return self.bootstrap_servers
        from streamer.local import addresses

        found = addresses(self.home).bootstrap_servers
        if not found:
            raise ConfigurationError("no Kafka: set KAFKA_BOOTSTRAP_SERVERS, or start one with `streamer local up`")
        return found

    def require_database(self) -> str:
        """The database URL: given, or that of the local servers when they run."""
        if self.database_url:
            return self.database_url
        from streamer.local import addresses

        found = addresses(self.home).database_url
        if not found:
            raise ConfigurationError("no Postgres: set DATABASE_URL, or start one with `streamer local up`")
        return found

    def seal_key(self, *, create: bool = False) -> bytes:
        """The 32-byte key that seals personal and free text: STREAMER_SEAL_KEY (hex), STREAMER_SEAL_KEY_FILE, or the file
        ``seal.key`` in ``home``, which ``create`` makes for local use (mode 0600)."""
        text = self.environment.get("STREAMER_SEAL_KEY", "")
        path = Path(self.environment.get("STREAMER_SEAL_KEY_FILE") or self.home / "seal.key")
        if not text:
            if not path.exists():
                if not create:
                    raise ConfigurationError(
                        "no seal key: set STREAMER_SEAL_KEY (64 hex digits) or STREAMER_SEAL_KEY_FILE;"
                        " `streamer local up` makes one for local use"
                    )
                path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_hex(SEAL_KEY_BYTES))
            text = path.read_text().strip()
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != SEAL_KEY_BYTES:
            raise ConfigurationError(
                f"the seal key is not {2 * SEAL_KEY_BYTES} hex digits: make one with `openssl rand -hex 32`"
            )
        return key

    def state_dir(self, role: str) -> Path:
        """The state folder of a role; one process at a time holds it."""
        return self.home / "state" / f"{self.group_prefix}-{role}{'-' + self.instance if self.instance else ''}"

    def app_id(self, role: str) -> str:
        """The role's consumer group."""
        return f"{self.group_prefix}-{role}"


def _integer(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name)
    if text is None or text == "":
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ConfigurationError(f"{name} is not a whole number from {least} to {most}")
    return int(text)
