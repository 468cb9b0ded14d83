"""Citizen numbers are found in any dress, and nothing that could be a person's name passes for something else."""

import time
import uuid
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.domain import personal
from streamer.domain.identity import citizen_check
from tests.domain.codes import citizen_number

NUMBER = citizen_number(3)  # 449900, fictional
OLD = "449900670401001"
ENDS_IN_X = next(n for n in map(citizen_number, range(1000)) if n.endswith("X"))


def spaced(text: str, separator: str) -> str:
    return separator.join((text[:6], text[6:14], text[14:]))


DRESSES = [
    NUMBER,
    OLD,
    ENDS_IN_X,
    ENDS_IN_X.lower(),
    f"张某({NUMBER})违法",
    f"ID{NUMBER}",
    f"7{NUMBER}7",
    f"20260101-{NUMBER}",
    spaced(NUMBER, " "),
    spaced(NUMBER, "-"),
    spaced(NUMBER, "－"),
    spaced(NUMBER, "\u3000"),
    " ".join(NUMBER),
    "\u200b".join(NUMBER),
    ".".join(NUMBER),
    NUMBER.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
    ENDS_IN_X[:17] + "Ｘ",
    NUMBER.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    f"公民身份号码{OLD}。",
    "449900 670401 001",
    "449900-670401-001",
    "449900 67 04 01 001",
    f"2026-{OLD}-1",
    NUMBER * 2,
]


def test_names_that_are_clear_are_remembered_and_no_others():
    clear, person = "测试省第一建设有限公司", "欧阳测试"
    hidden = [f"测试{dress}有限公司" for dress in (NUMBER, OLD, " ".join(NUMBER))]
    for _ in range(2):  # asked again, the answer is the same
        assert personal.clear_organisation(clear)
        assert not any(map(personal.clear_organisation, (person, *hidden)))
    assert clear in personal._CLEAR
    assert not {person, *hidden} & personal._CLEAR


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(personal, "_CLEAR_MAX", 3)
    names = [f"测试省第{number}有限公司" for number in range(10)]
    for name in names:
        assert personal.clear_organisation(name)
        assert len(personal._CLEAR) <= 3


@pytest.mark.parametrize("text", DRESSES)
def test_a_citizen_number_is_found(text):
    assert personal.find_citizen_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1"),  # wrong check
        "449900199013010011",  # month 13
        "测税稽罚〔2026〕12号",
        "91350100M000100Y43",
        "449900671301001",  # month 13
        f"1{OLD}",  # sixteen digits
        "https://tax.example.gov.cn/art/2026/7/13/art_9566_1761016.html",
        "2026-07-24 2026-07-25",
        "1234567890123456789012345",
    ],
)
def test_what_is_none_is_not_found(text):
    assert not personal.find_citizen_number(text)


@given(st.uuids())
def test_a_uuid_is_no_citizen_number(value: uuid.UUID):
    assert not personal.find_citizen_number(str(value))


@given(
    st.text(st.characters(categories=["L", "Po"]), max_size=20),
    st.text(st.characters(categories=["L", "Po"]), max_size=20),
    st.dates(min_value=date(1900, 1, 1), max_value=date(2020, 1, 1)),
    st.integers(0, 999),
    st.sampled_from(["", " ", "-", "\u3000", "–"]),
)
def test_any_citizen_number_in_any_text_is_found(before, after, born, serial, separator):
    body = f"449900{born:%Y%m%d}{serial:03d}"
    assert personal.find_citizen_number(before + separator.join(body + citizen_check(body)) + after)


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("测试省第一建设有限公司", True),
        ("测试（中国）有限公司", True),
        ("测试咨询中心（有限合伙）", True),
        ("测试商贸有限公司(测试市)", True),
        ("测试市甲汽车配件厂", True),
        ("测试有限公司第一分店", True),
        ("TEST TRADING (CHINA) CO., LTD.", True),
        ("测试市第一中学", True),
        ("王小明", False),
        ("王小园", False),
        ("欧阳小会", False),
        ("王小明（有限公司股东）", False),
        ("测试有限公司（王小明）", False),
        ("测试有限公司 法定代表人王小明", False),
        ("测试有限公司<b>", False),
        ("买买提·测试", False),
        ("", False),
        ("公司", False),
        ("测" * 100 + "公司", False),
    ],
)
def test_names_of_organisations(name, like):
    assert personal.organisation_like(name) is like


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("国家税务总局测试市税务局第一稽查局", True),
        ("测试省财政厅", True),
        ("财政部", True),
        ("测试市中级人民法院", True),
        ("中华人民共和国测试海关", True),
        ("测试海关", True),
        ("测试市市场监督管理局〔本级〕", True),
        ("测试省地方金融管理局(测试省金融工作办公室)", True),
        ("测试省发展和改革委员会", True),
        ("测试省公共信用信息中心", True),
        ("测试省高院", True),
        ("测试市公安局交通警察支队", True),
        ("王小明", False),
        ("测试省税务局王小明", False),
        ("测试省税务局（王小明）", False),
        ("王小明，测试省税务局", False),
        ("", False),
    ],
)
def test_names_of_authorities(name, like):
    assert personal.authority_like(name) is like


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("测试省税收征收条例", True),
        ("《中华人民共和国税收征收管理法》", True),
        ("中华人民共和国政府采购法实施条例", True),
        ("重大税收违法失信主体信息公布管理办法（国家税务总局令第54号）", True),
        ("《测试办法》（2017年修正）", True),
        ("《测试办法》第3号", True),
        ("中华人民共和国刑法修正案", True),
        ("关于报送测试记录的通知（财办库〔2014〕526号）", True),
        ("全国人民代表大会常务委员会关于测试的决定", True),
        ("关于报送测试记录的通知", True),
        ("关于处罚王小明的决定", False),
        ("王小明", False),
        ("《王小明》", False),
        ("依据测试办法对王小明处罚", False),
        ("测试办法（王小明）", False),
        ("《测试办法》王小明", False),
        ("法", False),
        ("", False),
    ],
)
def test_names_of_instruments(text, like):
    assert personal.instrument_like(text) is like


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("decision", True),
        ("决定书载明", True),
        ("列入决定书确定的期限", True),
        ("测试省信用管理办法第十二条", True),
        ("《测试省信用管理办法》第十二条第一款", True),
        ("王小明决定", False),
        ("按王小明的申请", False),
        ("", False),
    ],
)
def test_what_an_end_rests_on(text, like):
    assert personal.term_basis_like(text) is like


