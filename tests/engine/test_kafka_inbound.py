"""On real Kafka: a role without a table, whose inbound topic is deleted and made anew while it is down, and while it runs.

Kafka forgets the group's offsets with the topic, so nothing but the ids that the process knows tells the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamer.engine.exits import Exit
from tests.engine import cluster
from tests.engine.relay import other
from tests.engine.workshop import Workshop

RELAY = "tests.engine.relay"


def events(name: str, count: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(count):
        yield b"k%d" % number, b"%s-%d" % (name.encode(), number)


async def came_out(workshop: Workshop, name: str) -> set[bytes]:
    log = await cluster.read(workshop.bootstrap, workshop.config.alerts, workshop.partitions)
    return {r.value for records in log for r in records if r.value is not None and r.value.startswith(name.encode())}


@pytest.mark.parametrize("running", [False, True], ids=["down", "running"])
async def test_an_inbound_topic_made_anew_is_refused_and_all_of_it_is_read_from_a_new_beginning(
    workshop: Workshop, running: bool
) -> None:
    source = workshop.config.source
    topics = [source, other(source), workshop.config.alerts]
    await cluster.create(workshop.bootstrap, topics, workshop.partitions)
    await workshop.publish(events("old", 200))
    process = workshop.spawn(module=RELAY, commit=0.2)
    await workshop.until_drained(process)
    if not running:
        assert await workshop.stop(process) == 0
    await cluster.made_anew(workshop.bootstrap, source, workshop.partitions)
    await workshop.publish(events("new", 600))
    if not running:
        process = workshop.spawn(module=RELAY)
    assert await workshop.wait(process) == Exit.CONFIG, workshop.tail()
    assert f"{source} has the id" in workshop.tail()
    assert "deleted and made anew. Start with a new application id" in workshop.tail()

    anew = {"app": f"{workshop.name}-anew", "folder": str(workshop.folder / "w1")}
    workshop.name = anew["app"]
    process = workshop.spawn(module=RELAY, **anew)
    await workshop.until_drained(process)
    assert await workshop.stop(process) == 0
    assert await came_out(workshop, "new") == {value for _, value in events("new", 600)}
    assert await came_out(workshop, "old") == {value for _, value in events("old", 200)}
