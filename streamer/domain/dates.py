"""Days and instants as the domain counts them: ordinals of Beijing dates (北京时间), append times in milliseconds.

Not for: reading a clock. Nothing here knows what time it is.
"""

from __future__ import annotations

from datetime import MAXYEAR, UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

BEIJING: Final = timezone(timedelta(hours=8), "Beijing")
NEVER: Final = 0  # "no date" among ordinals
LAST_MS: Final = 253_402_300_799_999  # of the year 9999


@lru_cache(maxsize=8192)
def day(text: str | None) -> int:
    """``YYYY-MM-DD`` → ordinal day; NEVER for None. Raises ValueError on an impossible date."""
    return NEVER if text is None else date.fromisoformat(text).toordinal()


@lru_cache(maxsize=8192)
def iso(ordinal: int) -> str | None:
    """Ordinal day → ``YYYY-MM-DD``; None for NEVER."""
    return None if ordinal == NEVER else date.fromordinal(ordinal).isoformat()


def years_later(ordinal: int, years: int) -> int:
    """The last day of a term of ``years`` that begins on ``ordinal`` (29 February counts as 28 where there is none); at the
    latest the calendar's last day."""
    start = date.fromordinal(ordinal)
    if start.year + years > MAXYEAR:
        return date.max.toordinal()
    try:
        end = start.replace(year=start.year + years)
    except ValueError:
        end = start.replace(year=start.year + years, day=28)
        return end.toordinal()
    return end.toordinal() - 1


def append_day(append_ms: int) -> int:
    """The Beijing date of an append time."""
    return datetime.fromtimestamp(append_ms / 1000, BEIJING).date().toordinal()


@lru_cache(maxsize=256)  # the broker gives a whole batch one append time
def append_time(append_ms: int) -> str:
    """A message's time as RFC 3339 with milliseconds, UTC; from 1970 to 9999, since an inbound one is what its sender says."""
    seconds, ms = divmod(min(max(append_ms, 0), LAST_MS), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{ms:03}Z"


def midnight(ordinal: int) -> str:
    """The first instant of a Beijing date as RFC 3339."""
    return f"{date.fromordinal(ordinal).isoformat()}T00:00:00+08:00"
