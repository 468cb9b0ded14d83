"""A role without a table on the engine: each record of its inbound topics goes out once more, with where it came from. For tests.

``python -m tests.engine.relay`` with the toy's variables; it reads ``source`` and ``<source>.other``.
"""

from __future__ import annotations

from typing import Any

from streamer.engine import EngineApp, Slice, run
from tests.engine.toy import ToyConfig, settings


def make(config: ToyConfig) -> EngineApp:
    app = EngineApp(settings(config))
    app.output(config.alerts)

    @app.agent(app.slices(config.source, other(config.source), read_committed=True))
    async def agent(stream: Any) -> None:
        async for part in stream:
            forward(part, config.alerts)

    return app


def other(source: str) -> str:
    return f"{source}.other"


def forward(part: Slice, to: str) -> None:
    for record in part.fresh():
        part.send(to, part.partition, record.key or b"", record.value or b"")
    part.done()


if __name__ == "__main__":
    run(make(ToyConfig.from_env()))
