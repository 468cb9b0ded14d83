"""Runs an EngineApp as this process: lock, signals, a stop that takes a bounded time. Not for: starting it again
(``supervisor``)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import Any, NoReturn

import faust
import uvloop

from streamer.engine import connections, exits, failpoints
from streamer.engine.app import EngineApp
from streamer.engine.crash import code_of, crashed, loop_handler, said_once
from streamer.engine.exits import Exit, Refusal, fatal
from streamer.engine.lock import FolderLock

log = logging.getLogger(__name__)


class EngineWorker(faust.Worker):
    """Faust's worker with the engine's own end."""

    def install_signal_handlers(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._stop_soon)

    def execute_from_commandline(self) -> NoReturn:
        """Runs until ``stop`` or ``fatal``. (Faust's own stops gracefully after a fault, and ends with 1.)"""
        self.loop.set_exception_handler(loop_handler)
        try:
            self.loop.run_until_complete(self.start())
        except Exception as exc:  # noqa: BLE001 - whatever it was
            fatal(code_of(exc), "the process did not start", exc)
        fatal(Exit.FAULT, "the process came to its end although nobody stopped it")

    def _crash(self, reason: BaseException) -> None:
        crashed(self.app.runtime, reason)

    def _stop_soon(self) -> None:
        app: EngineApp = self.app
        if not app.runtime.stopping:
            app.runtime.stopping = True
            self._ending = asyncio.ensure_future(stop(app))


def run(app: EngineApp) -> NoReturn:
    """Never returns; the exit code is one of ``exits.Exit``, or 0 after SIGTERM."""
    logging.basicConfig(
        level=app.settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(said_once)
    try:
        failpoints.arm(os.environ)
        FolderLock(app.settings.state_dir).take(app.settings.lock_wait_s)
    except ValueError as exc:
        fatal(Exit.CONFIG, str(exc))
    except Refusal as exc:
        fatal(exc.code, "start", exc)
    except OSError as exc:
        fatal(Exit.CONFIG, f"the state folder {app.settings.state_dir} cannot be used", exc)
    # For this thread's loop and the consumer's: a sixth less CPU a fetched record.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    connections.mend()
    worker = EngineWorker(
        app, loglevel=app.settings.log_level, quiet=True, override_logging=False, redirect_stdouts=False
    )
    worker.spinner = None
    worker.execute_from_commandline()


async def stop(app: EngineApp) -> None:
    """Finishes what was begun, commits it, ends with 0; whatever is late is safe to leave."""
    settings = app.settings
    try:
        await asyncio.wait_for(_finish(app), settings.stop_timeout_s)
    except Exception as exc:  # noqa: BLE001 - it ends here in any case, and nothing is lost
        log.warning("stop: not everything was finished (%s); it comes again", type(exc).__name__)
    exits.terminate(0)


async def _finish(app: EngineApp) -> None:
    consumer: Any = app._consumer
    await app.tables.recovery.give_back()  # first: it may be about to hand partitions over
    if consumer is not None and consumer.lanes:
        consumer.stop_flow()
        await consumer.quiesce("stop", app.settings.stop_timeout_s / 2)
        consumer.drop_lanes()
    await app.tables.recovery.standbys.stop()
    if app._store is not None:
        app._store.flush(wait=True)  # not closed: units that were given up may still write, and would end with 70
    if consumer is not None and app.settings.instance_id is None:
        await consumer._thread.call_thread(consumer._thread.leave)
