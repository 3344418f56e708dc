"""From a row of a table or a JSON object to a page: which field is the text, which ones have a column of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from tamis.curate.readers.reasons import no_page
from tamis.stage import NotPage, Page

TEXT_FIELDS: Final = ("text", "content")
"""Where the text is looked for if no field is named; the first that is there counts."""
OWN_COLUMNS: Final = ("url", "date", "language")


def text_name(names: Mapping[str, Any], text_field: str | None) -> str | None:
    """Return the name of the text field among these, or None."""
    wanted = (text_field,) if text_field else TEXT_FIELDS
    return next((name for name in wanted if name in names), None)


def page(position: int, row: dict[str, Any], text_field: str | None) -> Page | NotPage:
    """Make a page of a row; ``url``, ``date`` and ``language`` move to their columns, the rest to ``meta``.

    ``row`` is used up.
    """
    name = text_name(row, text_field)
    if name is None:
        wanted = text_field or " or ".join(TEXT_FIELDS)
        return no_page(position, "no_text_field", f"no {wanted} among {', '.join(map(str, row))}"[:200])
    text = row.pop(name)
    if not isinstance(text, str):
        return no_page(position, "no_text_field", f"{name} is {type(text).__name__}, not a string")
    own = {key: row.pop(key) for key in OWN_COLUMNS if isinstance(row.get(key), str | date | datetime)}
    url, when, language = (_as_text(own.get(key)) for key in OWN_COLUMNS)
    if not text.strip():
        return no_page(position, "empty_body", url=url, date=when)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return no_page(position, "not_utf8", f"lone surrogate at character {error.start}", url=url, date=when)
    meta = {key: value for key, value in row.items() if value is not None}
    return Page(position, text=text, url=url, date=when, language=language, meta=meta)


def _as_text(value: str | date | datetime | None) -> str | None:
    return value.isoformat() if isinstance(value, date | datetime) else value or None
