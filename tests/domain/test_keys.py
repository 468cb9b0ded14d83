"""One decision, one key, however it is spelled; two decisions, two keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.domain.keys import authority_key, event_key, fact_id, normalise_authority_name, normalise_document_number

CANONICAL = "测税稽罚〔2026〕12号"


@pytest.mark.parametrize(
    "text",
    [
        "测税稽罚〔2026〕12号",
        "测税稽罚[2026]12号",
        "测税稽罚【2026】12号",
        "测税稽罚(2026)12号",
        "测税稽罚（2026）12号",
        "测税稽罚「2026」12号",
        "测税稽罚［2026］12号",
        "测税稽罚﹝2026﹞12号",
        "测税稽罚〔２０２６〕１２号",
        " 测税稽罚 〔2026〕\u300012 号\n",
        "测税稽罚\u200b〔2026〕12号\ufeff",
    ],
)
def test_spellings_of_a_document_number_are_one(text):
    assert normalise_document_number(text) == CANONICAL


@pytest.mark.parametrize(
    ("one", "other"),
    [("gs-2026-1", "GS－2026—1"), ("(2026)粤01执123号", "〔2026〕粤01执123号")],
)
def test_case_and_dashes_do_not_matter(one, other):
    assert normalise_document_number(one) == normalise_document_number(other)


@pytest.mark.parametrize(
    "other", ["测税稽罚〔2026〕1号", "测税稽罚〔2025〕12号", "测税稽处〔2026〕12号", "测税稽罚〔2026〕12-1号"]
)
def test_other_document_numbers_stay_apart(other):
    assert normalise_document_number(other) != CANONICAL


@given(st.text(max_size=60))
def test_normalising_twice_is_normalising_once(text):
    once = normalise_document_number(text)
    assert normalise_document_number(once) == once
    name = normalise_authority_name(text)
    assert normalise_authority_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("国家税务总局测试市税务局", "测试市税务局"),
        ("测试市税务局", "测试市税务局"),
        (" 国家税务总局 测试市税务局 ", "测试市税务局"),
        ("国家税务总局测试市税务局第一稽查局", "测试市税务局第一稽查局"),
        ("国家税务总局", "国家税务总局"),
        ("国家税务总局税务局", "国家税务总局税务局"),
        ("测试市财政局（本级）", "测试市财政局〔本级〕"),
    ],
)
def test_names_of_authorities(text, name):
    assert normalise_authority_name(text) == name


def test_an_inspection_bureau_is_another_body_than_its_tax_office():
    inspection, office = "国家税务总局测试市税务局稽查局", "国家税务总局测试市税务局"
    assert normalise_authority_name(inspection) != normalise_authority_name(office)


def test_an_authoritys_code_goes_before_its_name():
    assert authority_key("11449900MB0000001X", "测试市税务局") == "11449900MB0000001X"
    assert authority_key(None, "国家税务总局测试市税务局") == "n:测试市税务局"
    with pytest.raises(ValueError, match="without code and name"):
        authority_key(None, None)


PART = st.text(min_size=1, max_size=12).filter(lambda text: "\0" not in text)


@given(st.tuples(PART, PART, PART, PART), st.tuples(PART, PART, PART, PART))
def test_facts_have_one_key_each(one, other):
    assert len(fact_id(*one)) == 16
    assert (fact_id(*one) == fact_id(*other)) is (one == other)


@given(st.tuples(PART, st.text(max_size=12)), st.tuples(PART, st.text(max_size=12)))
def test_events_have_one_key_each(one, other):
    assert len(event_key(*one)) == 16
    assert (event_key(*one) == event_key(*other)) is (one == other)


def test_keys_never_change():
    assert fact_id("11449900MB0000001X", CANONICAL, "M000100Y4", "penalty").hex() == "57a8b333ec980a7b9dd517b6ab76a1ef"
    assert event_key("tax-a", "e-1").hex() == "55259e80eb2ce307e34f770ca323b6ca"
