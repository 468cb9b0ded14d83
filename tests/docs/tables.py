"""Tables of the documentation that are the code's own: reasons and limits. ``python -m tests.docs.tables`` writes them anew.

Not for: prose. ``test_docs`` fails when a table is not what this makes of the code.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Final

from streamer import publish
from streamer.agents import admission
from streamer.domain import books, counters, criteria, decisions, personal
from streamer.domain.reasons import REASONS
from streamer.domain.state import EVENT_MEMORY_DAYS
from topics.catalog import EVENTS
from topics.settings import EVENT_MAX_BYTES

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "departments.md"
_BLOCK: Final = r"(<!-- table: {} -->\n).*?(<!-- end -->)"
DAY_MS: Final = 24 * 3600 * 1000


def reasons() -> str:
    """One row a reason: what becomes of the item, what to do in both languages."""
    lines = ["| Code | The item is | Sent again | What to do |", "|---|---|---|---|"]
    lines += [
        f"| `{row.code}` | {row.fate} | {'may succeed' if row.retryable else 'no'} | {_prose(row.fix_en)}<br>{_prose(row.fix_zh)} |"
        for row in REASONS.values()
    ]
    return "\n".join(lines) + "\n"


def _prose(text: str) -> str:
    """``text`` for a cell: angle brackets are no tags there."""
    return html.escape(text, quote=False)


def limits() -> str:
    """One row a limit, with the name that it has in the code."""
    oldest_ms = EVENTS.settings.oldest_ms or 0
    rows = [
        ("event_max_bytes", f"{EVENT_MAX_BYTES:,} bytes", "one message, value and headers", "`oversized`"),
        ("MAX_PARTIES", f"{admission.MAX_PARTIES}", "parties of an event", "`too_many_parties`"),
        (
            "MAX_BYTES_TIMES_PARTIES",
            f"{admission.MAX_BYTES_TIMES_PARTIES:,}",
            "its bytes times its parties",
            "`oversized`",
        ),
        ("oldest_ms", f"{oldest_ms // DAY_MS} days", "age of a message's timestamp", "refused by the broker"),
        (
            "MAX_NAME_LENGTH",
            f"{personal.MAX_NAME_LENGTH} characters",
            "a name or number in the clear",
            "sealed, or refused",
        ),
        (
            "EVENT_MEMORY_DAYS",
            f"{EVENT_MEMORY_DAYS} days",
            "how long an event's id is known",
            "an older copy meets its fact",
        ),
        (
            "MAX_OPEN_ENTRIES",
            f"{decisions.MAX_OPEN_ENTRIES}",
            "entries of one entity, in force or to come",
            "`too_many_open_entries`",
        ),
        ("MAX_AWAITED", f"{decisions.MAX_AWAITED}", "ends that wait for one event", "`too_many_open_entries`"),
        ("MAX_WITNESSES", f"{decisions.MAX_WITNESSES}", "sources named with a decision", "counted as duplicates"),
        ("MAX_EVIDENCE", f"{counters.MAX_EVIDENCE}", "decisions named by a criterion's notice", "the newest are"),
        (
            "MAX_INBOUND",
            f"{books.MAX_INBOUND:,}",
            "inbound partitions that feed one of the records",
            "the dossier ends (70)",
        ),
        ("TEXT_MAX", f"{criteria.TEXT_MAX:,} characters", "an expression of the rulebook", "the row is wrong"),
        ("IN_FLIGHT_MAX", f"{publish.IN_FLIGHT_MAX:,}", "unacknowledged messages of `streamer publish`", "it waits"),
        ("BAD_LINES_MAX", f"{publish.BAD_LINES_MAX}", "bad lines that it names", "the others are counted"),
    ]
    lines = ["| Limit | Value | Of | Beyond it |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {value} | {what} | {beyond} |" for name, value, what, beyond in rows]
    return "\n".join(lines) + "\n"


TABLES: Final = {"reasons": reasons, "limits": limits}


def filled(text: str) -> str:
    """``text`` with every table as the code has it now."""
    for name, make in TABLES.items():
        pattern = re.compile(_BLOCK.format(name), re.DOTALL)
        table = make()
        text = pattern.sub(lambda found, table=table: found[1] + table + found[2], text)
    return text


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
