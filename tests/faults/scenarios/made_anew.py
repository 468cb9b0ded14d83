"""The records' topic deleted and made anew: refused with a clear word and nothing applied; what the word says to do puts all
right. The new log is shorter than what was applied. Not for: one that has grown beyond it (``made_longer``), or lost records
at a log's begin."""

from __future__ import annotations

from typing import Final

from aiokafka import AIOKafkaProducer

from streamer.engine.exits import Exit
from streamer.kafka_io import bounds
from tests.faults import servers
from tests.faults.in_flight import Cut
from tests.faults.needs import Needs
from tests.faults.scene import Scene
from tests.faults.tails import RECORDS, Tails
from tests.faults.waiting import until

NEEDS: Final = Needs(events=10_000, per_second=400, backlog=2_000)
NEWLY: Final = 1_500
SETTLED_TIMEOUT_S: Final = 60.0
GONE_TIMEOUT_S: Final = 60.0
REFUSED_TIMEOUT_S: Final = 60.0
WORD: Final = "deleted and made anew"
ADVICE: Final = "Start with a new application id and an empty state"

#: Rows of the topic that is no more stay as they are: where in it they lay, and of several reports of one event the one that was
#: first then.
FREE: Final = {table: frozenset({"records_offset", "appended_at"}) for table in ("enterprise.record", "person.record")}


async def run(scene: Scene) -> None:
    await play(scene, longer=False)


async def play(scene: Scene, *, longer: bool) -> None:
    await scene.ready(*scene.roles.values())
    await scene.newly("dossier", NEWLY)
    await until("what was granted to be applied", lambda: _idle(scene), SETTLED_TIMEOUT_S)
    for role in scene.roles.values():
        role.held = True
        role.kill()
    await make_anew(scene, longer=longer)
    scene.misfortune("topics made anew")
    await refused(scene)
    await follow(scene, "anew")
    await scene.ready(*scene.roles.values())
    await scene.newly("dossier", NEWLY)
    scene.promise("refusals with nothing applied", scene.counters["refusals"])


def judged(copies: list[bytes]) -> list[bytes]:
    """The last. What was sent before the new beginning came of other records: of another time, and where two sources tell the
    same, perhaps of the other one first."""
    return copies[-1:]


def _idle(scene: Scene) -> bool:
    traffic = scene.traffic
    return traffic.published >= traffic.granted - 50 and traffic.settled()


async def make_anew(scene: Scene, *, longer: bool) -> None:
    """Deleted, and created as it was, with the activation as first record; ``longer``: filled beyond what was applied."""
    stage = scene.stage
    _, ends = await bounds(stage.bootstrap, [RECORDS], committed_only=False)
    await _delete(scene)
    await stage.topics(scene.traffic.truth.clock)
    if not longer:
        return
    producer = AIOKafkaProducer(bootstrap_servers=stage.bootstrap, acks="all")
    await producer.start()
    try:
        for (topic, partition), end in ends.items():
            for _ in range(end + 1):
                await producer.send(topic, b'{"record":"tick","date":"2026-01-01"}', partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


async def _delete(scene: Scene) -> None:
    bootstrap = scene.stage.bootstrap
    async with servers.admin(bootstrap) as client:
        await client.delete_topics([RECORDS])

    async def gone() -> bool:
        async with servers.admin(bootstrap) as client:
            return RECORDS not in await client.list_topics()

    await until("the topic to be gone", gone, GONE_TIMEOUT_S)


async def refused(scene: Scene) -> None:
    """The dossier does not start; its changelog and its alerts stay as they are."""
    dossier, stage = scene.roles["dossier-0"], scene.stage
    topics = [stage.changelog, *(f"credit.alerts.{domain}" for domain in stage.domains)]
    before = await scene.watch.ends(topics)
    told = dossier.log.read_text(errors="replace").count(WORD)
    dossier.start()
    code = await scene.death_of(dossier, REFUSED_TIMEOUT_S)
    text = dossier.log.read_text(errors="replace")
    good = code == Exit.CONFIG and text.count(WORD) > told and ADVICE in text
    good = good and await scene.watch.ends(topics) == before
    scene.counters["refusals"] += int(good)
    scene.say(f"    ended with {code}: {dossier.tail(2)}")


async def follow(scene: Scene, prefix: str) -> None:
    """Another application id, an empty state: everything is read again from the inbound topics."""
    stage = scene.stage
    await _delete(scene)  # what is in it now was never a record of this deployment
    stage.begin_anew(prefix)
    scene.tails = Tails(stage, scene.watch)
    await stage.topics(scene.traffic.truth.clock)
    nothing = {(stage.changelog, partition): 0 for partition in range(stage.partitions)}
    scene.cuts.append(Cut(nothing, await scene.watch.ends(stage.told)))  # all of it may be told once more
    for role in scene.roles.values():
        role.start()
        role.held = False
