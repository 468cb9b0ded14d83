"""The sink alone as a process of its own: ``python -m tests.sinks.role BOOTSTRAP DSN FOLDER``. Not for: production."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from streamer.agents.sink import register
from streamer.engine import EngineApp, EngineSettings, run

GROUP: Final = "test-sink"
SOURCES: Final = ("tax", "finance")
DOMAINS: Final = ("procurement",)
MEMORY_BYTES: Final = 192 << 20


def main(bootstrap: str, dsn: str, folder: str) -> None:
    app = EngineApp(
        EngineSettings(
            app_id=GROUP,
            bootstrap_servers=bootstrap,
            state_dir=Path(folder),
            instance_id="sink-0",  # so that a restart takes its partitions over at once
            session_timeout_s=6,
            memory_budget_bytes=MEMORY_BYTES,
        )
    )
    register(app, dsn=dsn, sources=SOURCES, domains=DOMAINS)
    run(app)


if __name__ == "__main__":
    main(*sys.argv[1:])
