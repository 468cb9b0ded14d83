"""The vectors of the four standards, and what a party's identifiers together say."""

import pytest

from streamer.domain import identity
from streamer.domain.identity import Contradiction, Held, PersonalNumber, Resolved, Unresolved, resolve
from tests.domain.codes import citizen_number, org_code, registration_number, uscc

USCC = "91350100M000100Y43"
OTHER_USCC = "91110000600037341L"
RESOLVED = Resolved("M000100Y4", USCC, individual=False)
INDIVIDUAL = uscc("92449900", "MA4XXXX0")
PERSON = citizen_number(7)


@pytest.mark.parametrize(
    ("code", "inside"),
    [
        ("91350100M000100Y43", "M000100Y4"),
        ("91110000600037341L", "600037341"),
        ("9144030071526726XG", "71526726X"),
    ],
)
def test_unified_codes_of_the_standard_give_the_organization_code(code, inside):
    assert identity.parse_uscc(code) == inside
    assert identity.uscc_check(code[:17]) == code[17]


@pytest.mark.parametrize(
    "code",
    [
        "91350100M000100Y4Z",
        "91110000600037314L",
        "91350100M000100Y4",  # short
        "9135010IM000100Y43",  # I is not in the alphabet
        "",
        "９１３５０１００Ｍ０００１００Ｙ４３",  # not normalised
    ],
)
def test_wrong_unified_codes_give_nothing(code):
    assert identity.parse_uscc(code) is None


def test_a_unified_code_needs_the_check_of_the_organization_code_inside_too():
    wrong_inside = "91449900" + "60003734" + "2"
    code = wrong_inside + identity.uscc_check(wrong_inside)
    assert identity.parse_org_code("600037342") is None
    assert identity.parse_uscc(code) is None
    assert resolve("organisation", {"uscc": code}) == Held("uscc")


@pytest.mark.parametrize("code", ["D2143569-X", "71526726-X", "60003734-1"])
def test_organization_codes_of_the_standard_hold(code):
    assert identity.parse_org_code(identity.normalise_code(code)) == code.replace("-", "")


@pytest.mark.parametrize("code", ["D2143569-1", "71526726-0", "D2143569", "D2143569XX"])
def test_wrong_organization_codes_give_nothing(code):
    assert identity.parse_org_code(identity.normalise_code(code)) is None


@pytest.mark.parametrize(
    ("code", "valid"),
    [
        ("11010519491231002X", True),
        ("440524188001010014", True),
        ("360426199101010071", True),
        ("110105194912310021", False),
        ("11010519491331002X", False),
        ("110105190002290014", False),  # 1900 was no leap year
        ("00010519491231002X", False),
        ("130503670401001", True),
        ("130503671301001", False),
        ("1305036704010", False),
    ],
)
def test_citizen_numbers_of_the_standard(code, valid):
    assert identity.is_citizen_number(code) is valid


@pytest.mark.parametrize("area", ["810000", "820000", "830000", "911156"])
def test_permits_count_as_citizen_numbers(area):
    body = f"{area}19900101001"
    assert identity.is_citizen_number(body + identity.citizen_check(body))


def test_a_citizen_number_of_15_digits_is_upgraded():
    assert identity.upgrade_citizen_number("130503670401001") == "130503196704010016"
    assert identity.upgrade_citizen_number("130503671301001") is None


