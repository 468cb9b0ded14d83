"""How a process of the engine ends: exit codes with what an operator should do. Not for: errors that a handler can settle.

The engine is crash-only: a doubt about offsets or state ends the process before anything is acknowledged.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import Final, NoReturn

from streamer.engine.kafka_errors import advice, forbidden


class Exit(IntEnum):
    """Exit codes; ``ADVICE`` says what each one asks of an operator."""

    HANDLER = 70
    GAP = 71
    REVOKE = 72
    RECOVERY = 73
    FOREIGN = 74
    STALL = 75
    PAUSE = 76
    TOO_LARGE = 77
    CONFIG = 78
    LOCKED = 79
    LOSS = 80
    DISK = 81
    BROKER = 82
    FAULT = 83


ADVICE: Final[dict[Exit, str]] = {
    Exit.HANDLER: "a handler raised; nothing of its unit was acknowledged. If it repeats, look at the event at that offset",
    Exit.GAP: "offsets were missing or out of order; a restart reads them again. If it repeats, look at the source topic",
    Exit.REVOKE: "units under way did not finish before partitions were taken away; safe, a restart goes on",
    Exit.RECOVERY: "state could not be rebuilt from the changelog; look at the broker, then restart",
    Exit.FOREIGN: "a topic that only this process may write was written; are there two holders? A restart repairs it",
    Exit.STALL: "no progress although there was work and Kafka answered; a restart goes on. If it repeats, send the log",
    Exit.PAUSE: "the process slept too long and may have lost its partitions; a restart goes on",
    Exit.TOO_LARGE: "what one event changes does not fit a batch; raise unit_max_bytes and the topics' max.message.bytes",
    Exit.CONFIG: "the text above says what to change; a restart does not help",
    Exit.LOCKED: "another process holds this state folder; stop it, or give this one another folder",
    Exit.LOSS: "records are gone that were not applied; accept it with --accept-loss, then it goes into the books",
    Exit.DISK: "make room where the state folder lies; nothing is lost, and a restart with room goes on by itself",
    Exit.BROKER: "Kafka did not do what the process needs, the line above says what; look at the brokers and the rights of "
    "this user. A restart tries again",
    Exit.FAULT: "a part of the process failed where nothing should; nothing was acknowledged afterwards, a restart goes on. "
    "If it repeats, send the log",
}

#: Restarting cannot help: a person must act.
NEVER_RESTARTED: Final = frozenset({Exit.CONFIG, Exit.LOCKED, Exit.LOSS})

#: Their exceptions may quote what an event says.
_EXCEPTIONS_WITHOUT_TEXT: Final = frozenset({Exit.HANDLER, Exit.FAULT})

#: A write that the disk, a quota or a limit of the process refuses; RocksDB says it in words only, and of no type of its own.
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_ROOM_TEXTS: Final = tuple(os.strerror(number) for number in sorted(_NO_ROOM))
_ROCKSDB_IO: Final = "IO error"

#: Tests replace it; a process ends here without running any clean-up.
terminate: Callable[[int], object] = os._exit


class Refusal(Exception):  # noqa: N818 - not an error of the program
    """The process must not go on: raised where the way out is a ``fatal`` further up."""

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code = code


def describe(exc: BaseException, *, with_text: bool) -> str:
    """Class and places of an exception; its text only if asked for: a handler's may hold what an event says."""
    frames = traceback.extract_tb(exc.__traceback__)
    places = [f"  {f.filename}:{f.lineno} in {f.name}" for f in frames[-12:]]
    head = type(exc).__name__ + (f": {exc}" if with_text else "")
    return "\n".join([head, *places])


def out_of_room(exc: BaseException | None) -> BaseException | None:
    """``exc``, or what it comes from, where that is a write that found no room."""
    while exc is not None:
        if isinstance(exc, OSError):
            if exc.errno in _NO_ROOM:
                return exc
        elif str(exc).startswith(_ROCKSDB_IO) and any(text in str(exc) for text in _NO_ROOM_TEXTS):
            return exc
        exc = exc.__cause__ or exc.__context__
    return None


def fatal(code: Exit, why: str, exc: BaseException | None = None) -> NoReturn:
    """Ends the process at once: nothing is acknowledged, committed or flushed on this path."""
    full, denied = out_of_room(exc), forbidden(exc)
    if full is not None:
        code, why, exc = Exit.DISK, f"the disk is full: {why}", full
    elif denied is not None:
        code, why, exc = Exit.CONFIG, f"{why}: {advice(denied)}", None
    elif isinstance(exc, Refusal):
        code, why, exc = exc.code, f"{why}: {exc}", None
    lines = [f"fatal: exit {int(code)} ({code.name.lower()}): {why}"]
    if exc is not None:
        lines.append(describe(exc, with_text=code not in _EXCEPTIONS_WITHOUT_TEXT))
    lines.append(f"what to do: {ADVICE[code]}")
    with suppress(OSError):  # the log may lie on a full disk: end all the same
        if sys.__stderr__ is not None:
            sys.__stderr__.write("\n".join([*lines, ""]))
            sys.__stderr__.flush()
    terminate(int(code))
    raise SystemExit(int(code))
