"""Write the code-point tables of the word view: ``python scripts/make_word_tables.py [--check]``.

``unicodedata`` differs between Python versions, so tables built at run time would give other tokens, and with them
other signatures, on another Python. They are made once, by the Python whose Unicode version ``UNICODE`` names, and
shipped. A change of any entry needs a new ``VERSION`` in ``tamis.text.codepoints``: signatures carry it.
"""

from __future__ import annotations

import argparse
import io
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamis.text.codepoints import BLOCK, CLASSES, NAMES, OWN, TABLES, VERSION, WORD, table_path

UNICODE = "14.0.0"
"""The Unicode version of Python 3.11, the oldest Python that tamis supports."""

HAN = (
    (0x3005, 0x3005),  # iteration mark
    (0x3007, 0x3007),  # ideographic zero
    (0x3021, 0x3029),  # Hangzhou numerals
    (0x3038, 0x303B),
    (0x3400, 0x4DBF),  # extension A
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0x20000, 0x2FFFD),  # extensions B to F and I; the whole plane is kept for ideographs
    (0x30000, 0x3FFFD),  # extensions G, H and J; likewise
)
KANA = (
    (0x3041, 0x3096),
    (0x309D, 0x309F),
    (0x30A1, 0x30FA),
    (0x30FC, 0x30FF),
    (0x31F0, 0x31FF),
    (0xFF66, 0xFF9F),  # half width
    (0x1AFF0, 0x1AFFF),
    (0x1B000, 0x1B16F),
)
VARIATION_SELECTORS = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
"""Marks by category, but only a choice of glyph: as word characters they would make a word of every emoji."""


def inside(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    """Tell whether a code point lies in one of the inclusive ranges."""
    return any(low <= code <= high for low, high in ranges)


def is_kana(code: int) -> bool:
    """Tell whether a code point is a kana letter; the blocks hold signs and gaps too."""
    return inside(code, KANA) and unicodedata.category(chr(code))[0] == "L"


def class_of(code: int) -> int:
    """Return the number of the character class of a code point, an index of ``CLASSES``."""
    char = chr(code)
    category = unicodedata.category(char)
    if char.isspace():
        name = "whitespace"
    elif inside(code, HAN):
        name = "han"
    elif is_kana(code):
        name = "kana"
    else:
        name = {"L": "letters", "M": "marks", "N": "digits", "P": "punctuation", "S": "symbols"}.get(
            category[0], "other"
        )
    return CLASSES.index(name)


def lowered(code: int) -> int:
    """Return what is added to a code point to get the first one of its lower case, in 21 bits."""
    return (ord(chr(code).lower()[0]) - code) % (1 << 21)


def word_entry(code: int) -> int:
    """Return the entry of the default table: letters, marks and numbers; Han and kana each a token by itself."""
    entry = class_of(code) << 21
    if inside(code, HAN) or is_kana(code):
        return entry | WORD | OWN
    if unicodedata.category(chr(code))[0] in "LMN" and not inside(code, VARIATION_SELECTORS):
        return entry | WORD | lowered(code)
    return entry


def regex_word_entry(code: int) -> int:
    r"""Return the entry of the table for ``\w`` of Python's ``re``: Han runs are not split."""
    entry = class_of(code) << 21
    return entry | WORD | lowered(code) if chr(code).isalnum() or code == 0x5F else entry


def char_entry(code: int) -> int:
    """Return the entry of the table for character shingles: everything but white space counts, case kept."""
    entry = class_of(code) << 21
    return entry if chr(code).isspace() else entry | WORD


ENTRIES: dict[str, Callable[[int], int]] = {"word": word_entry, "word-w": regex_word_entry, "word-char": char_entry}


def two_levels(entry_of: Callable[[int], int]) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Return the block number of every 256 code points, and the distinct blocks one after the other."""
    full = np.zeros(0x110000, np.uint32)
    for code in range(len(full)):
        # A surrogate is no character; UTF-8 text cannot hold one.
        full[code] = 0 if 0xD800 <= code <= 0xDFFF else entry_of(code)
    blocks = full.reshape(-1, BLOCK)
    numbers: dict[bytes, int] = {}
    index = np.array([numbers.setdefault(block.tobytes(), len(numbers)) for block in blocks], np.uint16)
    return index, np.frombuffer(b"".join(numbers), np.uint32)


def packed(name: str) -> bytes:
    """Return the file of one table; ``np.savez`` stores without compression or dates, so the bytes are always equal."""
    index, blocks = two_levels(ENTRIES[name])
    out = io.BytesIO()
    np.savez(out, name=np.array(name), version=np.array(VERSION), unicode=np.array(UNICODE), index=index, blocks=blocks)
    return out.getvalue()


def main() -> int:
    """Write the tables, or with --check tell whether those that are there are the ones this script makes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    if unicodedata.unidata_version != UNICODE:
        print(f"this Python has Unicode {unicodedata.unidata_version}; the tables need {UNICODE} (Python 3.11)")
        return 2
    TABLES.mkdir(exist_ok=True)
    stale: list[Path] = []
    for name in NAMES:
        path, content = table_path(name), packed(name)
        if check and not (path.exists() and path.read_bytes() == content):
            stale.append(path)
        if not check:
            path.write_bytes(content)
            print(f"{path.name}: {len(content)} bytes")
    for path in stale:
        print(f"{path.name} is not what this script makes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
