"""Every reason that the program gives is in the table, and says what to do in both languages."""

import re
from pathlib import Path

import pytest

from streamer.domain.reasons import DEAD_LETTERED, PARKED, REASONS
from topics.validation import validate

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.code)
def test_a_reason_fits_an_outcome(reason):
    outcome = {
        "event_id": None, "topic": "credit.events.tax", "partition": 0, "offset": 0, "party": 0, "outcome": reason.fate,
        "reason_code": reason.code, "json_pointer": "", "fix_zh": reason.fix_zh, "fix_en": reason.fix_en,
        "retryable": reason.retryable,
    }  # fmt: skip
    assert validate("credit.outcome.v1", outcome) is None
    assert re.search(r"[\u4e00-\u9fff]", reason.fix_zh)
    assert reason.fix_en.isascii()
    assert reason.retryable is (reason.fate == PARKED)


def test_only_what_an_identity_settles_is_parked():
    parked = {reason.code for reason in REASONS.values() if reason.fate != DEAD_LETTERED}
    assert parked == {"identity_unresolved", "identifier_check_failed"}


@pytest.mark.parametrize("name", ["streamer/domain/decisions.py", "streamer/domain/dossier.py"])
def test_the_dossier_gives_no_other_reasons(name):
    used = re.findall(r'(?:refused\(|refuse\([^"]*)"([a-z_]+)"', (ROOT / name).read_text(encoding="utf-8"))
    assert used
    assert set(used) <= set(REASONS)
