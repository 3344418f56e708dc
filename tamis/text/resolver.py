"""Chunk → spaCy's English tokens, compiled: affixes, special cases, URLs, infixes, special cases once more.

A restatement of the rules in spaCy 3.8 (MIT; tokenizer.pyx, lang/en/punctuation.py, lang/char_classes.py) on class
bits. A chunk is a run of characters without white space; its tokens depend on nothing else.
``tamis.text.en_tokens`` states the same rules in plain Python; tests compare the two, and both with spaCy.
"""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.text.layout import (
    ALPHA,
    BEFORE_STOP,
    DIGIT,
    HYPHEN,
    ICON,
    INFIX,
    LOWER_OR_QUOTE,
    PREFIX,
    SUFFIX,
    UNIT_END,
    UPPER,
    UPPER_OR_QUOTE,
)
from tamis.text.special_cases import hash_tokens, match_again, push_special, special
from tamis.text.url import is_url

_DOT, _PLUS, _DOLLAR, _DOTS = 46, 43, 36, 0x2026


class Scratch(NamedTuple):
    """Working arrays of the resolver, each as long as the longest chunk to come."""

    cp: NDArray[np.uint32]  # code points
    cl: NDArray[np.uint32]  # their class bits
    bo: NDArray[np.int64]  # their byte offsets; one more entry than characters
    ends: NDArray[np.int64]  # where tokens end, in characters
    other: NDArray[np.int64]  # suffixes, later the second list of token ends
    hashes: NDArray[np.uint64]  # of tokens
    marks: NDArray[np.int32]  # special case that begins at a token, or where one was found


def make_scratch(characters: int) -> Scratch:
    """Return arrays for chunks of up to so many characters."""
    n = characters + 2
    return Scratch(
        np.zeros(n, np.uint32),
        np.zeros(n, np.uint32),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint64),
        np.zeros(n, np.int32),
    )


@njit(nogil=True, cache=True)
def decode(data: Any, start: int, end: int, t: Any, s: Any) -> int:
    """Write code points, classes and byte offsets of ``data[start:end]`` to the scratch; return how many characters.

    Never reads beyond ``end``: a sequence cut short (bytes that are no UTF-8) counts with the bits it has.
    """
    n = 0
    i = start
    while i < end:
        byte = np.uint32(data[i])
        s.bo[n] = i - start
        more = 0
        if byte >= 0xC0:
            more = 1 if byte < 0xE0 else (2 if byte < 0xF0 else 3)
            byte &= np.uint32(0x1F if more == 1 else (0x0F if more == 2 else 0x07))
        i += 1
        while more and i < end and np.uint32(data[i]) & np.uint32(0xC0) == 0x80:
            byte = np.uint32(byte << np.uint32(6)) | (np.uint32(data[i]) & np.uint32(0x3F))
            i += 1
            more -= 1
        if byte > 0x10FFFF:
            byte = np.uint32(0xFFFD)
        s.cp[n] = byte
        s.cl[n] = t.blocks[t.block_index[byte >> np.uint32(8)], byte & np.uint32(255)]
        n += 1
    s.bo[n] = end - start
    return n


@njit(nogil=True, cache=True)
def prefix(s: Any, a: int, b: int) -> int:
    """Return the length of the prefix that ``[a, b)`` sheds."""
    c = s.cp[a]
    if s.cl[a] & PREFIX:
        return 1
    if c == _DOT:
        end = a
        while end < b and s.cp[end] == _DOT:
            end += 1
        return end - a if end - a > 1 else 0
    if c == _PLUS:
        return 0 if a + 1 < b and s.cl[a + 1] & DIGIT else 1
    if c == 85 and a + 2 < b and s.cp[a + 1] == 83 and s.cp[a + 2] == _DOLLAR:
        return 3
    if (c == 67 or c == 65) and a + 1 < b and s.cp[a + 1] == _DOLLAR:
        return 2
    return 0


@njit(nogil=True, cache=True)
def suffix(s: Any, t: Any, a: int, b: int) -> int:
    """Return the length of the longest suffix that ``[a, b)`` sheds."""
    if b <= a:
        return 0
    c = s.cp[b - 1]
    best = 0
    if s.cl[b - 1] & SUFFIX:
        best = 2 if c == _DOTS and b - 2 >= a and s.cp[b - 2] == _DOTS else 1
    elif c == _DOT:
        return _final_stop(s, a, b)
    elif b - 2 >= a:
        before = s.cp[b - 2]
        if (c == 115 or c == 83) and (before == 39 or before == 0x2019):
            best = 2
        elif c == _PLUS and s.cl[b - 2] & DIGIT:
            best = 1
    if s.cl[b - 1] & UNIT_END:
        best = max(best, _unit(s, t, a, b))
    return best


