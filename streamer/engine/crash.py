"""Faults of parts that nobody awaits: Faust's tasks, services and threads, callbacks of the loop. All end the process. Not for:
the end itself (``exits``), nor faults with a code of their own.

Faust, left alone, marks its services as crashed, stops them one by one while units go on committing, and ends with 1.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from pathlib import Path
from typing import Any, Final

from aiokafka.errors import ConsumerStoppedError, KafkaError

from streamer.engine.exits import Exit, fatal

#: What mode logs of each crash, with the whole traceback; ``fatal`` says it once.
_SAID_BY_MODE: Final = "Crashed reason="
_OURS: Final = str(Path(__file__).parents[1])


def code_of(exc: BaseException) -> Exit:
    """The exit code of a fault that nobody foresaw. (A full disk and a Refusal have their own: ``fatal``.)"""
    return Exit.BROKER if isinstance(exc, KafkaError | ConnectionError | TimeoutError) else Exit.FAULT


def crashed(runtime: Any, exc: BaseException) -> None:
    """A service of Faust's crashed, in whatever thread."""
    if isinstance(exc, GeneratorExit):
        return  # a loop that is gone throws away what is left of it: no process of ours does, but a test may
    if runtime.stopping and isinstance(exc, ConsumerStoppedError):
        return  # a clean stop left the group, all is committed
    fatal(code_of(exc), "a part of the process failed", exc)


def loop_handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop's exception handler: a callback of ours that raised ends the process, for what it had to do stays undone."""
    exc = context.get("exception")
    if "handle" in context and exc is not None and _of_ours(exc):
        fatal(code_of(exc), "a callback failed", exc)
    loop.default_exception_handler(context)


def _of_ours(exc: BaseException) -> bool:
    return any(frame.filename.startswith(_OURS) for frame in traceback.extract_tb(exc.__traceback__))


def said_once(record: logging.LogRecord) -> bool:
    """A filter of log records: without mode's own account of a crash."""
    return _SAID_BY_MODE not in str(record.msg)
