"""Admission (受理): one message of a source in, its items out: records for the dossier, or refusals with a reason. Pure.

Not for: Kafka (``streamer.agents.intake``), nor for what depends on dated rules (the dossier). No exception and no result
holds a value of the event outside ``sealed``, except what ``streamer.agents.clearing`` let through.
"""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import orjson

from streamer.agents.clearing import INDIVIDUAL_FIELDS, Item, NotAdmitted, clear, clear_correction
from streamer.domain.identity import Contradiction, Held, PersonalNumber, Resolution, Resolved, resolve
from streamer.domain.personal import clear_organisation, contains_name, declared_person_names, find_citizen_number
from streamer.domain.reasons import REASONS
from streamer.domain.records import HEADER_CONFIG, HEADER_HASH, HEADER_ORIGIN, Origin, Party, Record, encode_record
from streamer.domain.sealing import Sealer, dead_letter_aad, record_aad
from topics.catalog import inbound_topics
from topics.envelope import (
    SOURCE_PREFIX,
    Envelope,
    NotCloudEvents,
    NotJson,
    content_hash,
    decode,
    encode_structured,
)
from topics.settings import EVENT_MAX_BYTES
from topics.validation import validate

ADMISSION_VERSION: Final = (
    1  # grows with every change of what is admitted, or how: it is part of the configuration's hash
)
CONFIG_HASH_BYTES: Final = 8
MAX_PARTIES: Final = 50  # as in the schema
# An event's texts are sealed once for each party: together they stay below this.
MAX_BYTES_TIMES_PARTIES: Final = 8 * EVENT_MAX_BYTES

TYPE_PREFIX: Final = "credit."
TYPE_SUFFIX: Final = ".v1"
INBOUND_TYPES: Final = frozenset({
    "decision.penalty", "decision.listing", "decision.delisting", "document.recorded", "withdrawal", "correction",
})  # fmt: skip
_SHORT_TYPES: Final = {f"{TYPE_PREFIX}{short}{TYPE_SUFFIX}": short for short in INBOUND_TYPES}

Headers = Sequence[tuple[str, bytes | None]]


class SourceConfig(Protocol):
    """What admission reads of a source (``streamer.rulebook.sources``). ``types`` without ``credit.`` and ``.v1``."""

    @property
    def id(self) -> str: ...
    @property
    def types(self) -> tuple[str, ...]: ...
    @property
    def domains(self) -> tuple[str, ...]: ...


class OutRecord(msgspec.Struct, frozen=True, gc=False):
    """One item on its way to ``credit.records``."""

    key: bytes  # organization code
    value: bytes
    headers: list[tuple[str, bytes]]


class Refused(NamedTuple):
    """One item that does not go on. ``event_id`` is None where it must not be repeated."""

    origin: Origin
    reason: str
    fate: str
    json_pointer: str
    source: str | None
    event_id: str | None
    type: str | None
    org_code: str | None
    sealed: bytes  # the original message (``unpack_message``) under ``dead_letter_aad(str(origin))``


class Admitted(NamedTuple):
    """All items of one message, in order. ``fault``: where the program itself failed, without values."""

    items: list[OutRecord | Refused]
    fault: str | None = None


class _Source(NamedTuple):
    id: str
    urn: str
    types: frozenset[str]
    domains: frozenset[str]


class _Message(msgspec.Struct, frozen=True, gc=False):
    """The message as it came, for the refusals of its items."""

    topic: str
    partition: int
    offset: int
    value: bytes
    headers: Headers
    source: str | None


def pack_message(value: bytes, headers: Headers) -> bytes:
    """Value and headers as one body to seal."""
    return msgspec.msgpack.encode((list(headers), value))


_decode_message: Final = msgspec.msgpack.Decoder(tuple[list[tuple[str, bytes | None]], bytes]).decode


def unpack_message(body: bytes) -> tuple[list[tuple[str, bytes | None]], bytes]:
    """Headers and value of what ``pack_message`` made."""
    return _decode_message(body)


def config_hash(sources: Iterable[SourceConfig]) -> bytes:
    """8 bytes over what decides about admission; stamped on every record."""
    rows = sorted((source.id, sorted(source.types), sorted(source.domains)) for source in sources)
    return blake2b(orjson.dumps([ADMISSION_VERSION, EVENT_MAX_BYTES, rows]), digest_size=CONFIG_HASH_BYTES).digest()


