"""Sentences of English and Chinese text, found by a compiled walk over its tokens and the signs between them."""

from __future__ import annotations

import numba
import numpy as np

from tamis.text.codepoints import BLOCK
from tamis.text.units import CODE, S0, S1, SPACE, ZERO, add_hash, next_token
from tamis.text.words import decode, entry_of, mix


@numba.njit(nogil=True, cache=True)
def next_sentence(data, i, end, tables):  # type: ignore[no-untyped-def]
    """Find the next sentence: the next run of tokens up to a line end or a sentence mark, with its signs.

    ``。！？…`` and their kin end a sentence; ``.!?`` only before white space or the end, and not before a small letter.
    A full stop does not after an initial, a title, an abbreviation before a number, or a number that is the only token.
    Signs and quotation marks right behind belong to it. Hashed by its tokens alone.
    """
    text = i  # nothing before is looked at: it may be another text
    first, stop, value = next_token(data, i, end, tables.points)
    if first < 0:
        return first, end, end, ZERO, ZERO, np.int64(0)
    start = i
    while i < first:
        code, size = decode(data, i, end)
        blank = code < 0 or (tables.blocks[np.int64(tables.block[code >> 8]) * BLOCK + (code & 255)]) >= SPACE
        if code == 10 or (blank and i == start):
            start = i + size
        i += size
    s0, s1 = S0, S1
    tokens = np.int64(0)
    while True:
        s0, s1 = add_hash(s0, s1, value)
        tokens += 1
        after, after_stop, after_value = next_token(data, stop, end, tables.points)
        word = (first, stop, value, tokens, after, _same_line(data, stop, after), text)
        at, go_on = _sentence_end(data, word, end, tables)
        if go_on >= 0 or after < 0:
            return start, at, go_on if go_on >= 0 else end, mix(s0), mix(s1), tokens
        first, stop, value = after, after_stop, after_value


@numba.njit(nogil=True, cache=True)
def _sentence_end(data, word, end, tables):  # type: ignore[no-untyped-def]  # noqa: C901
    """Look for the end of a sentence in the signs behind a token.

    Returns where the sentence ends, and where to go on (-1: it does not end here).
    """
    stop, after = word[1], word[4]
    limit = after if after >= 0 else end
    i = solid = stop
    while i < limit:
        code, size = decode(data, i, limit)
        if code == 10:
            return solid, i + size
        mark = _mark(code)
        if mark == 0:
            entry = np.uint32(0)
            if code >= 0:
                entry = tables.blocks[np.int64(tables.block[code >> 8]) * BLOCK + (code & 255)]
            i += size
            if entry < SPACE:
                solid = i
            continue
        begin = i
        strong = False
        marks = 0
        while i < limit:
            code, size = decode(data, i, limit)
            mark = _mark(code)
            if mark == 0 and not _closing(code):
                break
            marks += mark > 0
            strong |= mark == 2
            i += size
        solid = i
        if strong:
            return i, i
        spaced = i >= end
        if not spaced:
            code, size = decode(data, i, end)
            spaced = code == 32 or (code >= 9 and code < 14) or code == 0xA0 or code == 0x3000
        if not spaced or (word[5] and _small(data, after, end, tables.points)):
            continue
        if marks == 1 and data[begin] == 46 and _abbreviation(data, word, tables):
            continue
        return i, i
    return solid, np.int64(-1)


@numba.njit(nogil=True, cache=True)
def _same_line(data, stop, after):  # type: ignore[no-untyped-def]
    """Tell whether there is a next token, with no line end before it."""
    for i in range(stop, after):
        if data[i] == 10:
            return False
    return after >= 0


@numba.njit(nogil=True, cache=True)
def _mark(code):  # type: ignore[no-untyped-def]
    """Return 1 for a mark that ends a sentence before white space, 2 for one that always does, else 0."""
    if code == 46 or code == 33 or code == 63 or code == 0xFF0E:
        return 1
    strong = code == 0x3002 or code == 0xFF01 or code == 0xFF1F or code == 0xFF61 or code == 0x2026 or code == 0x2025
    return 2 if strong else 0


@numba.njit(nogil=True, cache=True)
def _closing(code):  # type: ignore[no-untyped-def]
    """Tell whether a character closes a quotation or a bracket."""
    if code < 128:
        return code == 34 or code == 39 or code == 41 or code == 93
    if code == 0x201D or code == 0x2019 or code == 0xFF09:
        return True
    return code == 0x300D or code == 0x300F or code == 0x3011 or code == 0x300B or code == 0x3009 or code == 0x3015


@numba.njit(nogil=True, cache=True)
def _small(data, at, end, points):  # type: ignore[no-untyped-def]
    """Tell whether a small letter of Latin, Greek or Cyrillic is at ``at``."""
    code, _ = decode(data, at, end)
    if code < 128:
        return code >= 97 and code < 123
    entry = entry_of(code, points)
    return code >= 0xDF and code < 0x530 and entry & CODE == 0 and (entry >> 21) & 15 == 1


@numba.njit(nogil=True, cache=True)
def _abbreviation(data, word, tables):  # type: ignore[no-untyped-def]
    """Tell whether the full stop behind a token belongs to the token."""
    first, stop, value, tokens, after, together, text = word
    last = data[stop - 1]
    if stop - first == 1 and last < 128:
        initial = last >= 65 and last < 91 and last != 73  # "I." may end a sentence
        letter = (last | 32) >= 97 and (last | 32) < 123
        if initial or (letter and first > text and data[first - 1] == 46):
            return True
    if tokens == 1 and data[first] >= 48 and data[first] < 58 and last >= 48 and last < 58:
        return True
    for title in tables.titles:
        if title == value:
            return True
    if together and data[after] >= 48 and data[after] < 58:
        for name in tables.numbered:
            if name == value:
                return True
    return False
