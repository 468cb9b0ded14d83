"""Where the local servers keep their files. Not for: what is in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "STREAMER_HOME"
DEFAULT_HOME: Final = ".streamer"


class Paths:
    """Files under ``<home>/local``; ``home`` defaults to ``STREAMER_HOME``, then to ``./.streamer``."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = (home or Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)).expanduser().resolve()
        self.root = self.home / "local"
        self.state = self.root / "state.json"
        self.lock = self.root / "lock"
        self.postgres = self.root / "postgres"
        self.postgres_log = self.root / "postgres.log"

    def broker(self, node_id: int) -> Path:
        """The folder of one broker: its settings, log and data."""
        return self.root / f"kafka-{node_id}"
