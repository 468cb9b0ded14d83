"""Every message ends in items: records the dossier can read, or refusals that say what to do."""

import base64
import json

import pytest

from streamer.agents import admission
from streamer.agents.admission import Admission, Refused, config_hash, unpack_message
from streamer.domain.reasons import DEAD_LETTERED, INTAKE_CODES, PARKED
from streamer.domain.records import Origin
from streamer.domain.sealing import Sealer, dead_letter_aad, record_aad
from tests.agents.events import (
    ADMISSION,
    AUTHORITY,
    DOCUMENT_BODY,
    FIRST,
    INDIVIDUAL,
    LISTING_BODY,
    NAME,
    NUMBER,
    PENALTY_BODY,
    SEALER,
    SECOND,
    SOURCES,
    TARGET,
    THIRD,
    TOPIC,
    TYPES,
    admit,
    data,
    encoded,
    envelope,
    event,
    individual,
    party,
    person,
    record,
    refusal,
)
from topics.catalog import EXAMPLES
from topics.envelope import decode, encode_binary
from topics.settings import EVENT_MAX_BYTES
from topics.validation import validate


def opened(item):
    found = record(item)
    if found.sealed is None:
        return {}
    aad = record_aad(found.source, found.id, found.party.org_code)
    return json.loads(SEALER.open(base64.b64decode(found.sealed), aad))


def headers_of(item):
    return dict(item.headers)


# ---------------------------------------------------------------------------- what is admitted


@pytest.mark.parametrize("type_", TYPES)
def test_a_full_event_becomes_records_that_keep_to_their_schema(type_):
    items = admit(event(type_))
    assert len(items) == (2 if type_ == "correction" else 1)
    for i, item in enumerate(items):
        assert validate("credit.record.item.v1", json.loads(item.value)) is None
        headers = headers_of(item)
        assert headers["origin"].decode() == f"{TOPIC}|1|42|{i}|{len(items)}"
        assert len(headers["hash"]) == 16
        assert headers["config"] == ADMISSION.config


