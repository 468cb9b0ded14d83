"""The sampler tells who spent the CPU; its file holds what ``top`` ranks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.bench import marks, profiler
from streamer.bench.profiler import Profile

WORK = """
import os, signal, sys, time
from pathlib import Path
from streamer.bench.profiler import Sampler
def busy():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
Sampler(Path(sys.argv[1])).start()
busy()
os.kill(os.getpid(), signal.SIGUSR2)
"""


def test_most_of_the_cpu_is_seen_where_it_was_spent(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    root = str(profiler.ROOT)
    subprocess.run(
        [sys.executable, "-c", WORK, str(file)], check=True, env={**os.environ, "PYTHONPATH": root}, timeout=60
    )
    profile = profiler.read(file)
    assert profile.cpu_s > 0.2
    assert max(profile.functions, key=profile.functions.__getitem__).endswith(" busy")


def test_top_ranks_native_threads_with_the_rest() -> None:
    profile = Profile(10.0, 5.0, {}, {"a f": 3.0, "b g": 2.0}, {})
    assert profiler.top(profile, 2) == [(0.5, "(native threads)"), (0.3, "a f")]


def test_a_mark_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "role.mark"
    assert marks.read(file) is None
    monkeypatch.setenv(marks.VARIABLE, str(file))
    marks.mark_start()
    found = marks.read(file)
    assert found is not None
    assert found.cpu_s > 0
