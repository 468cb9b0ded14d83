"""The events of a run by recipe, each with its truth, made once a seed and size. Not for: publishing (``traffic``).

``demo``: the demo's own mixture. ``poison``: more bad events than good ones. ``repeats``: every message twice, sources in
another order. ``taken_back``: decisions that are withdrawn, corrected, delisted, mostly before they came.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from streamer.demo import background, generator, listings, messages, procurement, refusals, scenarios
from streamer.demo.messages import Message
from streamer.demo.story import PHASES, Story, World
from streamer.demo.truth import APPLIED, DEAD, DUPLICATE, PARKED, SUPERSEDED, Truth

POISON_SHARE: Final = 0.85
TAKEN_SHARE: Final = 0.6
LARGE: Final = frozenset({"oversized", "too_many_parties", "too_many_open_entries"})  # each is many, or half a megabyte
LARGE_EACH: Final = 6
STRUCTURED_TYPE: Final = (("content-type", b"application/cloudevents+json"),)
# What is no event at all: (value, headers, reason).
RAW: Final[tuple[tuple[bytes, tuple[tuple[str, bytes], ...], str], ...]] = (
    (b"", (), "not_json"),
    (b"", STRUCTURED_TYPE, "not_json"),
    (b"\x00" * 4_096, (), "not_json"),
    (bytes(range(256)), STRUCTURED_TYPE, "not_json"),
    (b"[" * 20_000, STRUCTURED_TYPE, "not_json"),
    (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, STRUCTURED_TYPE, "not_json"),  # deeper than is read
    (b"9" * 5_000, STRUCTURED_TYPE, "not_json"),
    (b'{"specversion":"1.0","id":NaN}', STRUCTURED_TYPE, "not_json"),
    ('{"specversion": "1.0"}'.encode("utf-16"), STRUCTURED_TYPE, "not_json"),
    (b"null", STRUCTURED_TYPE, "not_cloudevents"),
    (b'"text"', STRUCTURED_TYPE, "not_cloudevents"),
)

KNOWN_AGAIN: Final = frozenset({refusal.__name__ for refusal in refusals.DOSSIER} - {"id_reused"})

Recipe = Callable[[int, int, Path], Truth]


def world(cache: Path, recipe: str, events: int, seed: int) -> tuple[Truth, Path]:
    """The truth, and the folder with its events; made when the cache has none."""
    folder = cache / f"{recipe}-{events}-{seed}"
    if (folder / generator.TRUTH_FILE).exists():
        return generator.load(folder), folder
    draft = folder.with_name(f"{folder.name}.{os.getpid()}")
    made = RECIPES[recipe](events, seed, draft)
    try:
        draft.rename(folder)
    except OSError:  # another run was quicker
        shutil.rmtree(draft)
    return made, folder


def _demo(events: int, seed: int, folder: Path) -> Truth:
    return generator.generate(folder, n_events=events, seed=seed)


def _poison(events: int, seed: int, folder: Path) -> Truth:
    """Every refusal there is, over and over, and what is no event at all."""
    made = World(seed)
    scenarios.tell_all(made, events / 8 / generator.FULL_SIZE)
    kinds = (*refusals.INTAKE, *refusals.WAITING, *refusals.DOSSIER)
    turn = 0
    while made.truth.messages < events * POISON_SHARE:
        refusal = kinds[turn % len(kinds)]
        turn += 1
        if refusal.__name__ in LARGE and turn > LARGE_EACH * len(kinds):
            continue
        story = Story(made, refusal.__name__)
        refusal(story, refusal.__name__)
        story.end()
        _raw(made, *RAW[turn % len(RAW)])
    background.fill(made, events)
    return generator.write(made, folder)


def _raw(made: World, value: bytes, headers: tuple[tuple[str, bytes], ...], reason: str) -> None:
    source = made.random.choice(messages.BODIES).source
    key = made.entity().org_code.encode()
    made.place(made.random.randrange(PHASES), [Message(source, key, messages.STRUCTURED, value, headers)])
    made.truth.item(source, DEAD, reason)


def _taken_back(events: int, seed: int, folder: Path) -> Truth:
    """Mostly withdrawals before their decisions, and corrections that change the party."""
    made = World(seed)
    scenarios.tell_all(made, events / 4 / generator.FULL_SIZE)
    stories = (
        listings.listing_withdrawn_before_it_came,
        listings.listing_of_the_wrong_party,
        listings.listing_withdrawn_before_it_came,
        listings.listing_withdrawn,
        listings.listing_completed,
        listings.delisted,
        procurement.procurement_withdrawn,
        procurement.procurement_corrected_up,
        procurement.procurement_corrected_down,
    )
    turn = 0
    while made.truth.messages < events * TAKEN_SHARE:
        tell = stories[turn % len(stories)]
        story = Story(made, tell.__name__)
        tell(story)
        story.end()
        turn += 1
    background.fill(made, events)
    return generator.write(made, folder)


def _repeats(events: int, seed: int, folder: Path) -> Truth:
    """Half as many messages, each sent twice; what comes from different sources or about different entities in another order."""
    made = World(seed)
    scenarios.tell_all(made, events / 2 / generator.FULL_SIZE)
    refusals.tell_all(made, events / 2 / generator.FULL_SIZE)
    background.fill(made, events // 2)
    rng = random.Random(f"repeats {seed}")
    copies: list[tuple[int, float, Message]] = []
    for phase, batch in enumerate(made.placed):
        for at, _, message in batch:
            later = rng.randrange(phase, PHASES)
            copies.append((later, rng.uniform(at, 1.0) if later == phase else rng.random(), message))
    number = made.truth.messages
    for phase, at, message in copies:
        made.placed[phase].append((at, number, message))
        number += 1
    _double(made.truth, number)
    for phase in range(PHASES):
        made.placed[phase] = _reordered(made.placed[phase], rng)
    return generator.write(made, folder)


def _double(truth: Truth, count: int) -> None:
    """What the dossier knows by its id is a duplicate when it comes again, accepted or not; what the intake refused, or waits, is
    refused or waits again, and so is an id with other content."""
    truth.messages = count
    truth.items *= 2
    again = {reason: found for reason, found in truth.reasons.items() if reason not in KNOWN_AGAIN}
    known = sum(truth.reasons.values()) - sum(again.values())
    fates = truth.fates
    accepted = sum(fates.get(fate, 0) for fate in (APPLIED, DUPLICATE, SUPERSEDED))
    fates[DUPLICATE] = fates.get(DUPLICATE, 0) + accepted + known
    fates[DEAD] = fates.get(DEAD, 0) + sum(again.values())
    fates[PARKED] = 2 * fates.get(PARKED, 0)
    truth.reasons.update({reason: 2 * found for reason, found in again.items()})
    truth.parked.update({reason: 2 * found for reason, found in truth.parked.items()})
    truth.sources.clear()  # not known by reason


def _reordered(batch: list[tuple[float, int, Message]], rng: random.Random) -> list[tuple[float, int, Message]]:
    """Messages of one source about one entity keep their order; all others come in any."""
    streams: dict[tuple[str, bytes], list[tuple[float, int, Message]]] = defaultdict(list)
    for entry in sorted(batch, key=lambda entry: entry[:2]):
        streams[entry[2].source, entry[2].key].append(entry)
    shift = {source: rng.random() for source in sorted({source for source, _ in streams})}  # a source late by so much
    found = []
    for (source, _), entries in streams.items():
        places = sorted(rng.random() + shift[source] for _ in entries)
        found += [(at, number, message) for at, (_, number, message) in zip(places, entries, strict=True)]
    return found


RECIPES: Final[dict[str, Recipe]] = {
    "demo": _demo,
    "poison": _poison,
    "repeats": _repeats,
    "taken_back": _taken_back,
}
