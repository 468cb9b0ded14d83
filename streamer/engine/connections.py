"""aiokafka's connections on uvloop. Not for: what goes over them.

To write to a connection that has just been closed is an OSError to aiokafka, which then opens another; asyncio's own loop says
nothing at all. uvloop raises RuntimeError, and that ended whichever of aiokafka's own tasks was writing, in silence: without the
one that keeps the cluster's metadata, no commit, look-up or new connection ever comes about again. Neither library is wrong by
its own terms (uvloop 0.23, aiokafka 0.14), so it is mended where they meet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_WRITES: Final = ("send", "_send_sasl_token")
_MENDED: Final = "_mended_for_uvloop"


def mend() -> None:
    """From now on a write to a closed connection closes it for aiokafka, too, and raises KafkaConnectionError."""
    for name in _WRITES:
        write = getattr(AIOKafkaConnection, name)
        if not hasattr(write, _MENDED):
            setattr(AIOKafkaConnection, name, _mended(write))


def _mended(write: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(write)
    def written(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return write(self, *args, **kwargs)
        except RuntimeError as exc:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {exc}") from exc

    setattr(written, _MENDED, True)
    return written


def forsaken(client: Any) -> BaseException | None:
    """What ended the task that keeps a client's metadata; None while it lives. Without it Kafka seems to be away."""
    task = client._sync_task
    if task is None or not task.done() or task.cancelled():
        return None
    ended: BaseException | None = task.exception()
    return ended