@njit(nogil=True, cache=True)
def _final_stop(s: Any, a: int, b: int) -> int:
    """Return how much of the dots at the end is a suffix."""
    first = b
    while first > a and s.cp[first - 1] == _DOT:
        first -= 1
    if b - first > 1:
        return b - first
    if first > a and s.cl[first - 1] & BEFORE_STOP:
        return 1
    if first - 1 > a:
        last, before = s.cp[first - 1], s.cp[first - 2]
        if s.cl[first - 1] & UPPER and s.cl[first - 2] & UPPER:
            return 1
        lower = last | np.uint32(32)
        if before == 0xB0 and (lower == 99 or lower == 102 or lower == 107) and last < 128:
            return 1
    return 0


@njit(nogil=True, cache=True)
def _unit(s: Any, t: Any, a: int, b: int) -> int:
    """Return the length of the unit or currency that follows a digit at the end, longest first."""
    width = t.units.shape[1]
    for k in range(len(t.unit_lengths)):
        size = t.unit_lengths[k]
        if b - size - 1 >= a and s.cl[b - size - 1] & DIGIT:
            same = True
            for j in range(size):
                same &= s.cp[b - 1 - j] == t.units[k, width - 1 - j]
            if same:
                return int(size)
    return 0


@njit(nogil=True, cache=True)
def _infix(s: Any, i: int, a: int, b: int) -> int:  # long: one rule a line, in the original's order  # noqa: C901
    """Return the length of the infix at ``i`` of ``[a, b)``, 0 for none."""
    c = s.cp[i]
    if c == _DOT and i + 1 < b and s.cp[i + 1] == _DOT:
        end = i
        while end < b and s.cp[end] == _DOT:
            end += 1
        return end - i
    if c == _DOTS or s.cl[i] & ICON:
        return 1
    if i == a or i + 1 >= b:
        return 0
    before, after = s.cl[i - 1], s.cl[i + 1]
    if (c == 43 or c == 45 or c == 42 or c == 94) and before & DIGIT and (after & DIGIT or s.cp[i + 1] == 45):
        return 1
    if c == _DOT:
        return 1 if before & LOWER_OR_QUOTE and after & UPPER_OR_QUOTE else 0
    if c == 44:
        return 1 if before & ALPHA and after & ALPHA else 0
    if not before & (ALPHA | DIGIT):
        return 0
    if s.cl[i] & HYPHEN:
        if after & ALPHA:
            return 1
        longest = 3 if c == 45 else (2 if c == 0x2014 else 1)
        for size in range(2, longest + 1):
            if s.cp[i + size - 1] != c or i + size >= b:
                return 0
            if s.cl[i + size] & ALPHA:
                return size
        return 0
    if (c == 58 or c == 60 or c == 61 or c == 62 or c == 47) and after & ALPHA:
        return 1
    return 0


@njit(nogil=True, cache=True)
def tokens(data: Any, start: int, n_chars: int, t: Any, s: Any) -> int:  # long: the original's loop  # noqa: C901
    """Write where the tokens of the decoded chunk end, and their hashes; return how many there are."""
    a, b = 0, n_chars
    n = n_suffixes = 0
    last = -1
    found = -1
    while a < b and b - a != last:
        found = special(data, start, s, t, a, b)
        if found >= 0:
            break
        last = b - a
        head = prefix(s, a, b)
        if head:
            found = special(data, start, s, t, a + head, b)
            if found >= 0:
                a += head
                s.ends[n] = a
                n += 1
                break
        tail = suffix(s, t, a + head, b)
        if tail:
            found = special(data, start, s, t, a, b - tail)
            s.other[n_suffixes] = b
            if found >= 0:
                b -= tail
                n_suffixes += 1
                break
        if head:
            a += head
            s.ends[n] = a
            n += 1
        if tail:
            b -= tail
            n_suffixes += 1
    if a < b:
        n = push_special(t, found, a, s.ends, n) if found >= 0 else _push_rest(s, a, b, n)
    while n_suffixes:
        n_suffixes -= 1
        s.ends[n] = s.other[n_suffixes]
        n += 1
    hash_tokens(data, start, s, n)
    return match_again(data, start, t, s, n) if n > 1 else n


@njit(nogil=True, cache=True)
def _push_rest(s: Any, a: int, b: int, n: int) -> int:
    """Append what is left between the affixes: one token, or pieces and infixes."""
    split = np.uint32(0)
    for i in range(a, b):
        split |= s.cl[i]
    if split & INFIX and not is_url(s.cp, s.cl, a, b):
        piece = i = a
        while i < b:
            size = _infix(s, i, a, b) if s.cl[i] & INFIX else 0
            if size and i > a:
                if i > piece:
                    s.ends[n] = i
                    n += 1
                piece = i + size
                s.ends[n] = piece
                n += 1
            i += max(size, 1)
        if piece == b:
            return n
    s.ends[n] = b
    return n + 1
