"""Final form of extracted text."""

from __future__ import annotations

import re
from typing import Final

_EMPTY_LINES: Final = re.compile(r"\n{4,}")
_CONTROL_BYTES: Final = bytes([*range(9), *range(14, 32), 127])
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def tidy_text(text: str) -> str:
    r"""Return text with ``\n`` line ends, no trailing blanks, at most two empty lines together, no control characters.

    Characters are not normalised otherwise (no NFC, no folding of full-width forms): that is a decision for a later
    stage, which can be seen and undone.
    """
    raw = text.encode("utf-8", "surrogatepass")
    clean = raw.translate(None, _CONTROL_BYTES)  # several times as fast as a search for them
    if len(clean) != len(raw):
        text = clean.decode("utf-8", "surrogatepass")
    text = "\n".join([line.rstrip() for line in text.splitlines()]).strip("\n")
    return _EMPTY_LINES.sub("\n\n\n", text) if "\n\n\n\n" in text else text


def tidy_line(text: str) -> str | None:
    """Return text as one line with single spaces; None where nothing is left."""
    return " ".join(_CONTROLS.sub("", text).split()) or None