class Admission:
    """Decides about shape, identifiers, and what a source may send; keeps nothing between two messages."""

    def __init__(self, sources: Iterable[SourceConfig], sealer: Sealer) -> None:
        known = tuple(sources)
        self._sources = {
            topic: _Source(s.id, SOURCE_PREFIX + s.id, frozenset(s.types), frozenset(s.domains))
            for s in known
            for topic in inbound_topics([s.id])
        }
        self._sealer = sealer
        self.config: Final = config_hash(known)

    @property
    def topics(self) -> tuple[str, ...]:
        """The inbound topics, of events and of history, sorted."""
        return tuple(sorted(self._sources))

    def admit(self, topic: str, partition: int, offset: int, value: bytes | None, headers: Headers) -> Admitted:
        """The items of one message. Never raises for what a message holds: a fault of the program refuses it too."""
        source = self._sources.get(topic)
        message = _Message(topic, partition, offset, value or b"", headers, source.id if source else None)
        try:
            return Admitted(self._admit(message, source))
        except Exception as error:  # noqa: BLE001 - one event must not stop the others; counted and logged by its kind
            refused = self._refused(message, Origin(topic, partition, offset), NotAdmitted("internal_error", ""), None)
            return Admitted([refused], _place(error))

    def _admit(self, message: _Message, source: _Source | None) -> list[OutRecord | Refused]:
        envelope: Envelope | None = None
        try:
            size = len(message.value)
            if message.headers:
                size += sum([len(name) + len(text or b"") for name, text in message.headers])
            if size > EVENT_MAX_BYTES:
                raise NotAdmitted("oversized", "")
            try:
                envelope = decode(message.value, message.headers)
            except NotJson:
                raise NotAdmitted("not_json", "") from None
            except NotCloudEvents as error:
                raise NotAdmitted("not_cloudevents", error.json_pointer) from None
            type_ = _checked_type(envelope, source)
            data = envelope.data
            if len(data["parties"]) * size > MAX_BYTES_TIMES_PARTIES:
                raise NotAdmitted("oversized", "/data/parties")
            return _Event(self, message, envelope, type_).items()
        except NotAdmitted as refusal:
            origin = Origin(message.topic, message.partition, message.offset)
            return [self._refused(message, origin, refusal, envelope)]

    def _refused(
        self, message: _Message, origin: Origin, refusal: NotAdmitted, envelope: Envelope | None,
        org_code: str | None = None, body: bytes | None = None,
    ) -> Refused:  # fmt: skip
        if body is None:
            body = pack_message(message.value, message.headers)
        return Refused(
            origin=origin,
            reason=refusal.reason,
            fate=REASONS[refusal.reason].fate,
            json_pointer=refusal.pointer,
            source=message.source,
            event_id=None if envelope is None else _safe_id(envelope),
            type=None if envelope is None else _known_type(envelope.type),
            org_code=org_code,
            sealed=self._sealer.seal(body, dead_letter_aad(str(origin))),
        )


def _short_type(type_: str) -> str | None:
    """A type without prefix and version, if it is one that departments send."""
    return _SHORT_TYPES.get(type_)


def _known_type(type_: str) -> str | None:
    return type_ if _short_type(type_) else None


def _safe_id(envelope: Envelope) -> str | None:
    """The event's id, unless it holds a person's number or a declared person's name."""
    if find_citizen_number(envelope.id) or contains_name(envelope.id, declared_person_names(envelope.data)):
        return None
    return envelope.id


def _checked_type(envelope: Envelope, source: _Source | None) -> str:
    """The short type of an event that its source may send and its schema allows."""
    type_ = _short_type(envelope.type)
    if type_ is None:
        raise NotAdmitted("unknown_type", "/type")
    if source is None or envelope.source != source.urn:
        raise NotAdmitted("source_mismatch", "/source")
    if type_ not in source.types:
        raise NotAdmitted("type_not_open", "/type")
    violation = validate(envelope.type, envelope.data)
    if violation is not None:
        pointer = "/data" + violation.json_pointer
        if violation.keyword == "format":
            raise NotAdmitted("impossible_date", pointer)
        if violation.keyword == "maxItems" and pointer == "/data/parties":
            raise NotAdmitted("too_many_parties", pointer)
        raise NotAdmitted("schema", pointer)
    if source.domains and envelope.data["domain"] not in source.domains:
        raise NotAdmitted("type_not_open", "/data/domain")
    return type_


def _place(error: BaseException) -> str:
    """Kind and place of a fault; never its text, which may hold a value."""
    frames = traceback.extract_tb(error.__traceback__)
    place = frames[-1] if frames else None
    return f"{type(error).__name__} in {place.name}, line {place.lineno}" if place else type(error).__name__


def _organisations_only(data: Mapping[str, Any]) -> bool:
    for party in data["parties"]:  # a loop, since nearly all have one
        if party["kind"] != "organisation":
            return False
    return "original_party" not in data


