"""The line walk: one loop over chunks and the white space between them, for quality, repetition and FineWeb lines.

It runs side by side lines as a split at newlines has them (one at a time, or runs of them), paragraphs (split at two
and more newlines of the stripped text), and lines as ``splitlines`` has them, and gathers the tokens for the n-grams.
Definitions: datatrove 0.10.1, gopher_quality_filter.py, gopher_repetition_filter.py, fineweb_quality_filter.py.
"""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.text.chunks import space_at
from tamis.text.hashing import finish
from tamis.text.layout import (
    ARENA,
    DOTS,
    LETTERS,
    MULTIPLIER,
    SEED,
    SIZE,
    STOP_SHIFT,
    TERMINAL_END,
    TOKEN,
    WORDS,
)

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_PARAGRAPH = np.uint64(0x13198A2E03707344)  # keeps a line and a paragraph of equal text apart in the set

# Counts of one document, by place in the array that ``walk`` fills.
N_TOKENS, N_WORDS, WORD_CHARS, N_LETTERS, N_HASHES, N_ELLIPSES, STOPS, N_CHARS = range(8)
N_NEWLINES, N_LINES, N_PARTS, PART_DUPS, PART_DUP_CHARS, N_PARAS, PARA_DUPS, PARA_DUP_CHARS = range(8, 16)
FW_LINES, FW_TERMINAL, FW_SHORT, FW_DUP_CHARS = range(16, 20)
COUNTS = 20


class Tokens(NamedTuple):
    """The tokens of one document: hashes, and characters | bytes before each (one more entry than tokens)."""

    hashes: NDArray[np.uint64]
    before: NDArray[np.uint64]


@njit(nogil=True, cache=True)
def add_key(keys: Any, mask: Any, key: Any) -> bool:
    """Put a hash into an open-addressing set; tell whether it was there."""
    if key == 0:
        key = np.uint64(1)
    at = key & mask
    while keys[at] != 0:
        if keys[at] == key:
            return True
        at = (at + np.uint64(1)) & mask
    keys[at] = key
    return False


@njit(nogil=True, cache=True)
def clear_keys(keys: Any, items: int) -> Any:
    """Empty the part of a set that so many items need; return its mask."""
    size = 4
    while size < 2 * items:
        size *= 2
    keys[:size] = 0
    return np.uint64(size - 1)


@njit(nogil=True, cache=True)
def _end_line(  # noqa: PLR0913
    keys: Any, mask: Any, state: Any, chars: int, content: bool, terminal: bool, c: Any, short: int
) -> None:
    """Count a line that ends at a newline or at the end of the text."""
    if chars == 0:
        return
    c[N_PARTS] += 1
    again = add_key(keys, mask, finish(state))
    if again:
        c[PART_DUPS] += 1
        c[PART_DUP_CHARS] += chars
    if content:
        c[FW_LINES] += 1
        c[FW_TERMINAL] += terminal
        c[FW_SHORT] += chars <= short
        if again:
            c[FW_DUP_CHARS] += chars


@njit(nogil=True, cache=True)
def _end_paragraph(keys: Any, mask: Any, state: Any, chars: int, c: Any) -> None:
    """Count a paragraph."""
    c[N_PARAS] += 1
    if add_key(keys, mask, finish(state ^ _PARAGRAPH)):
        c[PARA_DUPS] += 1
        c[PARA_DUP_CHARS] += chars


@njit(nogil=True, cache=True)
def is_break(data: Any, i: Any, size: int) -> bool:
    """Tell whether the white space of ``size`` bytes at ``i`` ends a line for ``str.splitlines``."""
    byte = data[i]
    if size == 1:
        return 10 <= byte <= 13 or 28 <= byte <= 30
    if size == 2:
        return data[i + 1] == 0x85
    return data[i + 1] == 0x80 and (data[i + 2] == 0xA8 or data[i + 2] == 0xA9)


