"""Dates as web metadata writes them, to ISO 8601 days."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2100
"""Outside these years a date is a placeholder or a mistake. A constant: the clock never decides."""

_YEAR_FIRST: Final = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)")
_COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:$|[T\s]?\d{4}(?:\d{2})?(?:$|[Z+-])|[T\s])")
_DAY_NAMED_MONTH: Final = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})(?:st|nd|rd|th)?[\s-]([A-Za-z]{3,9})\.?,?[\s-](\d{4})\b"
)
_NAMED_MONTH_DAY: Final = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?([A-Za-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b"
)
_ASCTIME: Final = re.compile(r"(?:[A-Za-z]{3})\s+([A-Za-z]{3})\s+(\d{1,2})\s+[\d:]+(?:\s+[A-Z+0-9:-]+)*\s+(\d{4})$")
_MONTH_NAMES: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTHS: Final = {
    **{name[:3]: number for number, name in enumerate(_MONTH_NAMES, start=1)},
    **{name: number for number, name in enumerate(_MONTH_NAMES, start=1)},
    "sept": 9,
}


def iso_date(value: str) -> str | None:
    """Return the day that a metadata value names, as ``YYYY-MM-DD``; None where it names none for certain.

    Read are ISO 8601 in its forms (also with ``/``, ``.`` or 年月日), RFC 2822, and English month names. The day is
    the one written, in the page's own time zone. ``03/04/2019`` could be two days, so it is none; so are months
    without a day, Unix epochs (the day 1970-01-01 stands for "unknown") and years outside 1900-2100.
    """
    text = value.strip()[:64]
    found = _YEAR_FIRST.match(text) or _COMPACT.match(text)
    if found:
        return _day(int(found[1]), int(found[2]), int(found[3]))
    found = _DAY_NAMED_MONTH.match(text)
    if found:
        return _day(int(found[3]), _MONTHS.get(found[2].lower(), 0), int(found[1]))
    found = _NAMED_MONTH_DAY.match(text) or _ASCTIME.match(text)
    if found:
        return _day(int(found[3]), _MONTHS.get(found[1].lower(), 0), int(found[2]))
    return None


def _day(year: int, month: int, day: int) -> str | None:
    """Return the ISO form of a day of the calendar."""
    if not FIRST_YEAR <= year <= LAST_YEAR or (year, month, day) == (1970, 1, 1):
        return None
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
