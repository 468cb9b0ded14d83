"""One process a state folder. Not for: other machines (the group and the single-writer check see to those)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from streamer.engine.exits import Exit, Refusal


class FolderLock:
    """Held from ``take`` to the end of the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None

    def take(self) -> None:
        """Raises Refusal(LOCKED) while another process holds the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
            os.close(handle)
            raise Refusal(Exit.LOCKED, f"{self._folder} is held by process {holder or 'unknown'}") from exc
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._handle = handle
