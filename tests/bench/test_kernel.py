"""The kernel workload: the same for the same count, and what must come of it; the card tells what a peer did to it."""

from __future__ import annotations

import random
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka.partitioner import DefaultPartitioner

from bench.kernel import ours, seed
from bench.kernel.check import compare, repeats_within
from bench.kernel.watched import read
from bench.kernel.workload import PARTITIONS, Truth, event, events, partition_of, truth
from streamer.engine.partition_row import origin

COUNT = 3_000


def small_truth(records: list[tuple[bytes, bytes]]) -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    """Alerts' facts and states, worked out another way: group, drop copies, take the shortest prefix that is enough."""
    by_entity: dict[str, dict[str, int]] = {}
    for key, value in records:
        body = orjson.loads(value)
        by_entity.setdefault(key.decode(), {}).setdefault(
            f"{body['source'][-3:]}|{body['id']}", body["data"]["fine_amount"]
        )
    alerts = {}
    for entity, facts in by_entity.items():
        names = list(facts)
        for length in range(3, len(names) + 1):
            if len({name.split("|")[0] for name in names[:length]}) > 1:
                alerts[f"alert-{entity}"] = names[:length]
                break
    return alerts, by_entity


@pytest.fixture(scope="module")
def records() -> list[tuple[bytes, bytes]]:
    """Few entities, so that there are alerts, and a tenth copies."""
    rnd = random.Random(5)
    made: list[tuple[bytes, bytes]] = []
    for number in range(COUNT):
        which = rnd.randrange(500)
        made.append(rnd.choice(made) if made and rnd.random() < 0.1 else event(rnd, seed.name(which), which, number))
    return made


@pytest.fixture(scope="module")
def expected(records: list[tuple[bytes, bytes]]) -> Truth:
    return truth(records)


def test_the_workload_is_the_same_every_time_and_a_tenth_of_it_are_copies() -> None:
    first = list(events(COUNT))
    assert first == list(events(COUNT))
    copies = COUNT - len(Counter(first))
    assert 0.07 * COUNT < copies < 0.13 * COUNT
    assert 580 < sum(len(value) for _, value in first) / COUNT < 680


def test_fewer_events_are_the_first_of_more() -> None:
    assert list(events(50)) == list(events(200))[:50]


def test_partitions_are_kafkas_own() -> None:
    partitions = list(range(PARTITIONS))
    keys = {key for key, _ in events(500)}
    assert all(partition_of(key) == DefaultPartitioner()(key, partitions, partitions) for key in keys)


def test_the_truth_is_what_a_second_way_finds(records: list[tuple[bytes, bytes]], expected: Truth) -> None:
    alerts, states = small_truth(records)
    assert {name: caused.alert["facts"] for name, caused in expected.alerts.items()} == alerts
    assert {entity: state["f"] for entity, state in expected.states.items()} == states
    assert len(alerts) > 100


def test_an_alert_knows_the_record_that_raised_it(records: list[tuple[bytes, bytes]], expected: Truth) -> None:
    by_place = {}
    following = [0] * PARTITIONS
    for key, value in records:
        partition = partition_of(key)
        by_place[partition, following[partition]] = value
        following[partition] += 1
    for caused in expected.alerts.values():
        raising = orjson.loads(by_place[caused.partition, caused.offset])
        assert f"{raising['source'][-3:]}|{raising['id']}" == caused.alert["facts"][-1]


def test_a_card_without_faults(expected: Truth) -> None:
    card = compare(expected, alerts_of(expected), expected.states)
    assert card[1:4] == (0, 0, 0)
    assert card.wrong_state == 0
    assert card.alerts == len(expected.alerts)


def test_a_card_counts_every_kind_of_fault(expected: Truth) -> None:
    alerts = alerts_of(expected)
    lost, doubled, changed = alerts.pop(0), alerts[1], alerts[2]
    changed["facts"] = changed["facts"][::-1]
    alerts += [doubled, doubled, {**lost, "id": "alert-unknown"}]
    states = dict(expected.states)
    states.pop(lost["subject"])
    states[doubled["subject"]] = {"f": {}, "a": 0}
    card = compare(expected, alerts, states)
    assert (card.lost, card.doubled, card.conflicting, card.wrong_state) == (1, 2, 2, 2)


def test_copies_are_explained_by_the_units_in_flight_alone(expected: Truth) -> None:
    alerts = alerts_of(expected)
    caused = next(iter(expected.alerts.values()))
    unit = (caused.partition, caused.offset, caused.offset + 1)
    assert repeats_within(expected, [*alerts, caused.alert], [unit]) == (1, 0)
    assert repeats_within(expected, [*alerts, caused.alert, caused.alert], [unit]) == (1, 1)
    assert repeats_within(expected, [*alerts, caused.alert], []) == (0, 1)


def test_a_journal_tells_what_was_begun_and_did_not_end(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text("+ 0 0 10\n+ 1 0 5\n- 0 0 10\n+ 0 10 30\n")
    assert read(journal) == ([(1, 0, 5), (0, 10, 30)], {0: 10})
    journal.write_text("+ 0 0 10\n+ 0 10 30\n- 0 0 10\n- 0 10 30")  # killed within a line
    assert read(journal) == ([(0, 10, 30)], {0: 10})
    assert read(tmp_path / "none") == ([], {})


def test_the_laid_out_state_is_one_that_our_job_reads_as_its_own() -> None:
    changelog = [
        (key, origin(0, 0) + value) for partition in range(PARTITIONS) for key, value in seed.rows(partition, 9)
    ]
    assert ours.states(changelog) == {seed.name(n): {"f": {seed.fact_id(n): seed.fine(n)}, "a": 0} for n in range(9)}
    for partition in range(PARTITIONS):
        keys = [key for key, _ in seed.rows(partition, 9)]
        assert keys == sorted(keys)


def test_the_laid_out_state_cannot_be_compressed_away() -> None:
    """Else ten million entities would be a small store, whatever their number."""
    entities = 20_000
    laid = b"".join(key + value for key, value in seed.rows(0, entities))
    assert len({seed.name(n) for n in range(entities)}) == len({seed.fact_id(n) for n in range(entities)}) == entities
    assert len(zlib.compress(laid)) > 30 * entities / PARTITIONS


def alerts_of(expected: Truth) -> list[dict[str, Any]]:
    return [dict(caused.alert) for caused in expected.alerts.values()]
