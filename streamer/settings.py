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

from streamer import local
from streamer.errors import ConfigurationError

SEAL_KEY_BYTES: Final = 32
MAX_PARTITIONS: Final = 1024
#: A role's process has about 100 MiB before it does anything; more keeps more of the state at hand.
MEMORY_MB: Final = 512
MAX_MEMORY_MB: Final = 1 << 20
MAX_PID: Final = 2**31
DEFAULT_HOME: Final = ".streamer"
#: Records before the dossier from which on history waits. A record of today then waits for some two seconds of one
#: dossier's work at the most; fewer, and history would come in fits, for the dossier commits its offsets each second.
BACKFILL_MAX_LAG_RECORDS: Final = 20_000
#: DEBUG is not offered: Kafka's client would log what events say.
LOG_LEVELS: Final = ("ERROR", "WARNING", "INFO")
#: Hours after which a deleted row's mark becomes a tombstone. No fewer: changelogs are not compacted within that time
#: (``min.compaction.lag.ms`` in ``topics/settings.yaml``).
TOMBSTONE_AFTER_H: Final = 6
MAX_TOMBSTONE_AFTER_H: Final = 24 * 90


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``home`` holds local servers' data, state folders and the local seal key. Addresses are None when not given.

    ``rulebook``: with a Kafka that was given it is the real one unless said otherwise, so that nothing invented is ever in force
    there by mistake; with the local servers, the fictional one.
    """

    home: Path
    bootstrap_servers: str | None
    database_url: str | None
    partitions: int
    replication: int
    rulebook: str
    sources: Path | None
    group_prefix: str
    instance: str | None
    metrics_port: int
    session_timeout_s: float
    standbys: int
    accept_loss: bool
    memory_mb: int
    supervisor_pid: int
    backfill_max_lag_records: int
    tombstone_after_h: int
    log_level: str
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
            rulebook=env.get("STREAMER_RULEBOOK") or ("real" if env.get("KAFKA_BOOTSTRAP_SERVERS") else "fictional"),
            sources=Path(env["STREAMER_SOURCES"]) if env.get("STREAMER_SOURCES") else None,
            group_prefix=env.get("STREAMER_PREFIX", "credit"),
            instance=env.get("STREAMER_INSTANCE") or None,
            metrics_port=_integer(env, "STREAMER_METRICS_PORT", 0, 0, 65_535),
            session_timeout_s=_integer(env, "STREAMER_SESSION_TIMEOUT_S", 10, 6, 300),
            standbys=_integer(env, "STREAMER_STANDBYS", 0, 0, 3),
            accept_loss=env.get("STREAMER_ACCEPT_LOSS") == "1",
            memory_mb=_integer(env, "STREAMER_MEMORY_MB", MEMORY_MB, 1, MAX_MEMORY_MB),
            supervisor_pid=_integer(env, "STREAMER_SUPERVISOR_PID", 0, 0, MAX_PID),
            backfill_max_lag_records=_integer(
                env, "STREAMER_BACKFILL_MAX_LAG", BACKFILL_MAX_LAG_RECORDS, 1, 1_000_000_000
            ),
            tombstone_after_h=_integer(
                env, "STREAMER_TOMBSTONE_AFTER_H", TOMBSTONE_AFTER_H, TOMBSTONE_AFTER_H, MAX_TOMBSTONE_AFTER_H
            ),
            log_level=_one_of(env, "STREAMER_LOG_LEVEL", "WARNING", LOG_LEVELS),
            environment=env,
        )

    def require_bootstrap(self) -> str:
        """The broker addresses: given, or those of the local servers when they run."""
        if self.bootstrap_servers:
            return self.bootstrap_servers
        found = local.find(self.home)
        if found is None:
            raise ConfigurationError(
                "no Kafka", todo="set KAFKA_BOOTSTRAP_SERVERS, or start one with `streamer local up`"
            )
        return found.bootstrap_servers

    def require_database(self) -> str:
        """The database URL: given, or that of the local servers when they run."""
        if self.database_url:
            return self.database_url
        found = local.find(self.home)
        if found is None or not found.database_url:
            raise ConfigurationError("no PostgreSQL", todo="set DATABASE_URL, or start one with `streamer local up`")
        return found.database_url

    def seal_key(self) -> bytes:
        """The 32-byte key that seals personal and free text: STREAMER_SEAL_KEY (hex), STREAMER_SEAL_KEY_FILE, or, with the
        local servers only, the file ``seal.key`` in ``home``, made when it is missing (mode 0600)."""
        text = self.environment.get("STREAMER_SEAL_KEY", "")
        given = self.environment.get("STREAMER_SEAL_KEY_FILE")
        if not text and given:
            text = Path(given).read_text()
        if not text and self.bootstrap_servers is None:
            text = _local_key(self.home / "seal.key")
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != SEAL_KEY_BYTES:
            raise ConfigurationError(
                "no seal key" if not text else f"the seal key is not {2 * SEAL_KEY_BYTES} hex digits",
                where="STREAMER_SEAL_KEY, or the file that STREAMER_SEAL_KEY_FILE names",
                todo="make one with `openssl rand -hex 32`, keep it, and give the same to every worker",
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


def _one_of(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    text = env.get(name) or default
    if text not in choices:
        raise ConfigurationError(f"{name} is none of {', '.join(choices)}")
    return text


def _local_key(path: Path) -> str:
    """The key in ``path``, made when missing; whole or not at all, whoever else is making it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(SEAL_KEY_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:  # another worker was quicker: its key it is
            pass
        draft.unlink()
    return path.read_text()
