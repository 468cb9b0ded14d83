"""One process a state folder. Not for: other machines (the group and the single-writer check see to those)."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from streamer.engine.exits import Exit, Refusal

_POLL_S = 0.1


class FolderLock:
    """Held from ``take`` to the end of the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None

    def take(self, wait_s: float = 0.0) -> None:
        """Raises Refusal(LOCKED) when another process holds the folder for longer than ``wait_s``."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + wait_s
        while not _locked(handle):
            if time.monotonic() >= deadline:
                holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
                os.close(handle)
                raise Refusal(Exit.LOCKED, f"{self._folder} is held by process {holder or 'unknown'}")
            time.sleep(_POLL_S)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._handle = handle


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
