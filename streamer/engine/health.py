"""/metrics, /healthz and /readyz on 127.0.0.1. Not for: anything else; no state is ever served.

Healthy: the event loop turns. Ready: partitions are owned and recovered, or none is due; a server that a sink waits for does
not make it unready.
"""

from __future__ import annotations

import asyncio
import errno
from typing import Any, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streamer.engine.exits import Exit, Refusal

#: Where the port is written, for those who asked for a free one.
PORT_FILE: Final = "http.port"
#: A port that is taken is tried again for so long.
PORT_WAIT_S: Final = 5.0
_PORT_RETRY_S: Final = 0.25


class HealthServer:
    def __init__(self, app: Any) -> None:
        self._app = app
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        settings = self._app.settings
        if settings.metrics_port < 0:
            return
        site_app = web.Application()
        site_app.add_routes(
            [web.get("/metrics", self._metrics), web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)]
        )
        self._runner = web.AppRunner(site_app, access_log=None)
        await self._runner.setup()
        await self._listen(self._runner, settings.metrics_port)
        port = self._runner.addresses[0][1]
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        (settings.state_dir / PORT_FILE).write_text(f"{port}\n")

    async def _listen(self, runner: web.AppRunner, port: int) -> None:
        """Raises Refusal(CONFIG) when the port is not to be had: at once where it is not allowed, else after a while, for the
        process before may still be ending."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + PORT_WAIT_S
        while True:
            site = web.TCPSite(runner, "127.0.0.1", port)
            try:
                return await site.start()
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE or clock() >= deadline:
                    raise Refusal(
                        Exit.CONFIG,
                        f"port {port} of 127.0.0.1, for health and metrics, is not to be had ({exc.strerror}). Free it, or "
                        "give another",
                    ) from exc
                await site.stop()
            await asyncio.sleep(_PORT_RETRY_S)

    async def _metrics(self, _: web.Request) -> web.Response:
        app = self._app
        app.metrics.ready.set(app.ready)
        app.metrics.assigned.set(len(app.lanes))
        for part, held in app.memory().items():
            app.metrics.memory.labels(part).set(held)
        for topic, gate in app.gates.items():
            app.metrics.gate_closed.labels(topic).set(gate.closed)
        return web.Response(body=generate_latest(app.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"healthy": True, "waiting_on": self._app.runtime.waits})

    async def _readyz(self, _: web.Request) -> web.Response:
        ready, recovering = self._app.ready, self._app.recovering
        body: dict[str, object] = {"ready": ready, "partitions": len(self._app.lanes)}
        if recovering is not None:
            body["recovery"] = recovering
        return web.json_response(body, status=200 if ready else 503)
