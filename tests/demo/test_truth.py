"""The demo's truth and the product's outcome agree: admission and dossier over the generated events, without Kafka."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec
import pytest

import streamer.demo
from streamer.agents.admission import Admission, OutRecord
from streamer.demo import generator, messages, refusals, truth
from streamer.demo.truth import Truth
from streamer.domain.dossier import Meta
from streamer.domain.messages import AlertData, NoticeData, decode_alert, decode_notice
from streamer.domain.reasons import REASONS
from streamer.domain.records import HEADER_HASH, HEADER_ORIGIN, Activation, Origin, Tick, encode_record
from streamer.domain.replay import Replay
from streamer.domain.sealing import Sealer
from streamer.domain.state import PARTITION
from streamer.rulebook import load, rulebook_hash, sources

PARTITIONS: Final = 4
SIZES: Final = [(1_000, 1), (6_000, 2), (6_000, 3)]


Order = Callable[[Iterable[messages.Message]], list[messages.Message]]


def by_source(read: Iterable[messages.Message]) -> list[messages.Message]:
    """One source after the other: what is promised is only the order within a source and key."""
    return sorted(read, key=lambda message: message.source)


def against_source(read: Iterable[messages.Message]) -> list[messages.Message]:
    return sorted(read, key=lambda message: message.source, reverse=True)


class Outcome:
    """What the product makes of a world."""

    def __init__(self) -> None:
        rulebook = load("fictional")
        self.replay = Replay({rulebook_hash(rulebook): rulebook})
        self.rulebook = rulebook_hash(rulebook)
        self.admission = Admission(sources(), Sealer(bytes(32)))
        self.refused: Counter[tuple[str, str, str]] = Counter()  # source, fate, reason
        self._inbound: Counter[tuple[str, int]] = Counter()
        self._offsets: Counter[int] = Counter()

    def control(self, record: Activation | Tick) -> None:
        for partition in range(PARTITIONS):
            self._append(partition, encode_record(record), None, b"")

    def message(self, message: messages.Message) -> None:
        partition = crc32(message.key) % PARTITIONS
        offset = self._inbound[message.topic, partition]
        self._inbound[message.topic, partition] += 1
        admitted = self.admission.admit(message.topic, partition, offset, message.value, message.headers)
        assert admitted.fault is None
        for item in admitted.items:
            if isinstance(item, OutRecord):
                headers = dict(item.headers)
                origin = Origin.parse(headers[HEADER_ORIGIN].decode())
                self._append(crc32(item.key) % PARTITIONS, item.value, origin, headers[HEADER_HASH])
            else:
                fate = truth.PARKED if item.fate == "parked" else truth.DEAD
                self.refused[item.source or "", fate, item.reason] += 1

    def _append(self, partition: int, value: bytes, origin: Origin | None, content: bytes) -> None:
        offset = self._offsets[partition]
        self._offsets[partition] += 1
        self.replay.record(partition, value, Meta(offset, 1_767_571_200_000 + offset, origin, content))

    def run(self, folder: Path, world: Truth, order: Order = list) -> None:
        self.control(Activation(rulebook=self.rulebook, clock=world.clock, ticks="simulated"))
        for phase in world.phases:
            if phase.tick is not None:
                self.replay.finish()
                self.control(Tick(date=phase.tick))
            for message in order(messages.read(folder / phase.file)):
                self.message(message)
        self.replay.finish()

    def sources(self) -> dict[str, dict[str, int]]:
        found: dict[str, Counter[str]] = {}
        for rows in self.replay.rows.values():
            for source, counts in rows.get(PARTITION).books.items():
                page = found.setdefault(source, Counter())
                for fate in (truth.APPLIED, truth.DUPLICATE, truth.SUPERSEDED, truth.DEAD):
                    page[fate] += getattr(counts, fate)
        for (source, fate, _), count in self.refused.items():
            found.setdefault(source, Counter())[fate] += count
        return {source: {fate: n for fate, n in page.items() if n} for source, page in found.items()}

    def witnesses(self) -> int:
        books = [rows.get(PARTITION).books.values() for rows in self.replay.rows.values()]
        return sum(counts.witness for pages in books for counts in pages)

    def reasons(self) -> Counter[str]:
        found: Counter[str] = Counter(reason for _, reason, _ in self.replay.effects.refused)
        for (_, fate, reason), count in self.refused.items():
            if fate == truth.DEAD:
                found[reason] += count
        return found

    def alerts(self) -> Counter[tuple[Any, ...]]:
        last: dict[str, AlertData] = {}
        for _, alert_id, body in self.replay.effects.alerts:
            last[alert_id] = decode_alert(body).data
        return Counter(
            (
                alert.entity.org_code,
                alert.listing.list,
                alert.listing.document_number,
                alert.measure.rule_id,
                alert.domain,
                "lifted" if alert.action == "lifted" else "raised",
                alert.lift.cause if alert.lift else None,
            )
            for alert in last.values()
        )

    def notices(self) -> Counter[tuple[Any, ...]]:
        last: dict[str, NoticeData] = {}
        for _, notice_id, body in self.replay.effects.notices:
            last[notice_id] = decode_notice(body).data
        return Counter((n.entity.org_code, n.rule_id, n.source, n.kind, n.action) for n in last.values())


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]} events, seed {size[1]}")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    n_events, seed = request.param
    folder = tmp_path_factory.mktemp("world")
    return folder, generator.generate(folder, n_events=n_events, seed=seed)


@pytest.fixture(scope="module")
def outcome(world: tuple[Path, Truth]) -> Outcome:
    found = Outcome()
    found.run(*world)
    return found


def test_every_item_has_the_fate_that_was_written_first(world: tuple[Path, Truth], outcome: Outcome) -> None:
    assert outcome.sources() == world[1].sources
    assert outcome.witnesses() == world[1].witnesses


def test_every_refusal_has_the_reason_that_was_written_first(world: tuple[Path, Truth], outcome: Outcome) -> None:
    assert outcome.reasons() == world[1].reasons
    parked = Counter[str]()
    for (_, fate, reason), count in outcome.refused.items():
        parked[reason] += count if fate == truth.PARKED else 0
    assert +parked == world[1].parked


def test_the_alerts_are_those_that_were_written_first(world: tuple[Path, Truth], outcome: Outcome) -> None:
    expected = Counter(msgspec.structs.astuple(alert) for alert in world[1].alerts)
    found = outcome.alerts()
    assert found - expected == Counter()
    assert expected - found == Counter()


def test_the_notices_are_those_that_were_written_first(world: tuple[Path, Truth], outcome: Outcome) -> None:
    expected = Counter((n.org_code, n.rule_id, n.source, n.kind, n.action) for n in world[1].notices)
    assert outcome.notices() == expected


@pytest.mark.parametrize("order", [by_source, against_source])
def test_the_truth_holds_in_any_order_of_the_sources(order: Order, world: tuple[Path, Truth], outcome: Outcome) -> None:
    other = Outcome()
    other.run(*world, order)
    assert other.sources() == world[1].sources
    assert other.witnesses() == world[1].witnesses
    assert other.reasons() == world[1].reasons
    assert other.alerts() == outcome.alerts()
    assert other.notices() == outcome.notices()


def test_with_the_real_rows_nothing_is_raised(world: tuple[Path, Truth]) -> None:
    unsigned = Outcome()
    real = load("real")
    fictional = load("fictional")
    # the real lists, measures and criteria, and the bodies that the events name
    mixed = msgspec.structs.replace(real, authorities=fictional.authorities, catalogue=fictional.catalogue)
    unsigned.rulebook = rulebook_hash(mixed)
    unsigned.replay = Replay({unsigned.rulebook: mixed})
    unsigned.run(*world)
    assert unsigned.replay.effects.alerts == []
    assert unsigned.replay.effects.notices == []


def test_the_truth_is_whole(world: tuple[Path, Truth]) -> None:
    folder, written = world
    assert generator.load(folder) == written
    assert sum(written.fates.values()) == written.items
    assert sum(sum(page.values()) for page in written.sources.values()) == written.items
    assert sum(written.reasons.values()) == written.fates[truth.DEAD]
    assert sum(written.parked.values()) == written.fates[truth.PARKED]
    assert sum(phase.messages for phase in written.phases) == written.messages
    assert sum(1 for phase in written.phases for _ in messages.read(folder / phase.file)) == written.messages
    assert written.raised == len(written.alerts)


def test_every_reason_that_a_sender_can_cause_occurs(world: tuple[Path, Truth]) -> None:
    told = {refusal.__name__ for refusal in (*refusals.INTAKE, *refusals.WAITING, *refusals.DOSSIER)}
    assert told == set(REASONS) - {"internal_error"}
    assert told == set(world[1].reasons) | set(world[1].parked)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        generator.generate(tmp_path / name, n_events=generator.N_EVENTS_MIN, seed=seed)
    bytes_of = {name: [file.read_bytes() for file in sorted((tmp_path / name).iterdir())] for name in "abc"}
    assert bytes_of["a"] == bytes_of["b"]
    assert bytes_of["a"] != bytes_of["c"]


def test_a_full_world_is_large_enough(tmp_path: Path) -> None:
    full = generator.generate(tmp_path)
    assert full.messages >= 50_000
    assert len(full.sources) == 8
    assert full.raised >= 1_000
    assert all(full.lifted[cause] >= 100 for cause in ("delisted", "withdrawn", "expired"))
    assert full.fates[truth.DUPLICATE] >= 1_000
    assert full.witnesses >= 500


def test_too_small_a_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least"):
        generator.generate(tmp_path, n_events=10)


def test_the_generator_imports_nothing_that_decides() -> None:
    seen, waiting = set[str](), ["generator"]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        file = Path(streamer.demo.__file__).parent / f"{name}.py"
        for imported in imports_of(file):
            if imported.split(".")[0] in {"streamer", "topics", "sinks"}:
                assert imported.startswith("streamer.demo"), f"{file.name} imports {imported}"
                module = imported.removeprefix("streamer.demo").removeprefix(".").split(".")[0]
                waiting += [module] if module and module not in seen else []
    assert {"generator", "truth", "story", "scenarios", "listings", "refusals", "background"} <= seen


def imports_of(file: Path) -> Iterator[str]:
    """Every module that a file imports; of ``from package import module`` each."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "streamer.demo":
            yield from (f"streamer.demo.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
