"""Faust made lossless and fast: slices in, one commit a unit, state that survives. Not for: anything about credit.

Read ``commit`` first, then ``lane``, ``rows``, ``recovery``; ``app`` wires them to Faust.
"""

from streamer.engine.app import EngineApp
from streamer.engine.commit import CommitSteps
from streamer.engine.exits import Exit, Refusal, fatal
from streamer.engine.metrics import Metrics
from streamer.engine.rows import Codec, Rows
from streamer.engine.settings import EngineSettings
from streamer.engine.slices import RecordIn, Slice, Sweep, SweepContext
from streamer.engine.table import KeyedTable, Restate
from streamer.engine.worker import run

__all__ = [
    "Codec",
    "CommitSteps",
    "EngineApp",
    "EngineSettings",
    "Exit",
    "KeyedTable",
    "Metrics",
    "RecordIn",
    "Refusal",
    "Restate",
    "Rows",
    "Slice",
    "Sweep",
    "SweepContext",
    "fatal",
    "run",
]
