"""A worker cut off from the broker only, for longer than its session, in the middle of a write into a compacted topic; then
healed, so that it is heard late. Not for: one that sleeps (``paused``).

A broker with two listeners: the one advertises a proxy of ours, and only the victim was told of it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from streamer import kafka_io
from streamer.domain import messages
from streamer.engine.exits import Exit
from streamer.local import processes
from tests.faults.needs import Needs
from tests.faults.proxy import Proxy, behind
from tests.faults.scene import Scene
from tests.faults.stage import SESSION_S, Stage
from tests.faults.verdict import Judge
from tests.faults.waiting import until

#: The one that was cut off, by whatever it sees first; and the owner, at a late write.
ENDS: Final = {Exit.FOREIGN: 8, Exit.PAUSE: 3, Exit.STALL: 4, Exit.REVOKE: 4, Exit.RECOVERY: 3}
NEEDS: Final = Needs(events=12_000, per_second=500, backlog=1_500, ends=ENDS)
NEWLY: Final = 800
WAYS: Final = (
    {"to_server": True, "to_client": True},
    {"to_server": True, "to_client": False},
    {"to_server": False, "to_client": True},
)
TRIES: Final = 3  # of each way
TAKEN_OVER_TIMEOUT_S: Final = 60.0
TRIGGER_TIMEOUT_S: Final = 60.0
SETTLED_TIMEOUT_S: Final = 90.0
PRODUCE: Final = b"\x00\x00"  # the key of a request, after four bytes of its size: Kafka's protocol
TOPIC: Final = b"credit.standing."

_proxies: dict[Stage, Proxy] = {}


@asynccontextmanager
async def around(stage: Stage) -> AsyncIterator[None]:
    """A second listener, which clients reach through the proxy."""
    port = processes.free_port(set())
    proxy = _proxies[stage] = Proxy(port)
    await proxy.start()
    stage.kafka_properties |= behind(port, proxy.port)
    try:
        yield
    finally:
        del _proxies[stage]
        await proxy.stop()


async def prepare(scene: Scene) -> None:
    proxy = _proxies[scene.stage]
    scene.roles["dossier-0"].own["KAFKA_BOOTSTRAP_SERVERS"] = f"{processes.HOST}:{proxy.port}"
    scene.role("dossier", "1")


async def run(scene: Scene) -> None:
    proxy = _proxies[scene.stage]
    ways = [*WAYS]
    scene.rng.shuffle(ways)
    for way in ways:
        for _ in range(TRIES):
            if await cut(scene, proxy, way):
                break
    scene.promise("cuts in the middle of a write, and the worker lived on", scene.counters["cuts"], len(ways))
    scene.promise("ends by a write of somebody else", sum(code == Exit.FOREIGN for _, code in scene.unexpected))
    scene.promise("bytes through the proxy", min(proxy.forwarded), 1)


async def cut(scene: Scene, proxy: Proxy, way: dict[str, bool]) -> bool:
    """Whether it hit: the worker was at work when it was cut off, and lived until its session was over."""
    victim, other = scene.roles["dossier-0"], scene.roles["dossier-1"]
    await scene.ready(victim, other)
    await scene.newly("dossier", NEWLY)
    lives, began_at = victim.process, time.monotonic()
    assert lives is not None
    began = proxy.cut_at(_writes_standing, **way)
    await _fed(scene, began.is_set, "a write into a compacted topic", TRIGGER_TIMEOUT_S)
    silent, cut_at = await scene.falls_silent(victim), time.monotonic()
    told = " and ".join(name.replace("_", " ") for name, on in way.items() if on)
    scene.say(f"    dossier-0 is cut off, {told}, {cut_at - began_at:.1f} s after it was ready")
    ended: list[float] = []

    async def all_owned() -> bool:
        if not ended and victim.process is not lives:
            ended.append(time.monotonic())
        return await scene.owns(other, scene.stage.partitions)

    await _fed(scene, all_owned, "the other to own all", TAKEN_OVER_TIMEOUT_S)
    await scene.read_no_more(silent)
    hit = not ended or ended[0] - cut_at > SESSION_S
    await scene.newly("dossier", NEWLY)
    scene.counters["healed after it had ended"] += int(victim.process is not lives)
    proxy.heal()
    scene.say("    healed")
    await _fed(scene, lambda: victim.process is not lives, "the cut-off worker to end", SETTLED_TIMEOUT_S)
    await scene.heard(silent)
    scene.counters[f"cut off: ended with {victim.exits[-1]}"] += 1
    if hit:
        scene.misfortune("cuts")
    else:
        scene.counters["cuts that the worker did not live to see"] += 1
    return hit


def _writes_standing(data: bytes) -> bool:
    return data[4:6] == PRODUCE and TOPIC in data


async def _fed(scene: Scene, condition: Callable[[], Any], what: str, timeout_s: float) -> None:
    """Wait for a condition while traffic flows."""

    def fed() -> Any:
        scene.feed()
        return condition()

    await until(what, fed, timeout_s, 0.05)


async def judge(scene: Scene, it: Judge) -> None:
    """Late writes did come: a standing alert's revision after a higher one. (That none has the last word is the common
    verdict's to say.)"""
    late = 0
    highest: dict[str, int] = {}
    topics = [f"credit.standing.{domain}" for domain in scene.stage.domains]
    async for message in kafka_io.read_all(scene.stage.bootstrap, topics, committed_only=False):
        if message.value is None:
            continue
        alert = messages.decode_alert(message.value).data
        late += int(alert.revision < highest.get(alert.alert_id, 0))
        highest[alert.alert_id] = max(alert.revision, highest.get(alert.alert_id, 0))
    it.figures["late in compacted topics"] = late
    scene.counters["late writes"] = late + it.figures["void rows"]
    scene.promise("late writes", scene.counters["late writes"])
