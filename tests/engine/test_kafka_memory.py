"""Nothing grows beyond its share: many entities with a small budget, and a broker that stops answering in the middle."""

from __future__ import annotations

import os
import random
import signal
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from streamer import local
from tests.engine.toy import encode_json
from tests.engine.workshop import Workshop

BUDGET = 192 << 20
EVENTS = 60_000
#: Above its bound a part may be by what is counted between two looks: 16 events' rows, one slice, memtables being flushed.
MARGINS = {
    "rows": 1.25,
    "blocks": 1.25,
    "memtables": 1.6,
    "in_flight": 1.3,
    "fetched": 1.0,
    "keys": 1.0,
    "standbys": 1.0,
}
#: Python and its allocator give back late; the slack is a tenth of the budget, and so is this.
PROCESS_MARGIN = 1.1
QUIET_SAMPLES = 10


def events(count: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Half of new accounts, half of any earlier one: rows that were evicted are read again."""
    draw = random.Random(seed)
    accounts = 0
    for number in range(count):
        if not accounts or draw.random() < 0.5:
            accounts += 1
            account = accounts
        else:
            account = draw.randint(1, accounts)
        name = f"account-{account:06}"
        body = {"id": f"e{number}", "account": name, "document": f"d{number % 7}-{'x' * 100}", "amount": number % 100}
        yield name.encode(), encode_json(body)


class Gauges:
    """Memory by part as the process tells it, and the most of each so far."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self.most: dict[str, float] = {}
        self.bounds: dict[str, float] = {}

    def look(self) -> dict[str, float]:
        try:
            port = int((self._workshop.folder / "w0" / "http.port").read_text())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except (OSError, ValueError):
            return {}
        found = self._parts(lines, "streamer_memory_bytes")
        self.bounds = self._parts(lines, "streamer_memory_bound_bytes") or self.bounds
        for part, held in found.items():
            self.most[part] = max(held, self.most.get(part, 0.0))
        return found

    @staticmethod
    def _parts(lines: list[str], name: str) -> dict[str, float]:
        pairs = [line.rpartition(" ") for line in lines if line.startswith(name + "{")]
        return {label.split('"')[1]: float(value) for label, _, value in pairs}

    def beyond(self) -> dict[str, tuple[float, float]]:
        """Parts that were above their bound and its margin, in MiB."""
        return {
            part: (self.most[part] / 2**20, bound / 2**20)
            for part, bound in self.bounds.items()
            if self.most.get(part, 0) > bound * MARGINS[part]
        }


async def test_many_entities_within_a_small_budget(workshop: Workshop, pytestconfig: Any) -> None:
    await workshop.create()
    await workshop.publish(events(EVENTS, seed=int(pytestconfig.getoption("--hypothesis-seed"))))
    process = workshop.spawn(memory=BUDGET)
    gauges = Gauges(workshop)

    async def drained() -> bool:
        gauges.look()
        return await workshop.lag() == 0

    await workshop.until(drained, "lag 0", process)
    gauges.look()
    assert set(gauges.bounds) == set(MARGINS)
    assert gauges.beyond() == {}
    assert gauges.most["rows"] > gauges.bounds["rows"] / 4, "the cache was never full: the test is too small"
    assert gauges.most["process"] < BUDGET * PROCESS_MARGIN
    assert await workshop.stop(process) == 0
    assert await workshop.finish(memory=BUDGET) == {}


async def test_a_broker_that_stops_answering_holds_everything_up_and_nothing_is_lost(
    own_servers: Callable[..., Awaitable[local.Servers]], tmp_path: Path
) -> None:
    servers = await own_servers(1, postgres=False)
    broker = next(s.pid for s in await local.status(tmp_path / "home") if s.name.startswith("kafka"))
    assert broker is not None
    workshop = Workshop(servers.bootstrap_servers, tmp_path)
    try:
        await workshop.create()
        await workshop.publish(events(EVENTS // 2, seed=1))
        process = workshop.spawn(memory=BUDGET, session=30.0, slow_ms=100.0, poll=500)  # so that plenty is left
        await workshop.until_applied(1_000, process)
        gauges, before = Gauges(workshop), list[float]()
        os.kill(broker, signal.SIGSTOP)
        try:

            async def quiet() -> bool:
                before.append(gauges.look().get("in_flight", -1.0))
                return len(before) > QUIET_SAMPLES and len(set(before[-QUIET_SAMPLES:])) == 1

            await workshop.until(quiet, "everything held up", process)
        finally:
            os.kill(broker, signal.SIGCONT)
        assert before[-1] > 0, "units wait for their acknowledgement"
        assert gauges.beyond() == {}
        await workshop.until_drained(process)
        assert await workshop.stop(process) == 0, workshop.tail()
        assert await workshop.finish(memory=BUDGET) == {}
    finally:
        workshop.kill_all()