GOOD = [path for type_ in TYPES for path in sorted((EXAMPLES / f"credit.{type_}.v1").glob("good-*.json"))]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_contracts_good_examples_are_admitted_or_parked(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    name = content["source"].rpartition(":")[2]
    source = SOURCES[0]._replace(id=name, domains=())
    topic = f"credit.events.{name}"
    for item in Admission([source], SEALER).admit(topic, 0, 0, encoded(content), ()).items:
        assert not isinstance(item, Refused) or item.fate == PARKED, item.reason


def test_a_penalty_keeps_what_is_public_and_seals_the_rest():
    (item,) = admit(event())
    found = record(item)
    assert found.type == "decision.penalty"
    assert (found.source, found.id, found.domain, found.version) == ("tax", "e-1", "tax", 1)
    assert (found.authority.code, found.authority.name) == (AUTHORITY["code"], "测试省税务局")
    assert found.document_number == "测税稽罚〔2026〕1号"
    assert (found.party.uscc, found.party.name, found.party.individual) == (FIRST, "测试省第一建设有限公司", False)
    assert (found.conduct, found.publicity, found.url) == (
        "tax.evasion",
        "serious",
        "https://tax.example.org/2026/1.html",
    )
    assert [(b.instrument, b.article) for b in found.basis] == [("测试省税收征收条例", "第六十三条第一款")]
    assert [(s.kind, s.amount_fen, s.from_, s.to) for s in found.sanctions] == [
        ("fine", 5000, "2026-01-05", "2026-02-05")
    ]
    assert [(a.year, a.amount_fen, a.share_permille) for a in found.assessed] == [(2024, 120000, 150)]
    assert opened(item) == {
        "remarks": "无",
        "facts": PENALTY_BODY["facts"],
        "basis": [{"row": 0, "text": "对偷税的，并处罚款。"}],
        "outcomes": [{"row": 0, "content": "处以罚款。"}],
    }


def test_a_listing_keeps_its_terms_and_seals_what_it_is_based_on():
    (item,) = admit(event("decision.listing"))
    found = record(item)
    assert (found.list, found.ground, found.remedies_closed) == ("tax.major-dishonest", "tax.evasion", True)
    assert (found.notice_served_on, found.effective_on, found.published_on) == (
        "2026-01-02",
        "2026-02-01",
        "2026-02-02",
    )
    assert (found.until, found.until_basis) == ("2029-02-01", "测试省失信名单办法第十二条")
    assert set(opened(item)) == {"remarks", "based_on"}


def test_a_withdrawal_reaches_the_versions_it_names_or_all():
    (item,) = admit(event("withdrawal"))
    assert (record(item).version, record(item).target.id, record(item).cause) == (2, "e-0", "revoked")
    (item,) = admit(event("withdrawal", target_version=None))
    assert record(item).version == 0


def test_unstated_stays_unstated():
    (item,) = admit(event(**dict.fromkeys(PENALTY_BODY), decided_on=None, url=None, remarks=None))
    found = record(item)
    assert (found.conduct, found.basis, found.sanctions, found.decided_on, found.sealed) == (None, (), (), None, None)


def test_spellings_of_one_decision_give_one_key():
    first, second = (
        record(admit(event(document_number=number, authority={"name": name}))[0])
        for number, name in [
            ("测税稽罚〔2026〕1号", "国家税务总局测试省税务局"),
            ("测税稽罚 [２０２６] 1号", "测试省税务局"),
        ]
    )
    assert (first.document_number, first.authority) == (second.document_number, second.authority)


def test_structured_and_binary_mode_are_one_event():
    value = encoded(event())
    other, headers = encode_binary(decode(value, ()))
    (one,), (two,) = admit(value), admit(other, headers=headers)
    assert one == two


def test_the_same_message_gives_the_same_bytes():
    for content in (event(), event(parties=[person()]), event("correction"), b"no"):
        assert ADMISSION.admit(TOPIC, 1, 42, content if isinstance(content, bytes) else encoded(content), ()) == (
            Admission(SOURCES, Sealer.from_hex("5a" * 32)).admit(
                TOPIC, 1, 42, content if isinstance(content, bytes) else encoded(content), ()
            )
        )


def test_the_configuration_has_a_hash_of_what_decides():
    assert config_hash(SOURCES) == config_hash(reversed(SOURCES))
    assert config_hash(SOURCES) != config_hash(SOURCES[:1])
    assert config_hash([SOURCES[0]._replace(types=TYPES[:2])]) != config_hash(SOURCES[:1])


# ---------------------------------------------------------------------------- whole events refused

REFUSED = [
    ("not_json", "", b"{"),
    ("not_json", "", b"\xff\xfe"),
    ("not_json", "", None),
    ("not_cloudevents", "/specversion", {"id": "x"}),
    ("not_cloudevents", "/specversion", [1]),
    ("not_cloudevents", "/id", event(id="有 空格")),
    ("not_cloudevents", "/data", envelope("decision.penalty", "text")),
    ("unknown_type", "/type", {**event(), "type": "credit.score.v1"}),
    ("unknown_type", "/type", {**event(), "type": "credit.decision.penalty.v2"}),
    ("unknown_type", "/type", {**event(), "type": "credit.alert.v1"}),
    ("source_mismatch", "/source", {**event(), "source": "urn:credit:source:customs"}),
    ("type_not_open", "/data/domain", event(domain="court")),
    ("schema", "/data/authority", event(authority=None)),
    ("schema", "/data/version", event(version=0)),
    ("schema", "/data/parties/0", event(parties=[party(nickname="x")])),
    ("impossible_date", "/data/decided_on", event(decided_on="2026-02-30")),
    ("impossible_date", "/data/decided_on", event(decided_on="2026/02/03")),
    ("impossible_date", "/data/outcomes/0/to", event(outcomes=[{"kind": "fine", "from": "2026-02-02", "to": "2026-02-01"}])),
    ("impossible_date", "/data/until", event("decision.listing", until="2026-01-31")),
    ("too_many_parties", "/data/parties", event(parties=[party()] * 51)),
    ("oversized", "", event(facts="长" * (EVENT_MAX_BYTES // 3))),
    ("oversized", "/data/parties", event(basis=[{"instrument": "测试条例", "text": "长" * 9000}] * 10, parties=[party()] * 50)),
    ("not_an_authority", "/data/authority/name", event(authority={"name": "某某某"})),
    ("not_an_authority", "/data/authority/code", event(authority={"code": "***", "name": "测试省税务局"})),
    ("not_a_document_number", "/data/document_number", event(document_number=f"〔2026〕1号{NAME}")),
    ("citizen_number_in_field", "/id", event(id=NUMBER)),
    ("citizen_number_in_field", "/id", event(id=f"tax-{NUMBER[:6]}-{NUMBER[6:14]}-{NUMBER[14:]}")),
    ("citizen_number_in_field", "/data/document_number", event(document_number=f"测罚〔{NUMBER}〕号")),
    ("citizen_number_in_field", "/data/authority/code", event(authority={"code": NUMBER})),
    ("citizen_number_in_field", "/data/authority/name", event(authority={"name": NUMBER})),
    ("citizen_number_in_field", "/data/conduct", event(conduct=f"a{NUMBER}")),
    ("citizen_number_in_field", "/data/basis/0/article", event(basis=[{"instrument": "测试法", "article": NUMBER}])),
    ("citizen_number_in_field", "/data/outcomes/0/amount_fen", event(outcomes=[{"kind": "fine", "amount_fen": 449900670401001}])),
    ("citizen_number_in_field", "/data/target/id", event("withdrawal", target={"id": NUMBER})),
    ("personal_name_in_field", "/data/document_number", event(document_number=f"{NAME}〔2026〕1号", parties=[party(), person()])),
    ("personal_name_in_field", "/data/authority/name", event(authority={"name": f"{NAME}局"}, parties=[person()])),
    ("personal_name_in_field", "/id", event(id="Ouyang-1", parties=[person(name="OuYang")])),
    ("schema", "/data/target/kind", event("correction", target={**TARGET, "kind": "listing"})),
    (
        "target_of_other_authority", "/data/target/authority",
        event("correction", target={**TARGET, "authority": {"code": "11449900TTTT000309"}}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "pointer", "content"), REFUSED, ids=[f"{r[0]} {r[1]}" for r in REFUSED])
def test_a_bad_event_is_one_dead_letter_with_its_reason(reason, pointer, content):
    (item,) = admit(content)
    found = refusal(item)
    assert (found.reason, found.json_pointer, found.fate) == (reason, pointer, DEAD_LETTERED)
    assert found.origin == Origin(TOPIC, 1, 42, 0, 1)
    assert found.source == "tax"
    body = SEALER.open(found.sealed, dead_letter_aad(str(found.origin)))
    value = content if isinstance(content, bytes) else encoded(content) if content is not None else b""
    assert unpack_message(body) == ([], value)


def test_every_reason_of_the_intake_is_reached():
    whole = {case[0] for case in REFUSED}
    by_party = {"identifiers_contradict", "party_repeated", "identity_unresolved", "identifier_check_failed"}
    assert whole | by_party | {"internal_error"} == INTAKE_CODES | {"target_of_other_authority"}


def test_a_source_sends_only_what_is_open_to_it():
    (item,) = admit({**event(), "source": "urn:credit:source:collector"}, topic="credit.events.collector")
    assert refusal(item).reason == "type_not_open"
    content = {**event("document.recorded"), "source": "urn:credit:source:collector"}
    (item,) = admit(content, topic="credit.events.collector")
    assert record(item).source == "collector"


def test_a_topic_without_a_registered_source_admits_nothing():
    (item,) = admit(event(), topic="credit.events.unknown")
    assert (refusal(item).reason, refusal(item).source) == ("source_mismatch", None)


def test_an_id_that_names_a_person_is_never_repeated():
    for content in (event(id=NUMBER), {**event(id=NUMBER), "type": "x.y"}, event(id=NUMBER, parties=[])):
        assert refusal(admit(content)[0]).event_id is None
    assert refusal(admit(event(parties=[]))[0]).event_id == "e-1"


def test_an_unknown_type_is_not_repeated():
    (item,) = admit({**event(), "type": f"credit.{NUMBER}.v1"})
    assert refusal(item).type is None
    assert refusal(admit(event(parties=[]))[0]).type == "credit.decision.penalty.v1"


# ---------------------------------------------------------------------------- parties


def test_each_party_is_an_item_of_its_own():
    wrong_check = FIRST[:-1] + ("0" if FIRST[-1] != "0" else "1")
    parties = [
        party(FIRST),
        person(),
        party(wrong_check),
        party(SECOND, identifiers={"uscc": SECOND, "organization_code": THIRD[8:17]}),
        party(FIRST),
        party(identifiers={}),
        party(identifiers={"uscc": NUMBER}),
        individual(identifiers={"taxpayer_number": NUMBER}),
        individual(),
        party(THIRD),
    ]
    items = admit(event(parties=parties))
    found = [
        (item.reason, item.fate, item.json_pointer) if isinstance(item, Refused) else item.key.decode()
        for item in items
    ]
    assert found == [
        FIRST[8:17],
        ("identity_unresolved", PARKED, "/data/parties/1/identifiers"),
        ("identifier_check_failed", PARKED, "/data/parties/2/identifiers/uscc"),
        ("identifiers_contradict", DEAD_LETTERED, "/data/parties/3/identifiers/organization_code"),
        ("party_repeated", DEAD_LETTERED, "/data/parties/4"),
        ("identity_unresolved", PARKED, "/data/parties/5/identifiers"),
        ("citizen_number_in_field", DEAD_LETTERED, "/data/parties/6/identifiers/uscc"),
        ("identity_unresolved", PARKED, "/data/parties/7/identifiers"),
        INDIVIDUAL[8:17],
        THIRD[8:17],
    ]
    for i, item in enumerate(items):
        text = str(item.origin) if isinstance(item, Refused) else headers_of(item)["origin"].decode()
        assert text == f"{TOPIC}|1|42|{i}|10"
    assert items[4].org_code == FIRST[8:17]


def test_a_parked_party_is_sealed_alone_as_an_event_that_can_be_sent_again():
    items = admit(event(parties=[party(), person()]))
    body = SEALER.open(items[1].sealed, dead_letter_aad(str(items[1].origin)))
    headers, value = unpack_message(body)
    again = decode(value, headers)
    assert again.data == data(parties=[person()])
    assert (again.id, again.type) == ("e-1", "credit.decision.penalty.v1")


@pytest.mark.parametrize("type_", [t for t in TYPES if t != "correction"])
@pytest.mark.parametrize("raw", [individual(), party(INDIVIDUAL)], ids=["declared", "by its code"])
def test_an_individual_business_is_recorded_sealed(type_, raw):
    (item,) = admit(event(type_, parties=[raw]))
    found = record(item)
    assert found.party.individual
    assert found.party.name is None
    assert (found.conduct, found.basis, found.sanctions, found.assessed, found.publicity) == (None, (), (), (), None)
    assert (found.url, found.ground, found.until_basis, found.cause) == (None, None, None, None)
    assert found.document_number == "测税稽罚〔2026〕1号"
    assert found.decided_on == "2026-01-05"
    assert opened(item)["data"] == data(type_, parties=[raw])


@pytest.mark.parametrize("name", [NAME, "测试有限公司（王小明）", f"测试{NUMBER}公司", f"{NAME}服装厂"])
def test_a_name_that_is_not_an_organisations_is_sealed(name):
    items = admit(event(parties=[party(name=name), person()]))
    assert record(items[0]).party.name is None
    assert opened(items[0])["party"]["name"] == name


def test_texts_that_a_record_can_do_without_are_sealed_when_in_doubt():
    content = event(
        "decision.penalty",
        url=f"https://tax.example.org/{NUMBER}",
        basis=[{"instrument": f"依法处罚{NAME}"}, {"instrument": "测试省税收征收条例"}],
        authority={**AUTHORITY, "name": NAME},
    )
    (item,) = admit(content)
    found = record(item)
    assert found.url is None
    assert [b.instrument for b in found.basis] == ["测试省税收征收条例"]
    assert (found.authority.code, found.authority.name) == (AUTHORITY["code"], None)
    assert opened(item)["url"].endswith(NUMBER)
    (item,) = admit(event("decision.listing", until_basis=f"{NAME}申请"))
    assert record(item).until_basis is None


# ---------------------------------------------------------------------------- corrections


def test_a_correction_of_content_is_the_next_version_of_the_decision():
    (item,) = admit(event("correction", original_party=None, document_number="测税更〔2026〕9号"))
    found = record(item)
    assert (found.type, found.version, found.document_number) == ("decision.penalty", 3, "测税稽罚〔2026〕1号")
    assert (found.decided_on, found.conduct) == ("2026-01-05", "tax.evasion")
    assert opened(item)["correction"]["document_number"] == "测税更〔2026〕9号"


def test_a_correction_of_the_party_withdraws_from_one_and_decides_about_the_other():
    items = admit(event("correction", document_number="测税更〔2026〕9号", parties=[party(FIRST), party(THIRD)]))
    was, now, other = map(record, items)
    assert (was.type, was.party.uscc, was.version, was.document_number) == (
        "withdrawal",
        SECOND,
        3,
        "测税更〔2026〕9号",
    )
    assert (was.target.document_number, was.target.kind, was.target.id) == ("测税稽罚〔2026〕1号", "penalty", None)
    assert [(r.type, r.party.uscc, r.version) for r in (now, other)] == [
        ("decision.penalty", FIRST, 3),
        ("decision.penalty", THIRD, 3),
    ]
    assert [headers_of(item)["origin"].decode()[-3:] for item in items] == ["0|3", "1|3", "2|3"]


def test_a_correction_to_the_same_party_under_another_code_withdraws_nothing():
    original = party(identifiers={"organization_code": FIRST[8:17]})
    assert [record(item).type for item in admit(event("correction", original_party=original))] == ["decision.penalty"]


def test_a_correction_away_from_a_person_waits_for_that_person_alone():
    was, now = admit(event("correction", original_party=person()))
    assert (refusal(was).reason, refusal(was).json_pointer) == (
        "identity_unresolved",
        "/data/original_party/identifiers",
    )
    assert record(now).type == "decision.penalty"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({**TARGET, "authority": {"code": AUTHORITY["code"]}}, AUTHORITY["code"]),
        ({**TARGET, "authority": {"name": "测试省税务局"}}, AUTHORITY["code"]),
        ({"id": "e-0", "document_number": TARGET["document_number"]}, AUTHORITY["code"]),
    ],
)
def test_a_correction_stays_with_the_authority_that_decided(target, expected):
    was, now = map(record, admit(event("correction", target=target)))
    assert now.authority.code == expected
    assert was.target.id == target.get("id")


@pytest.mark.parametrize("kind", ["listing", "document"])
def test_corrections_of_other_kinds(kind):
    body = {"listing": LISTING_BODY, "document": DOCUMENT_BODY}[kind]
    items = admit(event("correction", kind=kind, target={**TARGET, "kind": kind}, replacement=body))
    assert record(items[0]).type == "withdrawal"
    assert record(items[1]).type == {"listing": "decision.listing", "document": "document.recorded"}[kind]


# ---------------------------------------------------------------------------- faults


def test_a_fault_of_the_program_refuses_one_event_and_tells_no_value(monkeypatch):
    def broken(*_):
        raise RuntimeError(NUMBER)

    monkeypatch.setattr(admission, "validate", broken)
    items, fault = ADMISSION.admit(TOPIC, 1, 42, encoded(event()), ())
    (item,) = items
    assert refusal(item).reason == "internal_error"
    assert fault.startswith("RuntimeError in broken")
    assert NUMBER not in fault
    assert unpack_message(SEALER.open(item.sealed, dead_letter_aad(str(item.origin))))[1] == encoded(event())
