"""The C4 line rules over the lines of one document, compiled (datatrove 0.10.1, c4_filters.py: order and phrases)."""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.text.chunks import Chunks, scan, space_at
from tamis.text.layout import (
    BEGINS_COOKIES,
    BEGINS_IPSUM,
    BEGINS_POLICY,
    BEGINS_USE,
    C4_END,
    CITATION,
    CURLY,
    DOTS,
    DOTS_END,
    ENDS_COOKIE,
    ENDS_LOREM,
    ENDS_PRIVACY,
    ENDS_TERMS,
    ENDS_USE,
    ENDS_USES,
    EXIT_IN,
    EXIT_OUT,
    IS_OF,
    JAVASCRIPT,
    ND,
    SIZE,
    STARTS,
)

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_PARTS = np.uint64(0x1FFC00)  # every flag from ENDS_LOREM to BEGINS_COOKIES
_EDIT, _NEEDED = b"[edit]", b"[citation needed]"

# Switches, by place (tamis.text.en.C4Options).
LONG_WORD, CITATIONS, TERMINAL_PUNCT, MIN_WORDS, LOREM, SCRIPT, BRACKET, POLICY = range(8)
# Verdicts on a line.
KEPT, TOO_LONG, NO_TERMINAL, FEW_WORDS, IN_SCRIPT, IN_POLICY, BY_LOREM, BY_BRACKET = range(8)
# Facts of a line, by place.
FLAGS, LAST, WIDEST, SENTENCES, DONE, PHRASES = range(6)


class Cited(NamedTuple):
    """Room for a line whose citations were removed, and for the facts of a line."""

    chunks: Chunks
    line: NDArray[np.uint8]
    packed: NDArray[np.uint8]
    facts: NDArray[np.int64]


@njit(nogil=True, cache=True)
def facts(data: Any, ch: Any, first: int, last: int, table: Any, out: Any) -> None:
    """Gather what the rules ask of a line of chunks ``[first, last)``: flags, longest word, sentences, phrases.

    Sentences are spaCy's sentencizer's: white space other than one blank is a token and can begin one. Phrases: bit 0
    lorem ipsum, bit 1 a policy phrase.
    """
    flags = previous = of = done = np.uint64(0)
    widest = phrases = 0
    starts = 1
    for k in range(first, last):
        row = np.uint64(ch.ids[k])
        here = table.rows[row, DOTS] >> _HALF
        if k > first and not (ch.starts[k] - ch.ends[k - 1] == 1 and data[ch.ends[k - 1]] == 32):
            starts += np.int64(done)
            done = previous = of = np.uint64(0)
        if done:
            starts += np.int64(table.rows[row, STARTS] >> _HALF)
            done = np.uint64((here & np.uint64(EXIT_IN)) != 0)
        else:
            starts += np.int64(table.rows[row, STARTS] & _LOW)
            done = np.uint64((here & np.uint64(EXIT_OUT)) != 0)
        flags |= here
        widest = max(widest, np.int64(table.rows[row, SIZE] & _LOW))
        if (here | previous | of) & _PARTS:
            phrases |= _phrase(previous, of, here)
            of = previous if here & np.uint64(IS_OF) else np.uint64(0)
            previous = here & _PARTS
    out[FLAGS] = flags
    out[LAST] = table.rows[np.uint64(ch.ids[last - 1]), DOTS] >> _HALF if last > first else np.uint64(0)
    out[WIDEST] = widest
    out[SENTENCES] = starts if last > first else 0
    out[DONE] = done
    out[PHRASES] = phrases


@njit(nogil=True, cache=True)
def _phrase(previous: Any, of: Any, here: Any) -> int:
    """Tell which phrase ends with the chunk ``here``, from the flags of the one before and of the one before "of"."""
    if previous & np.uint64(ENDS_LOREM) and here & np.uint64(BEGINS_IPSUM):
        return 1
    policy = here & np.uint64(BEGINS_POLICY) and previous & np.uint64(ENDS_PRIVACY | ENDS_COOKIE)
    policy = policy or (here & np.uint64(BEGINS_COOKIES) and previous & np.uint64(ENDS_USES | ENDS_USE))
    policy = policy or (here & np.uint64(BEGINS_COOKIES) and of & np.uint64(ENDS_USE))
    policy = policy or (here & np.uint64(BEGINS_USE) and of & np.uint64(ENDS_TERMS))
    return 2 if policy else 0


@njit(nogil=True, cache=True)
def _citation_at(data: Any, i: int, end: int, t: Any) -> int:
    """Return the length of the citation at ``i``, 0 for none."""
    for word in (_EDIT, _NEEDED):
        if i + len(word) <= end:
            same = True
            for k in range(len(word)):
                same &= data[i + k] == word[k]
            if same:
                return len(word)
    j = i + 1
    while j < end:
        size = _digit_at(data, j, end, t)
        if size == 0:
            break
        j += size
    return j + 1 - i if j < end and data[j] == 93 else 0


