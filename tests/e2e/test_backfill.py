"""History waits for the dossier, what is sent today does not; and the books balance over both."""

from __future__ import annotations

import itertools
import signal
from typing import Any, Final

import orjson

from streamer import kafka_io
from streamer.demo import codes, messages
from streamer.demo.messages import TAX
from tests.e2e.chain import Chain
from tests.faults.stage import GONE_TIMEOUT_S, Role
from tests.faults.waiting import until
from topics.catalog import BACKFILL, EVENTS

ENTITIES: Final = itertools.count(720_000)  # no party of another test
MAX_LAG: Final = 200
HISTORY: Final = 8_000  # several slices of each partition
TODAY: Final = 100
TWICE: Final = 10  # of today's, sent as history, too
WAIT_S: Final = 60.0

Outgoing = tuple[str, bytes | None, bytes | None, tuple[()]]


def event(name: str, number: int) -> Outgoing:
    data: dict[str, Any] = {
        "authority": messages.authority(TAX),
        "document_number": f"{TAX.mark}史〔2026〕{name}{number}号",
        "decided_on": "2026-03-03",
        "domain": TAX.domain,
        "parties": [messages.party(codes.organisation(next(ENTITIES)))],
    }
    event_id = f"{name}-{number}"
    body = orjson.dumps(messages.event(TAX.source, "decision.penalty", event_id, data))
    return (TAX.source, event_id.encode(), body, ())


def restart(chain: Chain, name: str, **environment: str) -> None:
    end(chain.roles[name])
    for key, value in environment.items():
        if value:
            chain.stage.environment[key] = value
        else:
            chain.stage.environment.pop(key, None)
    chain.roles[name].start()


def end(role: Role) -> None:
    role.signal(signal.SIGTERM)
    assert role.process is not None
    assert role.process.wait(GONE_TIMEOUT_S) == 0
    role.ended()


def to_go(chain: Chain, topic: str) -> int:
    """Messages of a topic that the intake has not committed."""

    async def count() -> int:
        _, ends = await kafka_io.bounds(chain.stage.bootstrap, [topic])
        done = await kafka_io.committed(chain.stage.bootstrap, chain.stage.group("intake"))
        return sum(max(0, end - done.get(key, 0)) for key, end in ends.items())

    return chain.run(count())


def wait(chain: Chain, what: str, condition: Any) -> None:
    async def holds() -> bool:
        return bool(await condition())

    chain.run(until(what, holds, WAIT_S))


def test_history_waits_while_the_dossier_is_behind_and_today_goes_through(chain: Chain) -> None:
    before = chain.audit().fates
    history, today = BACKFILL.topic(TAX.source), EVENTS.topic(TAX.source)
    restart(chain, "intake", STREAMER_BACKFILL_MAX_LAG=str(MAX_LAG))
    end(chain.roles["dossier"])
    sent_today = [event("t", number) for number in range(TODAY)]
    chain.publish([*(event("h", number) for number in range(HISTORY)), *sent_today[:TWICE]], lane="backfill")

    async def lag_at_the_gate() -> float:
        found = await chain.roles["intake"].metrics()
        return found.get("streamer_gate_lag_records", 0.0)

    async def shut() -> bool:
        return await lag_at_the_gate() >= MAX_LAG

    wait(chain, "the gate to close at its bound", shut)
    waiting = to_go(chain, history)
    chain.publish(sent_today)

    async def through() -> bool:
        _, ends = await kafka_io.bounds(chain.stage.bootstrap, [today])
        done = await kafka_io.committed(chain.stage.bootstrap, chain.stage.group("intake"))
        return all(done.get(key, 0) >= offset for key, offset in ends.items())

    wait(chain, "today's events to be admitted", through)
    left = to_go(chain, history)
    assert HISTORY / 4 < left <= waiting, "history waits while the dossier does not work off what it has"
    chain.roles["dossier"].start()
    chain.through()
    assert to_go(chain, history) == 0
    report = chain.audit()
    assert report.residual == 0, report.differences
    came = {fate: count - before.get(fate, 0) for fate, count in report.fates.items()}
    assert (came["applied"], came["duplicate"]) == (HISTORY + TODAY, TWICE), "by source and id, whichever way it came"
    restart(chain, "intake", STREAMER_BACKFILL_MAX_LAG="")
