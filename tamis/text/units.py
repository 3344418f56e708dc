"""Units of a text, found one after the other: lines, paragraphs, sentences, tokens, each with bounds and a hash.

A unit is found from the byte where the last one ended, so a text of any size is walked without scratch, and every
pass over a text finds the same units. What is no unit (line ends, blank lines, signs between tokens) lies between them.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.codepoints import BLOCK, CLASSES, OWN, WORD, Arrays, load, splitmix64
from tamis.text.spacy_tables import lists
from tamis.text.words import char_hash, decode, entry_of, mix, word_tokens

CCNET_REMOVED: Final = "，。、„”“«»」「《》´∶：？！（）；–—．～’…━〈〉【】％►"
"""Signs that cc_net takes out before hashing (``UNICODE_PUNCT`` of its text_normalizer; ASCII signs stay), besides
U+0000-U+001F and U+007F-U+009F."""

# Titles are no end of a sentence; the others are none before a number.
ABBREVIATIONS: Final = "mr mrs ms dr prof st sr jr gen rep sen gov capt lt col sgt rev hon mt vs messrs mme cf"
BEFORE_NUMBERS: Final = "no nos fig figs eq eqs sec secs vol vols pp p ch art approx ca"

_WHITESPACE: Final = np.uint32(CLASSES.index("whitespace"))
_K0, _K1 = np.uint64(0xD6E8FEB86659FD93), np.uint64(0x9E3779B97F4A7C15)
S0, S1 = np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344)
ZERO = np.uint64(0)
_SHIFT5, _SHIFT59, _SHIFT32 = np.uint64(5), np.uint64(59), np.uint64(32)
_SHIFT27, _SHIFT37 = np.uint64(27), np.uint64(37)
SPACE, GONE = np.uint32(1 << 31), np.uint32(1 << 30)
CODE = np.uint32(0x1FFFFF)


class Tables(NamedTuple):
    """What the kernels look up, as one argument."""

    points: Arrays
    ascii: NDArray[np.uint64]
    """Shape (128,): hash of each ASCII character in the normal form, 0 where it has none."""
    block: NDArray[np.uint16]
    blocks: NDArray[np.uint32]
    """Two levels as in ``codepoints``: what to add for the normal form; bit 30 none, bit 31 white space."""
    titles: NDArray[np.uint64]
    """Token hashes of ``ABBREVIATIONS``."""
    numbered: NDArray[np.uint64]


@cache
def unit_tables(form: str = "ccnet") -> Tables:
    """Return the tables of one of ``kinds.FORMS``; made once per process.

    ``ccnet``: lower case (first code point of it), every decimal digit 0, the signs of ``CCNET_REMOVED`` and control
    characters taken out. ``exact``: every character as it is.
    """
    points = load("word")
    codes = np.arange(0x110000, dtype=np.uint32)
    entries = points.arrays.blocks[points.arrays.block[codes >> 8].astype(np.int64) * BLOCK + (codes & 255)]
    table = np.zeros(len(codes), np.uint32)
    if form == "ccnet":
        table = entries & CODE
        digits = _decimal_digits()
        table[digits] = (ord("0") - digits) & int(CODE)
        table[[ord(sign) for sign in CCNET_REMOVED]] = GONE
        table[:32] = GONE
        table[127:160] = GONE
    table[(entries >> 21) & 15 == _WHITESPACE] |= SPACE
    index, blocks = _blocks(table)
    values = (codes + table)[:128] & CODE
    hashes = np.where(table[:128] & GONE, np.uint64(0), splitmix64(values.astype(np.uint64)))
    return Tables(
        points.arrays,
        hashes,
        index,
        blocks,
        _token_hashes(ABBREVIATIONS),
        _token_hashes(BEFORE_NUMBERS),
    )


def _decimal_digits() -> NDArray[np.int64]:
    r"""Return the code points of category Nd, ``\d`` of Python's ``re``, from the shipped table."""
    from tamis.text.layout import ND

    found = lists()
    codes = np.arange(0x110000, dtype=np.int64)
    classes = found.blocks.ravel()[found.block_index[codes >> 8].astype(np.int64) * BLOCK + (codes & 255)]
    return np.flatnonzero(classes & ND)


def _blocks(table: NDArray[np.uint32]) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """Return the number of the block of every 256 code points, and the blocks, each once."""
    distinct: dict[bytes, int] = {}
    parts = [table[start : start + BLOCK].tobytes() for start in range(0, len(table), BLOCK)]
    index = [distinct.setdefault(part, len(distinct)) for part in parts]
    return np.array(index, np.uint16), np.frombuffer(b"".join(distinct), np.uint32).copy()


def _token_hashes(words: str) -> NDArray[np.uint64]:
    return np.sort(word_tokens(TextBatch(pa.array([words]))).token_hash)


@numba.njit(nogil=True, cache=True)
def add_hash(s0, s1, value):  # type: ignore[no-untyped-def]
    """Return the two running hashes after one more value."""
    s0 = (s0 ^ value) * _K0
    s1 = (s1 + value) * _K1
    return s0 ^ (s0 >> _SHIFT32), (s1 << _SHIFT27) | (s1 >> _SHIFT37)


@numba.njit(nogil=True, cache=True)
def next_token(data, i, end, points):  # type: ignore[no-untyped-def]  # noqa: C901
    """Return first byte (-1 for none), last + 1 and hash of the next token of the word view; equals ``word_tokens``."""
    while i < end:
        if data[i] < 128:
            if points.ascii[data[i]] != ZERO:
                break
            i += 1
            continue
        code, size = decode(data, i, end)
        entry = entry_of(code, points)
        if entry & OWN:
            return i, i + size, mix(char_hash(code, entry))
        if entry & WORD:
            break
        i += size
    start = i
    state = ZERO
    while i < end:
        if data[i] < 128:
            value = points.ascii[data[i]]
            if value == ZERO:
                break
            state = (state << _SHIFT5 | state >> _SHIFT59) + value
            i += 1
            continue
        code, size = decode(data, i, end)
        entry = entry_of(code, points)
        if entry & OWN or not entry & WORD:
            break
        state = (state << _SHIFT5 | state >> _SHIFT59) + char_hash(code, entry)
        i += size
    if i == start:
        return np.int64(-1), end, ZERO
    return start, i, mix(state)
