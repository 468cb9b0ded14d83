"""A criterion that remembers its answers gives the same ones as one that does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.domain.criteria import Expression

TEXTS = (
    'type == "decision.penalty" && ["a", "b"].exists(x, x in basis) && !("suspension" in sanctions)',
    'conduct == "tax.evasion" && share_permille >= 100',
    '"finance" in authority_roles && (fine_fen >= 3000000 || ban_days >= 365)',
)
REMEMBERING = [Expression(text) for text in TEXTS]
DECISIONS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["decision.penalty", "document.recorded"]),
        "conduct": st.sampled_from(["", "tax.evasion"]),
        "authority_roles": st.lists(st.sampled_from(["finance", "tax"]), max_size=2),
        "fine_fen": st.sampled_from([0, 2_999_999, 3_000_000]),
        "ban_days": st.sampled_from([0, 364, 365]),
        "sanctions": st.lists(st.sampled_from(["fine", "suspension"]), max_size=2),
        "basis": st.lists(st.sampled_from(["a", "b", "c"]), max_size=2),
        "share_permille": st.sampled_from([0, 99, 100]),
    }
)


@given(DECISIONS)
def test_remembered_answers_are_the_evaluated_ones(variables: dict[str, object]) -> None:
    for text, remembering in zip(TEXTS, REMEMBERING, strict=True):
        assert remembering.evaluate(variables) == Expression(text).evaluate(variables)
