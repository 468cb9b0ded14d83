"""The collector's file that tests publish: the real one where CREDIT_SHARED_DATA names its folder, else one of the same shape."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import orjson

from streamer.demo import codes

REAL: Final = "tax_decisions_2026-07-26.jsonl"
# 16 decisions on treatment (处理), the last without a code, and 7 penalties (处罚); 3 have a date.
TREATMENTS, PENALTIES, DATED = 16, 7, 3


def real_or_made(folder: Path) -> Path:
    """The file, made in ``folder`` unless the real one is given."""
    given = os.environ.get("CREDIT_SHARED_DATA")
    return Path(given, REAL) if given else made(folder / REAL)


def made(path: Path) -> Path:
    """23 rows in the collector's own fields, of invented parties."""
    rows: list[dict[str, Any]] = []
    for number in range(TREATMENTS + PENALTIES):
        penalty = number < PENALTIES
        entity = codes.organisation(700_000 + number % TREATMENTS)
        rows.append(
            {
                "id": f"DOC-{number:04}",
                "issuingAuthority": "国家税务总局测试市税务局第一稽查局",
                "partyName": entity.name,
                "unifiedSocialCreditCode": entity.uscc,
                "documentType": "税务行政处罚决定书" if penalty else "税务处理决定书",
                "documentNumber": f"测税稽{'罚' if penalty else '处'}〔2026〕{number + 1}号",
                "recoveredTaxAmount": None,
                "fineAmount": 20000.0 if number == 0 else None,
                "confiscatedIncomeAmount": None,
                "decisionDate": "2026-01-22" if number < DATED else None,
                "officialUrl": "https://ceshi.example.org/140004.html",
                "pageStatus": "正常",
            }
        )
    rows[PENALTIES]["recoveredTaxAmount"] = 100063094.75
    rows[-1]["unifiedSocialCreditCode"] = None
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path
