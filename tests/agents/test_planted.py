"""A citizen number and a person's name planted anywhere in an event are readable in nothing that leaves the intake."""

import base64
import copy
import json
import zlib

import pytest

from streamer.agents.admission import OutRecord
from streamer.agents.intake import Intake, IntakeMetrics
from tests.agents.events import (
    ADMISSION,
    NAME,
    NUMBER,
    TOPIC,
    TYPES,
    encoded,
    envelope,
    event,
    individual,
    party,
    person,
)
from tests.agents.leaks import leaks
from topics.envelope import decode, encode_binary

OLD_NUMBER = "449900670401001"
GROUPED = f"{NUMBER[:6]} {NUMBER[6:14]}-{NUMBER[14:]}"
WIDE = NUMBER.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
SECRETS = (NUMBER, NUMBER[:17], OLD_NUMBER, GROUPED, WIDE, NAME)


class Sent:
    """Takes what the intake sends."""

    topic = TOPIC
    partition = 1

    def __init__(self):
        self.messages = []

    def send(self, topic, partition, key, value, headers=()):
        self.messages.append((topic, key, value, tuple(headers)))


class Message:
    offset = 42
    timestamp = 1_770_000_000_000
    key = NUMBER.encode()

    def __init__(self, value, headers=()):
        self.value, self.headers = value, headers


@pytest.fixture
def send(registry):
    intake = Intake(ADMISSION, IntakeMetrics(registry))

    def sent(value, headers=()):
        to = Sent()
        intake.handle(to, Message(value, headers))
        assert to.messages
        return to.messages

    return sent


def places(node, path=()):
    """Every place of a value in an event."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from places(value, (*path, name))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from places(value, (*path, i))
    else:
        yield path


def planted(content, path, make):
    content = copy.deepcopy(content)
    node = content
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = make(node[path[-1]])
    return content


def clean(messages):
    for topic, key, value, headers in messages:
        for blob in (
            topic.encode(),
            key,
            value,
            *(text for _, text in headers),
            *(name.encode() for name, _ in headers),
        ):
            for secret in SECRETS:
                assert not leaks(blob, secret), topic


MAKERS = {
    "the number": lambda _: NUMBER,
    "the old number": lambda _: OLD_NUMBER,
    "the number as a number": lambda _: int(OLD_NUMBER),
    "grouped": lambda _: GROUPED,
    "wide": lambda _: WIDE,
    "the name": lambda _: NAME,
    "number behind": lambda old: f"{old}{NUMBER}",
    "number before": lambda old: f"{NUMBER}{old}",
    "old number behind": lambda old: f"{old} {OLD_NUMBER}",
    "name behind": lambda old: f"{old}{NAME}",
    "a list": lambda old: [NUMBER, NAME],
    "an object": lambda old: {NUMBER: NAME, NAME: NUMBER},
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("type_", TYPES)
def test_planted_in_any_field(type_, make, send):
    content = event(type_)
    for path in places(content):
        clean(send(encoded(planted(content, path, make))))


@pytest.mark.parametrize("type_", TYPES)
def test_planted_before_any_text_with_the_person_as_a_party(type_, send):
    for companion in (person(), individual()):
        content = event(type_, parties=[party(), companion])
        for path in places(content):
            if path[:3] != ("data", "parties", 1):
                clean(send(encoded(planted(content, path, lambda old: f"{NAME}{old}"))))


@pytest.mark.parametrize("type_", TYPES)
def test_planted_in_every_field_at_once(type_, send):
    content = event(type_, parties=[party(), person(), individual()])
    free = ("facts", "remarks", "content", "text", "until_basis", "instrument", "name", "url")
    for path in places(content):
        if path[-1] in free:
            content = planted(content, path, lambda old: f"{NUMBER}{NAME}{old}")
    clean(send(encoded(content)))


def test_planted_in_names_of_fields(send):
    for secret in (NUMBER, NAME):
        clean(send(encoded({**event(), secret: secret})))
        for path in [("data",), ("data", "authority"), ("data", "parties", 0), ("data", "parties", 0, "identifiers")]:
            clean(send(encoded(planted(event(), path, lambda old, secret=secret: {**old, secret: secret}))))


def test_planted_in_headers(send):
    value, headers = encode_binary(decode(encoded(event()), ()))
    for secret in (NUMBER, NAME):
        clean(send(value, [*headers, (secret, secret.encode())]))
        clean(send(encoded(event()), [(secret, secret.encode()), ("ce_id", secret.encode())]))
        for i, (name, _) in enumerate(headers):
            clean(send(value, [*headers[:i], (name, secret.encode()), *headers[i + 1 :]]))


@pytest.mark.parametrize("content", [f"{NUMBER}{NAME}", [NUMBER, NAME], {NUMBER: NAME}, None])
def test_planted_in_what_is_no_event(content, send):
    clean(send(encoded(content)))
    clean(send(f"{NUMBER} {NAME}".encode()))
    clean(send(encoded(envelope("decision.penalty", content))))


def test_the_persons_own_event_is_parked_sealed(send):
    messages = send(encoded(event(parties=[person()])))
    assert {topic for topic, *_ in messages} == {"credit.dead-letters", "credit.outcomes.tax"}
    clean(messages)


def test_an_old_number_as_an_amount_is_noticed(send):
    content = event(assessed=[{"year": 2024, "amount_fen": int(OLD_NUMBER)}])
    messages = send(encoded(content))
    assert "credit.records" not in {topic for topic, *_ in messages}
    clean(messages)


def test_what_is_looked_for_would_be_found():
    """The search itself: without it, all of the above would prove nothing."""
    for secret in SECRETS:
        body = json.dumps({"a": f"x{secret}y"}).encode()
        for text in (f"x{secret}y".encode(), body, base64.b64encode(b"1" + body), zlib.compress(body, 9), body + b"!"):
            assert leaks(b"prefix " + text + b" suffix", secret)
        assert leaks(base64.b64encode(zlib.compress(f"__________{secret}".encode())), secret)
    (item,) = ADMISSION.admit(TOPIC, 1, 42, encoded(event()), ()).items
    assert isinstance(item, OutRecord)
    assert leaks(item.value, "测税稽罚〔2026〕1号")
