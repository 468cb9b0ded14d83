"""Ends a process whose supervisor is gone: nobody would start it again, and a new supervisor's processes need its folder.

Not for: stopping on a signal (``worker``). A supervisor that is killed with -9 can tell nobody, so its processes look: the
parent of a process changes when the parent ends. That needs no pipe that a grandchild could hold open, and is portable.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from streamer.engine import exits

log = logging.getLogger(__name__)

#: How often the parent is looked at; so long at the most an orphan goes on with its work.
POLL_S: Final = 0.5
#: From the word to stop to the end, if the stop itself hangs; longer than ``stop_timeout_s``.
LATEST_END_S: Final = 10.0


def follow(
    supervisor_pid: int,
    *,
    parent: Callable[[], int] = os.getppid,
    tell: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),
    pause: Callable[[float], None] = time.sleep,
) -> threading.Thread | None:
    """Stops this process cleanly, as SIGTERM does, once ``supervisor_pid`` is not its parent any more; 0: never."""
    if not supervisor_pid:
        return None

    def watch() -> None:
        while parent() == supervisor_pid:
            pause(POLL_S)
        log.warning("the supervisor, process %d, is gone: this process ends, too", supervisor_pid)
        tell()
        pause(LATEST_END_S)
        exits.terminate(0)

    thread = threading.Thread(target=watch, name="orphan", daemon=True)
    thread.start()
    return thread
