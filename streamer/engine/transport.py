"""Faust's producer and transport with the engine's settings. Not for: batches (``producer``) or slices (``consumer``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver

from streamer.engine.consumer import SliceConsumer
from streamer.engine.producer import Appender
from streamer.engine.settings import BATCH_OVERHEAD_BYTES


class IdempotentProducer(driver.Producer):
    """One aiokafka producer a process: idempotent, acknowledged by all replicas in sync."""

    async def on_start(self) -> None:
        await super().on_start()
        self.app.runtime.appender = Appender(self._producer)

    def _settings_extra(self) -> Mapping[str, Any]:
        settings = self.app.settings
        largest = settings.unit_max_bytes + BATCH_OVERHEAD_BYTES
        return {
            "bootstrap_servers": settings.bootstrap_servers,
            "acks": "all",
            "enable_idempotence": True,
            "linger_ms": 0,
            "max_batch_size": largest,
            "max_request_size": largest,
            "request_timeout_ms": int(settings.commit_step_timeout_s * 1000),
        }


class SliceTransport(driver.Transport):
    Consumer = SliceConsumer
    Producer = IdempotentProducer