@pytest.mark.parametrize(
    ("code", "valid"),
    [
        ("110108000000016", True),
        ("440301100000016", True),
        ("110000010220110", True),
        ("110108000000017", False),
        ("1101080000000", False),
    ],
)
def test_registration_numbers_of_the_standard(code, valid):
    assert identity.is_registration_number(code) is valid


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("9144030071526726xg", "9144030071526726XG"),
        ("９１４４０３００７１５２６７２６ＸＧ", "9144030071526726XG"),
        (" 91440300 71526726-X G\u3000", "9144030071526726XG"),
        ("9144\u200b030071526726X–G", "9144030071526726XG"),
        ("91440300****726XG", "91440300****726XG"),
        ("91440300＊＊＊＊726XG", "91440300****726XG"),
    ],
)
def test_spellings_of_a_code_are_one(text, code):
    assert identity.normalise_code(text) == code


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [
        ({"uscc": USCC}, RESOLVED),
        ({"uscc": USCC.lower()}, RESOLVED),
        ({"organization_code": "M000100Y-4"}, Resolved("M000100Y4", None, individual=False)),
        ({"uscc": USCC, "organization_code": "M000100Y4"}, RESOLVED),
        ({"taxpayer_number": USCC}, RESOLVED),
        ({"taxpayer_number": "449900600037341"}, Resolved("600037341", None, individual=False)),
        ({"organization_code": USCC}, RESOLVED),
        ({"business_registration_number": USCC}, RESOLVED),
        ({"uscc": USCC, "business_registration_number": "110108000000016"}, RESOLVED),
        ({"uscc": INDIVIDUAL}, Resolved(INDIVIDUAL[8:17], INDIVIDUAL, individual=True)),
        ({"uscc": USCC, "organization_code": "600037341"}, Contradiction("organization_code")),
        ({"uscc": USCC, "taxpayer_number": OTHER_USCC}, Contradiction("taxpayer_number")),
        ({"uscc": uscc("91449900", "60003734"), "taxpayer_number": OTHER_USCC}, Contradiction("taxpayer_number")),
        ({"uscc": "91350100M000100Y4Z"}, Held("uscc")),
        ({"uscc": "9135"}, Held("uscc")),
        ({"uscc": USCC, "organization_code": "M000100Y5"}, Held("organization_code")),
        ({"business_registration_number": "110108000000017"}, Held("business_registration_number")),
        ({"taxpayer_number": "449900600037342"}, Held("taxpayer_number")),
        ({"uscc": "91350100M0****Y43"}, Unresolved()),
        ({"uscc": "91350100M0****Y43", "taxpayer_number": USCC}, RESOLVED),
        ({"business_registration_number": "110108000000016"}, Unresolved()),
        ({"taxpayer_number": "44990060003734100001"}, Unresolved()),
        ({"passport": "E00000000"}, Unresolved()),
        ({"uscc": ""}, Unresolved()),
        ({}, Unresolved()),
        ({"uscc": PERSON}, PersonalNumber("uscc")),
        ({"organization_code": PERSON}, PersonalNumber("organization_code")),
        ({"taxpayer_number": PERSON}, PersonalNumber("taxpayer_number")),
        ({"taxpayer_number": PERSON + "00"}, PersonalNumber("taxpayer_number")),
        ({"business_registration_number": "449900670401001"}, PersonalNumber("business_registration_number")),
    ],
)
def test_an_organisations_identifiers_together(identifiers, expected):
    assert resolve("organisation", identifiers) == expected


def test_a_declared_individual_business_is_one_whatever_its_code():
    assert resolve("individual_business", {"uscc": USCC}) == Resolved("M000100Y4", USCC, individual=True)


def test_a_person_never_has_an_organisations_key():
    assert resolve("person", {"citizen_number": PERSON, "uscc": USCC}) == PersonalNumber("")


def test_a_citizen_number_that_passes_both_checks_of_a_unified_code_stays_personal():
    both = next(
        number
        for serial in range(1_000_000)
        if identity.parse_uscc(number := citizen_number(serial % 1000, area=f"{510100 + serial // 1000}"))
    )
    assert resolve("organisation", {"uscc": both}) == PersonalNumber("uscc")
    assert resolve("organisation", {"uscc": both}) == PersonalNumber("uscc")  # asked again, too
    assert both not in identity._CHECKED


def test_codes_that_hold_are_remembered_and_no_others(monkeypatch):
    monkeypatch.setattr(identity, "_CHECKED_MAX", 3)
    codes = [uscc(body=f"MA{number:06d}") for number in range(10)]
    for code in (*codes, *codes):
        assert resolve("organisation", {"uscc": code}) == Resolved(code[8:17], code, individual=False)
        assert len(identity._CHECKED) <= 3
    wrong = codes[0][:17] + next(c for c in identity.USCC_ALPHABET if c != codes[0][17])
    for _ in range(2):
        assert resolve("organisation", {"uscc": wrong}) == Held("uscc")
        assert resolve("organisation", {"uscc": PERSON}) == PersonalNumber("uscc")
    assert not {wrong, PERSON} & identity._CHECKED.keys()


def test_the_generators_of_codes_are_right():
    assert identity.parse_org_code(org_code("MA000001"))
    assert identity.parse_uscc(INDIVIDUAL)
    assert identity.is_registration_number(registration_number("44990000000001"))
    assert PERSON.startswith("449900")
    assert identity.is_citizen_number(PERSON)