@njit(nogil=True, cache=True)
def _digit_at(data: Any, i: int, end: int, t: Any) -> int:
    """Return the length in bytes of the decimal digit at ``i`` (of any script), 0 for none."""
    byte = np.uint32(data[i])
    if byte < 0x80:
        return 1 if 48 <= byte <= 57 else 0
    size = 2 if byte < 0xE0 else (3 if byte < 0xF0 else 4)
    if byte < 0xC0 or i + size > end:
        return 0
    code = byte & np.uint32(0xFF >> (size + 1))
    for k in range(1, size):
        code = np.uint32(code << np.uint32(6)) | (np.uint32(data[i + k]) & np.uint32(0x3F))
    return size if code < 0x110000 and t.blocks[t.block_index[code >> np.uint32(8)], code & np.uint32(255)] & ND else 0


@njit(nogil=True, cache=True)
def _without_citations(data: Any, start: int, end: int, t: Any, out: Any) -> int:
    """Copy a line without its citations; return the length."""
    n = 0
    i = start
    while i < end:
        size = _citation_at(data, i, end, t) if data[i] == 91 else 0
        if size:
            i += size
        else:
            out[n] = data[i]
            n += 1
            i += 1
    return n


@njit(nogil=True, cache=True)
def _edges(data: Any, end: int, ch: Any, n: int, f: Any) -> bool:
    """Correct the sentences for white space at the end of a line that is not stripped again; tell whether there is any.

    A line of nothing but white space is one sentence for spaCy; a single blank at the end is no token.
    """
    if n == 0:
        f[SENTENCES] = 1 if end > 0 else 0
        return True
    tail = end - ch.ends[n - 1]
    if f[DONE] and tail > 0 and not (tail == 1 and data[end - 1] == 32):
        f[SENTENCES] += 1
    return bool(tail > 0)


@njit(nogil=True, cache=True)
def _verdict(f: Any, blank_end: bool, n_words: int, options: Any) -> int:
    """Apply the rules that follow the removal of citations, in their order."""
    last = np.int64(f[LAST])
    if options[TERMINAL_PUNCT] and (blank_end or not last & C4_END or last & DOTS_END):
        return NO_TERMINAL
    if n_words < options[MIN_WORDS]:
        return FEW_WORDS
    if options[LOREM] and f[PHRASES] & 1:
        return BY_LOREM
    if options[SCRIPT] and np.int64(f[FLAGS]) & JAVASCRIPT:
        return IN_SCRIPT
    if options[BRACKET] and np.int64(f[FLAGS]) & CURLY:
        return BY_BRACKET
    if options[POLICY] and f[PHRASES] & 2:
        return IN_POLICY
    return KEPT


@njit(nogil=True, cache=True)
def _strip(text: Any, n: int) -> int:
    """Take white space off both ends of the ``n`` bytes of a text, in place; return its new length."""
    first = np.int64(0)  # not a literal, for which numba would compile space_at once more
    size = 1
    while first < n and size:
        size = space_at(text, first, n)
        first += size
    size = 1
    while n > first and size:
        size = 0
        for width in range(1, 4):
            if width <= n - first and space_at(text, n - width, n) == width:
                size = width
        n -= size
    if first:
        for i in range(n - first):
            text[i] = text[first + i]
    return n - first


@njit(nogil=True, cache=True)
def c4_lines(  # long: the loop of the original, step by step  # noqa: PLR0913
    data: Any, ch: Any, lines: int, line_ends: Any, t: Any, table: Any, s: Any, cited: Any, o: Any, c: Any, text: Any
) -> int:
    """Judge the lines of a document: counts by verdict into ``c[0:8]``, sentences into ``c[8]``.

    ``cited`` is room for a line whose citations were removed. Kept lines are written to ``text``, joined by newlines,
    unless it is empty; returns the length written.
    """
    again, rest, spare, f = cited.chunks, cited.line, cited.packed, cited.facts
    c[:9] = 0
    written = 0
    first = 0
    dropped = False
    for j in range(lines):
        last = line_ends[j]
        facts(data, ch, first, last, table, f)
        n_words = last - first
        start = ch.starts[first] if n_words else 0
        end = ch.ends[last - 1] if n_words else 0
        first = last
        if o[LONG_WORD] != -1 and f[WIDEST] > o[LONG_WORD]:
            c[TOO_LONG] += 1
            continue
        source = data
        blank_end = False
        if o[CITATIONS] and np.int64(f[FLAGS]) & CITATION:
            end = _without_citations(data, start, end, t, rest)
            start = 0
            m, _ = scan(rest, np.int64(0), np.int64(end), t, table, s, again, spare)
            facts(rest, again, 0, m, table, f)
            source = rest
            blank_end = _edges(rest, end, again, m, f)
        verdict = _verdict(f, blank_end, n_words, o)
        if dropped and verdict >= BY_LOREM:
            continue
        c[verdict] += 1
        if verdict >= BY_LOREM:
            dropped = True
        if verdict != KEPT:
            continue
        c[8] += f[SENTENCES]
        if len(text):
            if c[KEPT] > 1:
                text[written] = 10
                written += 1
            text[written : written + end - start] = source[start:end]
            written += end - start
    return _strip(text, written)