@pytest.mark.parametrize(
    ("url", "like"),
    [
        ("https://tax.example.gov.cn/2026/02/27/1.html", True),
        (f"https://tax.example.gov.cn/{NUMBER}.html", False),
        ("https://tax.example.gov.cn/%34%34%39" + NUMBER[3:], False),
        ("https://tax.example.gov.cn/%2534%2534%2539" + NUMBER[3:], False),
        ("https://tax.example.gov.cn/?q=%E7%8E%8B%E5%B0%8F%E6%98%8E", False),
        ("https://tax.example.gov.cn/100%", True),
        ("ftp://tax.example.gov.cn/", False),
        ("https://tax.example.gov.cn/王小明", False),
    ],
)
def test_addresses(url, like):
    assert personal.url_like(url) is like


@pytest.mark.parametrize(
    ("number", "like"),
    [
        ("测税稽罚〔2026〕1号", True),
        ("〔2026〕测01民终45号", True),
        ("〔2026〕测01执123号之一", True),
        ("穗番税退罚字〔2026〕1号", True),
        ("GS-2026-1A", True),
        ("测罚2026", True),
        ("测〔2026〕", True),
        ("测税稽罚〔2026〕12号行政处罚决定书", True),
        ("测税稽罚〔2026〕1号王小明", False),
        ("测税稽罚〔2026〕王小明", False),
        ("王小明", False),
        ("1" * 101, False),
    ],
)
def test_document_numbers(number, like):
    assert personal.document_number_like(number) is like


def test_persons_that_an_event_declares_are_found_however_they_are_written():
    names = personal.declared_person_names(
        {
            "parties": [
                {"kind": "person", "name": "王 小明", "identifiers": {}},
                {"kind": "individual_business", "name": "Ce Shi", "identifiers": {}},
                {"kind": "individual_business", "name": "测试市小小小吃店", "identifiers": {}},
                {"kind": "organisation", "name": "测试有限公司", "legal_representative": "李测试"},
            ],
            "original_party": {"kind": "person", "name": "赵测试"},
        }
    )
    assert set(names) == {"王小明", "ceshi", "李测试", "赵测试"}
    assert personal.contains_name("测〔王　小·明〕1号", names)
    assert personal.contains_name("CE-SHI-1", names)
    assert not personal.contains_name("测试有限公司", names)
    assert personal.declared_person_names({}) == ()


@pytest.mark.parametrize(
    "text",
    ["1" * 199 + "x", " " * 199 + "x", "一二三" * 66 + "x", "第一条" * 66 + "x", "本决定" * 66 + "x", "《" + "1" * 199],
)
def test_no_text_takes_long_to_look_at(text: str) -> None:
    """A label has 200 characters; one that took exponential time would stop its partition for good."""
    begun = time.process_time()
    for look in (
        personal.term_basis_like,
        personal.instrument_like,
        personal.organisation_like,
        personal.authority_like,
        personal.document_number_like,
        personal.find_citizen_number,
    ):
        look(text)
    assert time.process_time() - begun < 1.0
