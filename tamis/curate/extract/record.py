"""What extraction gives for a page: its text and metadata, or the reason why there is none."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

EXTRACT_TIMEOUT: Final = "extract_timeout"
EXTRACT_CRASH: Final = "extract_crash"
EXTRACT_ERROR: Final = "extract_error"

FAILURES: Final = (EXTRACT_TIMEOUT, EXTRACT_CRASH, EXTRACT_ERROR)
"""Every reason an ``ExtractFailure`` may have."""

Scope = Literal["main", "whole"]


class Extracted(msgspec.Struct, frozen=True, tag="ok", array_like=True):
    """The text of a page and what the page says about itself."""

    text: str
    """Tidy: line ends are ``\\n``, no trailing blanks, at most two empty lines in a row, no NULs."""
    title: str | None = None
    date: str | None = None
    """Day of first publication as the page's own metadata gives it, ``YYYY-MM-DD``."""
    language_hint: str | None = None
    """``lang`` of the page, lower case. Often wrong: a hint, never a decision."""
    charset: str | None = None
    """Codec the bytes were read with."""
    scope: Scope = "main"
    """``whole`` where no main content was found, and the text of the whole page stands in for it."""


class ExtractFailure(msgspec.Struct, frozen=True, tag="failed", array_like=True):
    """A page that could not be extracted."""

    reason: str
    """One of ``FAILURES``."""
    detail: str | None = None
