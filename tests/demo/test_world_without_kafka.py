"""A generated world through intake and dossier in memory: what comes out is what its truth, written first, says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from streamer.agents.admission import Admission, Refused
from streamer.audit import columns
from streamer.demo import generator, verify
from streamer.demo import messages as demo_messages
from streamer.domain.dossier import Meta
from streamer.domain.messages import decode_alert, decode_notice
from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN, Activation, Origin, Tick, encode_record
from streamer.domain.replay import Replay
from streamer.domain.sealing import Sealer
from streamer.rulebook import load, rulebook_hash, sources

PARTITIONS = 4
APPENDED_MS = 1_767_600_000_000


class House:
    """Intake and dossier without anything between them."""

    def __init__(self, clock: str) -> None:
        book = load("fictional")
        self.replay = Replay({rulebook_hash(book): book})
        self.admission = Admission(sources(), Sealer(bytes(32)))
        self.offsets = Counter[int]()
        self.inbound = Counter[str]()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.items = 0
        self.control(Activation(rulebook=rulebook_hash(book), clock=clock, ticks="simulated"))

    def control(self, value: Activation | Tick) -> None:
        for partition in range(PARTITIONS):
            self.record(partition, encode_record(value), None, b"")

    def record(self, partition: int, value: bytes, origin: Origin | None, content: bytes) -> None:
        self.replay.record(partition, value, Meta(self.offsets[partition], APPENDED_MS, origin, content))
        self.offsets[partition] += 1

    def receive(self, message: demo_messages.Message) -> None:
        offset = self.inbound[message.topic]
        self.inbound[message.topic] += 1
        for item in self.admission.admit(message.topic, 0, offset, message.value, message.headers).items:
            self.items += 1
            if isinstance(item, Refused):
                self.refused[item.fate, item.reason] += 1
                continue
            headers = dict(item.headers)
            origin = Origin.parse(headers[HEADER_ORIGIN].decode())
            self.record(item.key[-1] % PARTITIONS, item.value, origin, headers[HEADER_HASH])


@pytest.mark.parametrize("seed", [1, 20_260_105])
def test_outcome_is_truth(tmp_path: Path, seed: int) -> None:
    truth = generator.generate(tmp_path, n_events=generator.N_EVENTS_MIN, seed=seed)
    house = House(truth.clock)
    for phase in truth.phases:
        if phase.tick is not None:
            house.replay.finish()
            house.control(Tick(phase.tick))
        if phase.messages:
            for message in demo_messages.read(tmp_path / phase.file):
                house.receive(message)
    house.replay.finish()

    effects = house.replay.effects
    books: Counter[str] = Counter()
    for rows in house.replay.rows.values():
        books.update(columns(rows.get(b"p")))
    reasons = Counter({reason: count for (_, reason), count in house.refused.items()})
    reasons.update(reason for _, reason, _ in effects.refused)
    assert house.items == truth.items
    assert reasons == Counter(truth.reasons) + Counter(truth.parked)
    assert {name: books[name] for name in ("applied", "duplicate", "superseded")} == {
        name: truth.fates.get(name, 0) for name in ("applied", "duplicate", "superseded")
    }
    assert books["witness"] == truth.witnesses

    emitted = verify.Emitted({}, {})
    for _, _, body in effects.alerts:
        emitted.alerts.setdefault(decode_alert(body).id, []).append(body)
    for _, _, body in effects.notices:
        emitted.notices.setdefault(decode_notice(body).id, []).append(body)
    assert Counter(map(verify.as_expected, verify.last_alerts(emitted).values())) == Counter(truth.alerts)
    assert Counter(map(verify.as_expected_notice, verify.last_notices(emitted).values())) == Counter(truth.notices)
