"""Names of what ``tamis.text`` can cut a text into; free of compiled code, so that commands start fast."""

from __future__ import annotations

from typing import Final

from tamis.text.codepoints import load

VERSION: Final = 1
"""Of how units are cut and hashed; raise it when one of them changes."""

LINE, PARAGRAPH, SENTENCE, TOKEN = range(4)
"""Kinds of unit."""

FORMS: Final = ("ccnet", "exact")
"""Normal forms of lines and paragraphs; see ``units.unit_tables``."""


def identity() -> str:
    """Return what units and their hashes depend on besides the text."""
    return f"units {VERSION}, table {load('word').identity}"
