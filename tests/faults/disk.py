"""A disk that is full when a scenario says so. Not for: what happens then.

As root, a file system of its own in memory, of a fixed size: a ballast file takes the rest of it (ENOSPC). Where that is
not allowed, a limit on how large a file of the process may be (EFBIG): it needs no right, and tells the same story.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BALLAST: Final = "ballast"
CHUNK_BYTES: Final = 1 << 20
LIMIT_BYTES: Final = 64 << 10  # of a file, where the limit stands in for the disk
MOUNT_TIMEOUT_S: Final = 10


class SmallDisk:
    """``folder`` lies on it. ``mounted``: whether it is a file system of its own."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder, self.mounted = folder, mounted
        self._full = False

    @property
    def how(self) -> str:
        return "a file system of its own" if self.mounted else "a limit of the process"

    @property
    def is_full(self) -> bool:
        return self._full

    def fill(self) -> None:
        """No byte is left."""
        self._full = True
        if not self.mounted:
            return
        with (self.folder / BALLAST).open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(CHUNK_BYTES))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_room(self) -> None:
        self._full = False
        if self.mounted:
            (self.folder / BALLAST).unlink(missing_ok=True)

    def limit(self, pid: int) -> None:
        """Where a limit stands in for the disk: put it on a process, or take it away. Else nothing."""
        if self.mounted:
            return
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES if self._full else hard, hard))


@contextlib.contextmanager
def small(folder: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """A small disk at ``folder``, which is made; unmounted and removed afterwards."""
    folder.mkdir(parents=True)
    mounted = _mount(folder, size_bytes)
    try:
        yield SmallDisk(folder, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=MOUNT_TIMEOUT_S)
        shutil.rmtree(folder, ignore_errors=True)


def _mount(folder: Path, size_bytes: int) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    options = ["-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], check=False, capture_output=True, timeout=MOUNT_TIMEOUT_S)
    return done.returncode == 0
