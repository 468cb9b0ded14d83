"""``python -m streamer.bench.launch ROLE``: a role in a process as it is run for measuring. Not for: production.

Beside the role itself: pinned to a core (STREAMER_BENCH_CORE), its first event marked (``marks``), and, with
STREAMER_PROFILE=FILE, sampled from that event on. The wrapper that sees the first event takes itself away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from streamer.bench.marks import mark_start
from streamer.bench.profiler import Sampler

CORE_VARIABLE: Final = "STREAMER_BENCH_CORE"
PROFILE_VARIABLE: Final = "STREAMER_PROFILE"


def pin(cores: set[int]) -> None:
    """This process, and what it starts from here on, to these cores; nothing where the system cannot."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def begin() -> None:
    """The first event is here."""
    path = os.environ.get(PROFILE_VARIABLE)
    if path:
        Sampler(Path(path)).start()
    mark_start()


def _mark_first_slice() -> None:
    from streamer.engine.slices import Slice

    fresh = Slice.fresh

    def first(self: Slice) -> Iterator[Any]:
        Slice.fresh = fresh  # type: ignore[method-assign]
        begin()
        return fresh(self)

    Slice.fresh = first  # type: ignore[method-assign]


def main(argv: list[str]) -> None:
    """Run until told to stop."""
    core = os.environ.get(CORE_VARIABLE)
    pin({int(core)} if core else set())
    from streamer import app

    _mark_first_slice()
    app.main(argv)


if __name__ == "__main__":
    main(sys.argv[1:])
