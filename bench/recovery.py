"""Recovery of a million entities from the changelog, next to a raw changelog → RocksDB loop. Not for: what recovery promises."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from typing import Final

from bench.chain import tool
from bench.context import Bench, new_name
from bench.kernel import seed
from bench.kernel.ours import TABLE
from bench.kernel.worker import Worker, WorkerFailedError
from bench.peers import BY_NAME
from bench.store import Run

READY_TIMEOUT_S: Final = 300.0
POLL_S: Final = 0.1
_METRIC: Final = r"^{}(?:\{{.*\}})? ([0-9.e+-]+)$"


async def recovery(bench: Bench) -> None:
    """Ours and raw in turn, on one changelog."""
    size, rounds = bench.plan.recovery_entities, bench.plan.recovery_rounds
    if bench.store.has("recovery", "raw", size, rounds):
        return
    app = new_name("recovery")
    topic, changelog = f"events-{app}", f"{app}-{TABLE}-changelog"
    try:
        await bench.cluster.create(topic)
        bench.say(f"writing the changelog of {size:,} entities")
        records = await seed.changelog(bench.cluster, changelog, size)
        for number in range(1, rounds + 1):
            run = Run("recovery", "ours", size, number, records, 0, 0, 0)
            bench.keep(await _ours(bench, topic, app, run))
            folder = bench.home / "state" / f"{app}-raw-{number}"
            raw = await tool(bench, "bench.raw_recovery", bench.cluster.bootstrap, changelog, str(folder))
            run = run._replace(name="raw", events=raw["records"], seconds=raw["seconds"], cpu_s=raw["cpu_s"])
            bench.keep(run._replace(peak_mb=raw["peak_mb"]))
    finally:
        await bench.cluster.delete({name for name in await bench.cluster.topics() if app in name})


async def _ours(bench: Bench, topic: str, app: str, run: Run) -> Run:
    """By its own metrics: seconds of the recovery and records read; CPU of the whole process until it was ready."""
    worker = Worker(bench.cluster, bench.environments, BY_NAME["ours"], topic, app, bench.home, bench.core)
    worker.folder.mkdir(parents=True)
    try:
        if worker.alerts not in await bench.cluster.topics():
            await bench.cluster.create(worker.alerts)
        worker.start()
        text = await _metrics_when_ready(worker)
        usage = worker.usage()
        seconds, records = _value(text, "streamer_recovery_seconds"), _value(text, "streamer_recovered_records_total")
        return run._replace(events=int(records), seconds=seconds, cpu_s=usage.cpu_s, peak_mb=usage.peak_mb)
    except WorkerFailedError as error:
        return run._replace(events=0, extra={"failed": str(error)})
    finally:
        worker.discard()


async def _metrics_when_ready(worker: Worker) -> str:
    """/metrics once /readyz says so. Raises WorkerFailedError."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if worker.ended() is not None:
            raise WorkerFailedError(f"exit {worker.ended()}; {worker.log_tail()}")
        try:
            address = f"http://127.0.0.1:{worker.port()}"
            await asyncio.to_thread(_get, f"{address}/readyz")
            return await asyncio.to_thread(_get, f"{address}/metrics")
        except (OSError, ValueError):
            await asyncio.sleep(POLL_S)
    raise WorkerFailedError(f"not ready after {READY_TIMEOUT_S:g} s; {worker.log_tail()}")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as found:
        return str(found.read().decode())


def _value(text: str, metric: str) -> float:
    found = re.search(_METRIC.format(metric), text, re.MULTILINE)
    if found is None:
        raise WorkerFailedError(f"no metric {metric}")
    return float(found[1])
