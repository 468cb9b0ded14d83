"""``python -m streamer``: the command line without an installed script."""

from __future__ import annotations

from streamer.cli.main import main

if __name__ == "__main__":
    main()
