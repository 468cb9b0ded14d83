"""A thread that ends a process which has stopped working while it looks alive. Not for: servers that are away (waiting for
them is no stall), nor for starting again (``supervisor``)."""

from __future__ import annotations

import threading
from typing import Any

from streamer.engine.exits import Exit, fatal

_PERIOD_S = 0.5


class Watchdog:
    """Looks every half second; works when the event loop does not turn."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._runtime = app.runtime
        self._idle_since = self._runtime.clock()
        #: When something outside was last being waited for: only time since then counts.
        self._excused_at = 0.0
        self._owned_once = False
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(_PERIOD_S):
            why = self.verdict()
            if why is not None and not self._stop.is_set():
                fatal(Exit.STALL, why)

    def verdict(self) -> str | None:
        """Why the process must end, or None."""
        rt = self._runtime
        now, limit = rt.clock(), rt.settings.stall_timeout_s
        if rt.stopping:
            return None
        if now - rt.loop_turned_at > limit and (rt.guarding or self._owned_once):
            return f"the event loop has not turned for {limit:.0f} s"
        lanes = list(self._app.lanes.values())
        if lanes:
            self._owned_once = True
            self._idle_since = now
            if rt.waits or rt.kafka_is_silent():
                self._excused_at = now
            return self._stalled(lanes, now, limit)
        if self._app.has_nothing_to_do or rt.waits:
            self._idle_since = now
            return None
        idle = now - max(self._idle_since, self._app.recovery_moved_at)
        allowed = rt.settings.recovery_stall_timeout_s if self._owned_once else rt.settings.start_timeout_s
        return f"no partitions and no recovery for {idle:.0f} s" if idle > allowed else None

    def _stalled(self, lanes: list[Any], now: float, limit: float) -> str | None:
        for lane in lanes:
            behind = lane.busy or (lane.end > lane.ledger.done and not lane.held)
            if not behind:
                lane.progress_at = now
            elif now - max(lane.progress_at, self._excused_at) > limit:
                return f"no progress on {lane.ledger.name} at {lane.ledger.done} of {lane.end} for {limit:.0f} s"
        if now - max(self._app.committed_at, self._excused_at) > limit:
            return f"offsets have not been committed for {limit:.0f} s"
        return None
