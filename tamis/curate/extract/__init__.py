"""HTML to text: bytes of a page in, its main content and metadata out.

``extract`` works in this process; ``isolate.Isolated`` runs it where a hang or a crash costs one page only.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from tamis.curate.extract.charset import decode_with
from tamis.curate.extract.metadata import read_metadata
from tamis.curate.extract.record import FAILURES, Extracted, ExtractFailure, Scope
from tamis.curate.extract.tidy import tidy_text
from tamis.errors import MissingExtra, UsageError

__all__ = ["EXTRACTORS", "FAILURES", "ExtractFailure", "Extracted", "extract", "find_extractor", "signature"]

_VERSION: Final = 1
"""Raised when the same page gives another text than before."""


class Extractor(NamedTuple):
    """Where an extractor lives and what it needs installed."""

    module: str
    """Has ``main_text(page: str, url: str | None) -> (text, scope)``."""
    library: str
    extra: str | None = None


EXTRACTORS: Final = {
    "resiliparse": Extractor("tamis.curate.extract.by_resiliparse", "resiliparse"),
    "trafilatura": Extractor("tamis.curate.extract.by_trafilatura", "trafilatura", extra="trafilatura"),
}


def extract(
    html: bytes, url: str | None = None, charset: str | None = None, extractor: str = "resiliparse"
) -> Extracted:
    """Return the main content of a page and what it declares about itself.

    Args:
        html: The body as sent, transfer and content encodings undone. Any bytes will do: empty or binary input gives
            whatever text is in it, often none.
        url: Address of the page, for extractors that use it.
        charset: Charset the server declared; weighed against the bytes, see ``charset.decode``.
        extractor: A name of ``EXTRACTORS``.

    Raises:
        UsageError: There is no such extractor.
        MissingExtra: Its library is not installed.
    """
    main_text = _main_text(extractor)
    codec, page = decode_with(html, charset, html=True)
    text, scope = main_text(page, url)
    title, date, language_hint = read_metadata(page)
    return Extracted(tidy_text(text), title, date, language_hint, codec, scope)


def signature(extractor: str) -> dict[str, Any]:
    """Return what the text of a page depends on besides its bytes.

    Raises:
        UsageError: There is no such extractor.
        MissingExtra: Its library is not installed.
    """
    entry = find_extractor(extractor)
    return {"extractor": extractor, "version": _VERSION, entry.library: version(entry.library)}


def find_extractor(extractor: str) -> Extractor:
    """Return the table's entry of an extractor that exists and is installed.

    Raises:
        UsageError: There is no such extractor.
        MissingExtra: Its library is not installed.
    """
    entry = EXTRACTORS.get(extractor)
    if entry is None:
        raise UsageError(f"no extractor {extractor!r}; there are: {', '.join(EXTRACTORS)}")
    if entry.extra and importlib.util.find_spec(entry.library) is None:
        raise MissingExtra(f"the {extractor} extractor", entry.extra)
    return entry


@cache
def _main_text(extractor: str) -> Callable[[str, str | None], tuple[str, Scope]]:
    """Load an extractor's function once."""
    module = importlib.import_module(find_extractor(extractor).module)
    function: Callable[[str, str | None], tuple[str, Scope]] = module.main_text
    return function
