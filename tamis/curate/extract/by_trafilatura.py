"""Main content by trafilatura: slower, higher precision; an extra."""

from __future__ import annotations

from functools import cache
from typing import Any

from tamis.curate.extract.record import Scope
from tamis.errors import MissingExtra


def main_text(page: str, url: str | None) -> tuple[str, Scope]:
    """Return the main content of a page as trafilatura sees it; the text is empty where it sees none.

    ``deduplicate`` stays off: it keeps a cache across pages, so that the text of a page would depend on the pages
    seen before it (https://github.com/adbar/trafilatura/issues/778). The language filter and all metadata reading
    are off as well.
    """
    try:
        from trafilatura import extract as trafilatura_extract
    except ImportError:
        raise MissingExtra("the trafilatura extractor", "trafilatura") from None
    text = trafilatura_extract(
        page,
        url=url,
        config=_config(),
        favor_precision=False,
        include_comments=False,
        include_tables=True,
        with_metadata=False,
        deduplicate=False,
    )
    return text or "", "main"


@cache
def _config() -> Any:
    """Return trafilatura's packaged settings, whatever settings file lies on this machine."""
    from trafilatura.settings import DEFAULT_CONFIG

    return DEFAULT_CONFIG
