"""Kafka's jar files: fetched once into the machine's Maven cache by ``jgo``, each checked against ``kafka.lock``.

Not for: running them. A mirror or another cache folder is a matter of jgo's own settings file, not of this project.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from streamer.errors import StreamerError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

PARALLEL_DOWNLOADS: Final = 8
DOWNLOAD_TIMEOUT_S: Final = 60  # for one answer of the repository, not for a whole file
Say = Callable[[str], None]


class Jar(NamedTuple):
    """One line of ``kafka.lock``."""

    coordinate: str  # group:artifact:version
    sha256: str


def jars() -> list[Jar]:
    """The pinned files, the broker first."""
    return parse(files("streamer.local").joinpath("kafka.lock").read_text(encoding="utf-8"))


def parse(text: str) -> list[Jar]:
    """A lock file's lines."""
    return [Jar(*line.split()) for line in text.splitlines() if line and not line.startswith("#")]


def kafka_version() -> str:
    """The pinned broker's version."""
    return jars()[0].coordinate.rpartition(":")[2]


def class_path(say: Say, wanted: Sequence[Jar] = ()) -> list[Path]:
    """Every jar on this machine and checked; what is missing is fetched first. Raises StreamerError. Blocks.

    ``wanted``: other files than the broker's.
    """
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    settings = GlobalSettings.load()
    remote = {"remote_repos": dict(settings.repositories)} if settings.repositories else {}
    maven = MavenContext(repo_cache=settings.repo_cache, timeout=DOWNLOAD_TIMEOUT_S, **remote)
    maven.repo_cache.mkdir(parents=True, exist_ok=True)
    wanted = wanted or jars()
    with (
        (maven.repo_cache / ".credit-streamer.lock").open("w") as lock,
        ThreadPoolExecutor(PARALLEL_DOWNLOADS, thread_name_prefix="jars") as pool,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)  # jgo writes files in place: one of us at a time
        paths = [_cached(maven, jar) for jar in wanted]
        good = list(pool.map(_matches, paths, (jar.sha256 for jar in wanted)))
        missing = [jar for jar, is_good in zip(wanted, good, strict=True) if not is_good]
        if missing:
            say(f"fetching {wanted[0].coordinate}: {len(missing)} of {len(wanted)} files, once for this machine")
            list(pool.map(lambda jar: _fetch(maven, jar), missing))
    return paths


def _cached(maven: MavenContext, jar: Jar) -> Path:
    group, artifact, version = jar.coordinate.split(":")
    return Path(maven.repo_cache, *group.split("."), artifact, version, f"{artifact}-{version}.jar")


def _matches(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _fetch(maven: MavenContext, jar: Jar) -> None:
    path = _cached(maven, jar)
    path.unlink(missing_ok=True)  # half a file of an interrupted download
    group, artifact, version = jar.coordinate.split(":")
    try:
        maven.project(group, artifact).at_version(version).artifact().resolve()
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo raises RuntimeError for "not found"
        path.unlink(missing_ok=True)
        raise StreamerError(
            f"cannot fetch {jar.coordinate} ({type(error).__name__})",
            where="the Maven repository that jgo is set to use (its settings file: ~/.config/jgo.conf, [repositories])",
            todo="check the network or proxy (HTTPS_PROXY) and run this again, it goes on where it stopped; "
            "or use a Kafka of your own: set KAFKA_BOOTSTRAP_SERVERS",
        ) from error
    if not _matches(path, jar.sha256):
        path.unlink(missing_ok=True)
        raise StreamerError(
            f"{jar.coordinate} is not the file that kafka.lock names (SHA-256 differs); it was removed",
            where=str(path),
            todo="check the mirror or proxy that serves Maven files, and run this again",
        )
