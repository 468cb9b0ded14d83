"""The measured events are of the contract, repeat as said, and are the same for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from aiokafka.partitioner import DefaultPartitioner

from streamer.bench.runs import growth_entities
from streamer.bench.stage import PARTITIONS
from streamer.bench.workload import SOURCES, Workload
from streamer.demo import codes
from streamer.domain.identity import parse_uscc
from streamer.rulebook import sources
from topics.envelope import decode
from topics.validation import validate

EVENTS = 5_000


def test_every_event_is_admissible_and_its_source_may_send_it() -> None:
    open_types = {source.id: source for source in sources()}
    for sent in islice(Workload(500).events(EVENTS), 2_000):
        event = decode(sent.value)
        source = open_types[sent.source]
        assert event.source == f"urn:credit:source:{sent.source}"
        assert event.type.removeprefix("credit.").removesuffix(".v1") in source.types
        assert event.data["domain"] in source.domains
        assert validate(event.type, event.data) is None
        assert parse_uscc(sent.key.decode()) is not None


def test_a_tenth_are_byte_identical_copies_and_the_mix_is_as_said() -> None:
    events = list(Workload(500).events(EVENTS))
    ids = Counter(decode(sent.value).id for sent in events)
    assert 0.08 < 1 - len(ids) / EVENTS < 0.12
    assert len({sent.value for sent in events}) == len(ids)
    types = Counter(decode(sent.value).type for sent in events)
    assert types["credit.decision.penalty.v1"] > 0.95 * EVENTS
    assert types["credit.decision.listing.v1"] > types["credit.decision.delisting.v1"] > 0
    assert {sent.source for sent in events} == set(SOURCES)
    assert 600 <= sum(len(sent.value) for sent in events) / EVENTS <= 720


def test_the_same_seed_gives_the_same_events_and_another_seed_others() -> None:
    first, again, other = (list(Workload(100, seed).events(300)) for seed in (1, 1, 2))
    assert first == again
    assert {s.value for s in first}.isdisjoint(s.value for s in other)


def test_a_document_number_is_used_once() -> None:
    numbers = Counter(decode(s.value).data["document_number"] for s in Workload(50).penalties([0] * 500))
    assert set(numbers.values()) == {1}


def test_the_entity_with_many_facts_has_its_partition_to_itself() -> None:
    many, few = growth_entities(50)
    partitions = list(range(PARTITIONS))
    of = {
        n: DefaultPartitioner()(codes.organisation(n).org_code.encode(), partitions, partitions) for n in (many, *few)
    }
    assert len(set(few)) == 50
    assert of[many] not in {of[n] for n in few}
