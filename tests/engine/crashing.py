"""The toy with a task that fails as soon as partitions are owned. Not for: anything but ``test_crash``."""

from __future__ import annotations

from streamer.engine import run
from tests.engine.toy import ToyConfig, make

if __name__ == "__main__":
    app = make(ToyConfig.from_env())

    @app.timer(0.01)
    async def fails() -> None:
        if not app.lanes:
            return
        raise RuntimeError("a part that fails, as asked")

    run(app)