@njit(nogil=True, cache=True)
def walk(  # long: four readings of a text side by side in one loop, on locals  # noqa: PLR0913, C901
    data: Any,
    start: int,
    end: int,
    ch: Any,
    n: int,
    table: Any,
    keys: Any,
    tok: Any,
    line_ends: Any,
    c: Any,
    short: int,
) -> None:
    """Fill the counts of one document.

    ``line_ends[j]`` becomes the number of chunks up to the end of ``splitlines`` line ``j``; ``keys`` is an empty set
    with room for every line and paragraph (``c[N_NEWLINES]`` is given).
    """
    rows, arena = table.rows, table.arena
    mask = clear_keys(keys, 2 * c[N_NEWLINES] + 4)
    words = letters = dots = stops = np.uint64(0)
    chars = lines = 0
    m = np.uint64(0)
    before = np.uint64(0)
    tok.before[0] = before
    line_state, line_chars, line_content, line_terminal = SEED, 0, False, False
    para_state, para_chars = SEED, 0
    pending = False
    at = np.uint64(start)
    for k in range(n + 1):
        stop = np.uint64(ch.starts[k]) if k < n else np.uint64(end)
        if stop - at == 1 and data[at] == 32 and k > 0:
            line_state = (line_state ^ np.uint64(32)) * MULTIPLIER
            para_state = (para_state ^ np.uint64(32)) * MULTIPLIER
            line_chars += 1
            para_chars += 1
            chars += 1
            line_terminal = False
            pending = True
        else:
            inner = 0 < k < n
            run = 0
            after_return = False
            while at < stop:
                byte = data[at]
                chars += 1
                if byte == 10:
                    _end_line(keys, mask, line_state, line_chars, line_content, line_terminal, c, short)
                    line_state, line_chars, line_content, line_terminal = SEED, 0, False, False
                    run += 1
                    if not after_return:
                        line_ends[lines] = k
                        lines += 1
                    after_return = pending = False
                    at += np.uint64(1)
                    continue
                if run > 1 and inner:
                    _end_paragraph(keys, mask, para_state, para_chars, c)
                    para_state, para_chars = SEED, 0
                elif run == 1:
                    para_state = (para_state ^ np.uint64(10)) * MULTIPLIER
                    para_chars += 1
                run = 0
                size = space_at(data, at, stop)
                pending = True
                after_return = byte == 13
                if is_break(data, at, size):
                    line_ends[lines] = k
                    lines += 1
                    pending = False
                for j in range(size):
                    line_state = (line_state ^ np.uint64(data[at + np.uint64(j)])) * MULTIPLIER
                    para_state = (para_state ^ np.uint64(data[at + np.uint64(j)])) * MULTIPLIER
                line_chars += 1
                para_chars += 1
                line_terminal = False
                at += np.uint64(size)
            if run > 1 and inner:
                _end_paragraph(keys, mask, para_state, para_chars, c)
                para_state, para_chars = SEED, 0
            elif run == 1:
                para_state = (para_state ^ np.uint64(10)) * MULTIPLIER
                para_chars += 1
        if k == n:
            break
        if k == 0:
            para_state, para_chars = SEED, 0
        row = np.uint64(ch.ids[k])
        size_word = rows[row, SIZE]
        dot_word = rows[row, DOTS]
        count = rows[row, ARENA] >> _HALF
        words += rows[row, WORDS]
        letters += rows[row, LETTERS]
        dots += dot_word & _LOW
        stops |= dot_word
        width = np.int64(size_word & _LOW)
        chars += width
        line_chars += width
        para_chars += width
        line_state = (line_state ^ ch.hashes[k]) * MULTIPLIER
        para_state = (para_state ^ ch.hashes[k]) * MULTIPLIER
        line_content = pending = True
        line_terminal = (dot_word >> _HALF) & np.uint64(TERMINAL_END) != 0
        if count == 1:
            tok.hashes[m] = rows[row, TOKEN]
            before += size_word
            m += np.uint64(1)
            tok.before[m] = before
        else:
            first = rows[row, ARENA] & _LOW
            for j in range(first, first + count):
                tok.hashes[m] = arena[j, 0]
                before += arena[j, 1]
                m += np.uint64(1)
                tok.before[m] = before
        at = np.uint64(ch.ends[k])
        if k == n - 1:
            _end_paragraph(keys, mask, para_state, para_chars, c)
    if pending:
        line_ends[lines] = n
        lines += 1
    _end_line(keys, mask, line_state, line_chars, line_content, line_terminal, c, short)
    c[N_TOKENS] = m
    c[N_WORDS] = words & _LOW
    c[WORD_CHARS] = words >> _HALF
    c[N_LETTERS] = letters & _LOW
    c[N_HASHES] = letters >> _HALF
    c[N_ELLIPSES] = dots
    c[STOPS] = stops >> np.uint64(32 + STOP_SHIFT)
    c[N_CHARS] = chars
    c[N_LINES] = lines
    if end > start:
        opens, closes = data[start] == 10, data[end - 1] == 10
        c[N_PARTS] += opens + closes
        c[PART_DUPS] += opens and closes
        if n == 0:
            c[N_PARAS] = 1
