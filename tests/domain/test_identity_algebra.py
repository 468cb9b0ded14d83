"""Check arithmetic against ``python-stdnum`` wherever that is right, and what any single mistake does."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import ric
from stdnum.cn import uscc as stdnum_uscc
from stdnum.iso7064 import mod_11_2, mod_11_10

from streamer.domain import identity

DIGITS = st.text("0123456789", min_size=1)
USCC_TAIL = st.text(identity.USCC_ALPHABET, min_size=9, max_size=9)


@given(st.text("0123456789", min_size=8, max_size=8), USCC_TAIL)
def test_unified_code_checks_agree(head, tail):
    body = head + tail
    assert identity.uscc_check(body) == stdnum_uscc.calc_check_digit(body)


@given(st.text("0123456789", min_size=17, max_size=17))
def test_citizen_checks_agree(body):
    assert identity.citizen_check(body) == ric.calc_check_digit(body + "0")
    assert identity.citizen_check(body) == mod_11_2.calc_check_digit(body)


@given(st.text("0123456789", min_size=14, max_size=14))
def test_registration_checks_agree(body):
    assert identity.registration_check(body) == mod_11_10.calc_check_digit(body)


@given(st.text(string.ascii_uppercase + string.digits, min_size=8, max_size=8), st.integers(0, 7), st.data())
def test_no_single_wrong_character_of_an_organization_code_passes_unless_its_weight_hides_it(body, position, data):
    other = data.draw(st.sampled_from(string.ascii_uppercase + string.digits))
    assume((int(other, 36) - int(body[position], 36)) % 11)
    changed = body[:position] + other + body[position + 1 :]
    assert identity.org_code_check(changed) != identity.org_code_check(body)


@given(st.text("0123456789", min_size=8, max_size=8), USCC_TAIL, st.integers(0, 16), st.data())
def test_no_single_wrong_character_of_a_unified_code_passes(head, tail, position, data):
    body = head + tail
    other = data.draw(st.sampled_from(identity.USCC_ALPHABET))
    assume(other != body[position])
    assert identity.uscc_check(body[:position] + other + body[position + 1 :]) != identity.uscc_check(body)


@given(st.text(max_size=30))
def test_normalising_twice_is_normalising_once(text):
    once = identity.normalise_code(text)
    assert identity.normalise_code(once) == once


@given(
    st.sampled_from(["organisation", "individual_business", "person"]),
    st.dictionaries(st.sampled_from((*identity.ORGANISATION_FIELDS, "passport")), st.text(max_size=21)),
)
def test_resolving_never_raises_and_a_key_always_passes_its_check(kind, identifiers):
    found = identity.resolve(kind, identifiers)
    if isinstance(found, identity.Resolved):
        assert identity.parse_org_code(found.org_code) == found.org_code


@pytest.mark.parametrize("separator", ["-", " ", "－", "\u3000"])
@given(st.data())
def test_separators_change_nothing(separator, data):
    code = "9144030071526726XG"
    at = data.draw(st.integers(0, len(code)))
    assert identity.resolve("organisation", {"uscc": code[:at] + separator + code[at:]}) == identity.resolve(
        "organisation", {"uscc": code}
    )
