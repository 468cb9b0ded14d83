"""What the intake sends: records to their entity, refusals sealed to the dead letters and told to their own source only."""

import base64
import json
import logging

import pytest

from streamer.agents import admission
from streamer.agents.admission import unpack_message
from streamer.agents.intake import Intake, IntakeMetrics, register
from streamer.domain import messages
from streamer.domain.sealing import dead_letter_aad
from tests.agents.events import ADMISSION, FIRST, NAME, NUMBER, SEALER, SOURCES, TOPIC, encoded, event, party, person
from tests.agents.test_planted import Message, Sent
from topics.validation import validate


@pytest.fixture
def metrics(registry):
    return IntakeMetrics(registry)


def handle(metrics, content):
    to = Sent()
    Intake(ADMISSION, metrics).slice(to, [Message(content if isinstance(content, bytes) else encoded(content))])
    return to.messages


def count(registry, reason):
    return registry.get_sample_value("streamer_intake_items_total", {"topic": TOPIC, "reason": reason})


def test_a_record_goes_to_its_entity(metrics, registry):
    ((topic, key, _, headers),) = handle(metrics, event())
    assert (topic, key) == ("credit.records", FIRST[8:17].encode())
    assert [name for name, _ in headers] == ["origin", "hash", "config"]
    assert count(registry, "admitted") == 1


def test_a_refusal_is_a_dead_letter_and_an_outcome_of_its_source(metrics, registry):
    content = event(decided_on="2026-02-30")
    letter, outcome = handle(metrics, content)
    assert (letter[0], letter[1]) == ("credit.dead-letters", f"{TOPIC}|1|42|0|1".encode())
    assert (outcome[0], outcome[1]) == ("credit.outcomes.tax", letter[1])
    assert validate("credit.dead-letter.v1", json.loads(letter[2])) is None
    assert validate("credit.outcome.v1", json.loads(outcome[2])) is None
    found = messages.decode_dead_letter(letter[2])
    assert (found.stage, found.fate, found.reason) == ("intake", "dead-lettered", "impossible_date")
    assert found.at.endswith("Z")
    body = SEALER.open(base64.b64decode(found.sealed), dead_letter_aad(found.origin))
    assert unpack_message(body) == ([], encoded(content))
    told = messages.decode_outcome(outcome[2])
    assert (told.event_id, told.reason_code, told.json_pointer) == ("e-1", "impossible_date", "/data/decided_on")
    assert told.fix_zh
    assert told.fix_en
    assert count(registry, "impossible_date") == 1


@pytest.mark.parametrize("timestamp", [-1, -(2**62), 2**62])
def test_no_time_that_a_sender_gives_stops_the_partition(metrics, timestamp):
    message = Message(b"{")
    message.timestamp = timestamp
    to = Sent()
    Intake(ADMISSION, metrics).handle(to, message)
    letter, _ = to.messages
    assert validate("credit.dead-letter.v1", json.loads(letter[2])) is None


def test_a_parked_person_beside_an_organisation(metrics):
    sent = handle(metrics, event(parties=[party(), person()]))
    assert [topic for topic, *_ in sent] == ["credit.records", "credit.dead-letters", "credit.outcomes.tax"]
    assert messages.decode_dead_letter(sent[1][2]).fate == "parked"
    assert messages.decode_outcome(sent[2][2]).retryable


def test_an_id_that_must_not_be_repeated_is_null(metrics):
    _, outcome = handle(metrics, event(id=NUMBER))
    assert json.loads(outcome[2])["event_id"] is None
    assert validate("credit.outcome.v1", json.loads(outcome[2])) is None


def test_a_fault_is_counted_and_logged_without_a_value_and_the_next_event_goes_on(
    metrics, registry, monkeypatch, caplog
):
    def broken(*_):
        raise RuntimeError(f"{NUMBER} {NAME}")

    with monkeypatch.context() as patch, caplog.at_level(logging.DEBUG):
        patch.setattr(admission, "validate", broken)
        letter, outcome = handle(metrics, event())
    assert messages.decode_dead_letter(letter[2]).reason == "internal_error"
    assert messages.decode_outcome(outcome[2]).reason_code == "internal_error"
    assert registry.get_sample_value("streamer_intake_faults_total") == 1
    assert f"{TOPIC}|1|42" in caplog.text
    assert NUMBER not in caplog.text
    assert NAME not in caplog.text
    assert [topic for topic, *_ in handle(metrics, event())] == ["credit.records"]


def test_the_same_message_is_sent_again_byte_by_byte(metrics):
    for content in (event(), event(parties=[person()]), b"{"):
        assert handle(metrics, content) == handle(metrics, content)


class App:
    """What ``register`` asks of an application."""

    def __init__(self, registry):
        self.metrics = type("Metrics", (), {"registry": registry})
        self.outputs = []
        self.agents = {}

    def output(self, topic):
        self.outputs.append(topic)

    def slices(self, *topics, read_committed=False):
        assert read_committed
        return topics

    def gate(self, *topics, **options):
        self.gated = (topics, options)

    def agent(self, channel, name):
        return lambda function: self.agents.setdefault(name, (channel, function))


class FakeSlice(Sent):
    def __init__(self, *contents):
        super().__init__()
        self.contents = contents
        self.finished = False

    def fresh(self):
        for content in self.contents:
            assert not self.finished
            yield Message(content)

    def done(self):
        self.finished = True


async def test_the_agent_reads_every_source_and_finishes_each_slice(registry):
    app = App(registry)
    register(app, sources=SOURCES, sealer=SEALER, dossier_group="dossier", backfill_max_lag_records=10)
    topics, agent = app.agents["intake"]
    assert topics == (
        "credit.backfill.collector",
        "credit.backfill.tax",
        "credit.events.collector",
        "credit.events.tax",
    )
    assert app.gated == (
        ("credit.backfill.tax", "credit.backfill.collector"),
        {"lag_of": "credit.records", "group": "dossier", "max_lag_records": 10},
    )
    slices = [FakeSlice(encoded(event()), b"{"), FakeSlice(encoded(event(id="e-2")))]

    async def stream():
        for one in slices:
            yield one

    await agent(stream())
    assert all(one.finished for one in slices)
    sent = [topic for one in slices for topic, *_ in one.messages]
    assert sent == ["credit.records", "credit.dead-letters", "credit.outcomes.tax", "credit.records"]
    assert set(sent) <= set(app.outputs)