class _Event:
    """One event whose shape is right, on its way to its items."""

    __slots__ = ("_admission", "_config", "_envelope", "_hash", "_message", "_names", "_sealer", "_source", "_type")

    def __init__(self, admission: Admission, message: _Message, envelope: Envelope, type_: str) -> None:
        self._admission = admission
        self._sealer = admission._sealer
        self._message = message
        self._envelope = envelope
        self._type = type_
        self._source = message.source or ""
        data = envelope.data
        self._names = () if _organisations_only(data) else declared_person_names(data)
        self._hash = (HEADER_HASH, content_hash(envelope.type, data))
        self._config = (HEADER_CONFIG, admission.config)

    def items(self) -> list[OutRecord | Refused]:
        """Raises NotAdmitted where the event as a whole is refused."""
        envelope, data = self._envelope, self._envelope.data
        parties: list[Mapping[str, Any]] = data["parties"]
        found = [resolve(party["kind"], party["identifiers"]) for party in parties]
        if self._type != "correction":
            item = clear(self._type, envelope.id, data, self._names)
            return self._of_parties(item, parties, found, 0)
        withdrawal, decision = clear_correction(envelope.id, data, self._names)
        original = data.get("original_party")
        if original is None:
            return self._of_parties(decision, parties, found, 0)
        was = resolve(original["kind"], original["identifiers"])
        if isinstance(was, Resolved) and any(isinstance(r, Resolved) and r.org_code == was.org_code for r in found):
            return self._of_parties(decision, parties, found, 0)
        origin = self._origin(0, len(parties) + 1)
        first = self._of_party(withdrawal, original, was, origin, "/data/original_party", None)
        return [first, *self._of_parties(decision, parties, found, 1)]

    def _origin(self, party: int, parties: int) -> Origin:
        return Origin(self._message.topic, self._message.partition, self._message.offset, party, parties)

    def _of_parties(
        self, item: Item, parties: list[Mapping[str, Any]], found: list[Resolution], first: int
    ) -> list[OutRecord | Refused]:
        if len(parties) == 1 and first == 0 and isinstance(found[0], Resolved):  # nearly all
            return [self._record(item, parties[0], found[0], self._origin(0, 1))]
        out: list[OutRecord | Refused] = []
        seen: set[str] = set()
        for i, (party, resolution) in enumerate(zip(parties, found, strict=True)):
            origin = self._origin(first + i, first + len(parties))
            at = f"/data/parties/{i}"
            if isinstance(resolution, Resolved):
                if resolution.org_code in seen:
                    out.append(self._refuse(origin, "party_repeated", at, party, resolution.org_code))
                    continue
                seen.add(resolution.org_code)
            out.append(self._of_party(item, party, resolution, origin, at, party))
        return out

    def _of_party(
        self, item: Item, party: Mapping[str, Any], resolution: Resolution, origin: Origin, at: str,
        alone: Mapping[str, Any] | None,
    ) -> OutRecord | Refused:  # fmt: skip
        """``alone``: the party that a refusal keeps of the event's; None for the event as it came."""
        match resolution:
            case Resolved():
                return self._record(item, party, resolution, origin)
            case Held(field):
                return self._refuse(origin, "identifier_check_failed", f"{at}/identifiers/{field}", alone)
            case Contradiction(field):
                return self._refuse(origin, "identifiers_contradict", f"{at}/identifiers/{field}", alone)
            case PersonalNumber(field) if field and party["kind"] == "organisation":
                return self._refuse(origin, "citizen_number_in_field", f"{at}/identifiers/{field}", alone)
            case _:
                return self._refuse(origin, "identity_unresolved", f"{at}/identifiers", alone)

    def _record(self, item: Item, raw: Mapping[str, Any], resolved: Resolved, origin: Origin) -> OutRecord:
        envelope = self._envelope
        org_code, uscc, individual = resolved
        name = raw.get("name")
        removed = item.removed
        fields = item.fields
        if individual:
            fields = {field: fields[field] for field in INDIVIDUAL_FIELDS if field in fields}
            removed = {"data": {**envelope.data, "parties": [raw]}}
            name = None
        else:
            own: dict[str, Any] = {}
            if name is not None and not self._clear_name(name):
                own["name"], name = name, None
            if len(raw["identifiers"]) > 1:
                own["identifiers"] = raw["identifiers"]
            if own:
                removed = {**removed, "party": own}
        sealed = None
        if removed:
            aad = record_aad(self._source, envelope.id, org_code)
            sealed = b64encode(self._sealer.seal(orjson.dumps(removed), aad)).decode("ascii")
        record = Record(
            type=item.type,
            source=self._source,
            id=envelope.id,
            party=Party(org_code, uscc, name, individual),
            sealed=sealed,
            **fields,
        )
        return OutRecord(
            org_code.encode("ascii"),
            encode_record(record),
            [(HEADER_ORIGIN, str(origin).encode("ascii")), self._hash, self._config],
        )

    def _clear_name(self, name: str) -> bool:
        return clear_organisation(name) and not contains_name(name, self._names)

    def _refuse(
        self, origin: Origin, reason: str, pointer: str, alone: Mapping[str, Any] | None, org_code: str | None = None
    ) -> Refused:
        envelope = self._envelope
        body = None
        if alone is not None and len(envelope.data["parties"]) > 1:
            data = {**envelope.data, "parties": [alone]}
            value, headers = encode_structured(msgspec.structs.replace(envelope, data=data))
            body = pack_message(value, headers)
        refusal = NotAdmitted(reason, pointer)
        return self._admission._refused(self._message, origin, refusal, envelope, org_code, body)
