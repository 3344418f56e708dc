"""Code-point tables of the word view: which characters make words, what they fold to, what class they are of.

Two levels: ``block[code >> 8]`` is the number of a block of 256 entries (a uint32 each); equal blocks are stored once.
An entry holds, from the low end: 21 bits to add to the code point for its lower case (first code point only; the
context rules of ``str.lower``, final sigma and dotted I, are not reproduced), 4 bits of character class (a position in
``CLASSES``), bit 30 "part of a word", bit 31 "a token by itself". Made by ``scripts/make_word_tables.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

TABLES: Final = Path(__file__).with_name("tables")
VERSION: Final = 1
"""Part of every signature's identity: tables of two versions give signatures that must not be compared."""

BLOCK: Final = 256
WORD: Final = 1 << 30
OWN: Final = 1 << 31
CLASSES: Final = ("other", "letters", "marks", "han", "kana", "digits", "punctuation", "symbols", "whitespace")
"""Disjoint: Unicode L, M, N ("digits": all numbers), P, S less Han and kana; what ``str.isspace`` accepts."""

NAMES: Final = ("word", "word-w", "word-char")
r"""``word``: letters, marks, numbers, with Han and kana character by character. ``word-w``: ``\w`` of Python's ``re``.
``word-char``: everything but white space, case kept; for character shingles."""


class Arrays(NamedTuple):
    """What kernels take of a table, as one argument."""

    ascii: NDArray[np.uint64]
    """Shape (128,): hash of each folded ASCII character, 0 where it is no part of a word."""
    block: NDArray[np.uint16]
    """Shape (4352,): the number of the block of every 256 code points."""
    blocks: NDArray[np.uint32]
    """Shape (distinct blocks x 256,)."""


@dataclass(frozen=True, slots=True, eq=False)
class CodePoints:
    """One table."""

    name: str
    version: int
    unicode: str
    arrays: Arrays

    @property
    def identity(self) -> str:
        """Name, version and Unicode version: tokens are equal exactly where this is."""
        return f"{self.name}/{self.version} (Unicode {self.unicode})"

    def entry(self, code: int) -> int:
        """Return the entry of one code point."""
        return int(self.arrays.blocks[int(self.arrays.block[code >> 8]) * BLOCK + (code & 255)])

    def folded(self, code: int) -> int:
        """Return what a code point counts as: the first code point of its lower case, or itself."""
        return (code + self.entry(code)) & 0x1FFFFF


def table_path(name: str) -> Path:
    """Return where the table of this name lies."""
    return TABLES / f"{name}-{VERSION}.npz"


@cache
def load(name: str) -> CodePoints:
    """Return one of ``NAMES``; read once per process."""
    with np.load(table_path(name), allow_pickle=False) as stored:
        found = (str(stored["name"]), int(stored["version"]))
        if found != (name, VERSION):
            raise RuntimeError(f"{table_path(name).name} holds table {found}, expected {(name, VERSION)}")
        index, blocks, unicode = stored["index"], stored["blocks"], str(stored["unicode"])
    codes = np.arange(128, dtype=np.uint32)
    entries = blocks[index[0] * np.uint32(BLOCK) + codes]
    folded = (codes + entries) & np.uint32(0x1FFFFF)
    ascii_hashes = np.where(entries & np.uint32(WORD), splitmix64(folded.astype(np.uint64)), np.uint64(0))
    return CodePoints(name, VERSION, unicode, Arrays(ascii_hashes, index, blocks))


def splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the splitmix64 output for each state (Steele, Lea and Flood, 2014); never 0 for a code point."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
