"""Runs the toy as processes against real Kafka, kills them, and judges the outcome. For tests and longer fault runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.engine import cluster, oracle
from tests.engine.toy import ToyConfig

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


class Workshop:
    """Topics, folders and processes of one scenario; names are its own, so scenarios share a broker."""

    def __init__(self, bootstrap: str, folder: Path, partitions: int = 4) -> None:
        self.name = f"toy-{uuid.uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self.partitions = partitions
        self.folder = folder
        self.config = ToyConfig(
            bootstrap=bootstrap,
            app=self.name,
            source=f"{self.name}.events",
            alerts=f"{self.name}.alerts",
            standing=f"{self.name}.standing",
            folder=str(folder / "w0"),
            partitions=partitions,
            instance=f"{self.name}-0",
        )
        self.changelog = f"{self.name}-accounts-changelog"
        self.log = folder / "worker.log"
        self.running: list[subprocess.Popen[bytes]] = []

    async def create(self, source_config: dict[str, str] | None = None) -> None:
        await cluster.create(self.bootstrap, [self.config.source], self.partitions, source_config)
        await cluster.create(self.bootstrap, [self.config.alerts], self.partitions)
        compacted = {**cluster.COMPACTED, "message.timestamp.type": "LogAppendTime"}
        await cluster.create(self.bootstrap, [self.changelog, self.config.standing], self.partitions, compacted)

    async def publish(self, messages: Iterable[tuple[bytes, bytes]]) -> int:
        return await cluster.publish(self.bootstrap, self.config.source, messages)

    # -- processes

    def spawn(self, failpoint: str = "", module: str = "tests.engine.toy", **changes: Any) -> subprocess.Popen[bytes]:
        config = replace(self.config, **changes)
        env = {**os.environ, **config.env(), "PYTHONPATH": str(ROOT)}
        if failpoint:
            env |= {"STREAMER_ALLOW_FAILPOINTS": "1", "STREAMER_FAILPOINTS": failpoint}
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", module], env=env, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT
            )
        self.running.append(process)
        return process

    async def wait(self, process: subprocess.Popen[bytes], timeout_s: float = PATIENCE_S) -> int:
        """The exit code; kills a process that does not end in time and raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise TimeoutError(f"process {process.pid} did not end within {timeout_s} s\n{self.tail()}")
            await asyncio.sleep(0.05)
        return process.returncode

    async def stop(self, process: subprocess.Popen[bytes]) -> int:
        process.send_signal(signal.SIGTERM)
        return await self.wait(process, 15)

    def kill_all(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()

    def wipe(self, worker: str = "w0") -> None:
        shutil.rmtree(self.folder / worker, ignore_errors=True)

    def tail(self, characters: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    # -- what happens outside

    async def lag(self) -> int:
        return await cluster.lag(self.bootstrap, self.name, self.config.source, self.partitions)

    async def applied(self) -> int:
        """Records that the group has committed."""
        return sum(await cluster.committed_offsets(self.bootstrap, self.name, self.config.source, self.partitions))

    async def until(self, condition: Any, what: str, process: subprocess.Popen[bytes] | None = None) -> None:
        """Waits for ``await condition()``; fails when the process ends first, or after PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        while not await condition():
            if process is not None and process.poll() is not None:
                raise AssertionError(f"process ended with {process.returncode} before {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come to pass within {PATIENCE_S} s\n{self.tail()}")
            await asyncio.sleep(0.1)

    async def until_applied(self, count: int, process: subprocess.Popen[bytes]) -> None:
        async def reached() -> bool:
            return await self.applied() >= count

        await self.until(reached, f"{count} records applied", process)

    async def until_drained(self, process: subprocess.Popen[bytes]) -> None:
        async def drained() -> bool:
            return await self.lag() == 0

        await self.until(drained, "lag 0", process)

    def metric(self, name: str, worker: str = "w0") -> float | None:
        """The sum of a metric's samples, from the process that holds the folder; None before it listens."""
        found = self.samples(name, worker)
        return None if found is None else sum(found)

    def samples(self, name: str, worker: str = "w0") -> list[float] | None:
        """A metric's samples; None before the process listens."""
        try:
            port = int((self.folder / worker / "http.port").read_text())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return None
        return [float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name]

    # -- judgement

    async def differences(self, workers: Iterable[str] = ("w0",)) -> dict[str, dict[str, int]]:
        """Between what is and what one event at a time would have made; empty: none. Processes must have ended for the
        local stores to be read."""
        source = await cluster.read(self.bootstrap, self.config.source, self.partitions)
        want = oracle.truth(source, self.config.schema)
        log = await cluster.read(self.bootstrap, self.changelog, self.partitions)
        found = {
            "changelog": oracle.differences(want.rows, oracle.counted(log)),
            "last records": oracle.differences(want.rows, oracle.last(log)),
            "alerts": oracle.alert_differences(
                want, await cluster.read(self.bootstrap, self.config.alerts, self.partitions)
            ),
            "standing": oracle.standing_differences(
                want, await cluster.read(self.bootstrap, self.config.standing, self.partitions)
            ),
        }
        for worker in workers:
            if (self.folder / worker / "db").exists():
                found[f"store {worker}"] = oracle.differences(
                    want.rows, oracle.stored(self.folder / worker, self.partitions)
                )
        return {what: bad for what, bad in found.items() if bad}

    async def finish(self, **changes: Any) -> dict[str, dict[str, int]]:
        """One undisturbed run to the end of the log and of the sweeps, a clean stop, the judgement."""
        process = self.spawn(**changes)
        await self.until_drained(process)

        async def settled() -> bool:
            return self.metric("streamer_ready") == 1 and await self.swept()

        await self.until(settled, "sweeps done", process)
        code = await self.stop(process)
        assert code == 0, f"a clean stop ended with {code}\n{self.tail()}"
        return await self.differences()

    async def swept(self) -> bool:
        """Whether the changelog stopped growing."""
        before = await cluster.end_offsets(self.bootstrap, self.changelog, self.partitions)
        await asyncio.sleep(0.3)
        return before == await cluster.end_offsets(self.bootstrap, self.changelog, self.partitions)
