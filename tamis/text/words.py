r"""The word view: runs of Unicode letters, marks and numbers; every Han or kana character a token by itself.

Right for English and Chinese alike, and the view that shingles, near-duplicates and the report count in. Which
characters make words is a shipped table (``tamis.text.codepoints``), so tokens are the same on every Python.
A byte that is no valid UTF-8 separates words and is of class "other".
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.codepoints import BLOCK, CLASSES, OWN, WORD, load
from tamis.text.hashing import load8

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

_SHIFT5, _SHIFT59 = np.uint64(5), np.uint64(59)
_ZERO = np.uint64(0)
_OTHER = CLASSES.index("other")
_HAN = CLASSES.index("han")
_RANGES = 4
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


class WordView(NamedTuple):
    """The tokens of a batch, document after document."""

    token_hash: NDArray[np.uint64]
    """Hash of the case-folded token; equal for equal tokens, independent of batch and run."""
    doc_offsets: Ints
    """Shape (n + 1,): the tokens of document ``i`` are ``doc_offsets[i]:doc_offsets[i + 1]``."""
    token_chars: NDArray[np.int32]
    """Code points of each token."""
    is_han: NDArray[np.uint8]
    """0 for a run of characters, 1 for a Han character, 2 for a kana character."""
    token_start: Ints
    """Where the token starts, in bytes from the start of its document."""
    token_end: Ints


def count_words(batch: TextBatch, table: str = "word") -> Ints:
    """Return the number of tokens of each text, int64 of shape (n,); a null has 0."""
    tokens: Ints = _count(batch, table)[1]
    return tokens


def count_chars(batch: TextBatch) -> Ints:
    """Return the number of code points of each text, int64 of shape (n,); a null has 0.

    Counts the bytes that start a character, so invalid UTF-8 can give another number than ``char_counts``.
    """
    out = np.zeros(len(batch), np.int64)
    _count_leads(batch.data, batch.starts, batch.ends, out)
    return out


def count_both(batch: TextBatch) -> tuple[Ints, Ints]:
    """Return what ``count_chars`` and ``count_words`` return, at the price of one."""
    chars, tokens = _count(batch, "word")
    return chars, tokens


def _count(batch: TextBatch, table: str) -> Ints:
    """Return characters and tokens of each text, int64 of shape (2, n)."""
    points = load(table).arrays
    out = np.zeros((2, len(batch)), np.int64)
    _count_tokens(batch.data, batch.starts, batch.ends, points, ascii_ranges(points.ascii), out)
    return out


def ascii_ranges(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the ASCII characters that make words as ranges, for eight bytes at a time: uint64 of shape (4, 2).

    Added to eight ASCII bytes, the first number of a range sets the high bit of those not below it, the second of those
    above it. Ranges not needed repeat the first.
    """
    word = np.concatenate([[False], hashes != 0, [False]])
    edges = np.flatnonzero(word[1:] != word[:-1]).reshape(-1, 2).tolist()
    if not 0 < len(edges) <= _RANGES:
        raise RuntimeError(f"{len(edges)} ranges of ASCII word characters; the kernel takes 1 to {_RANGES}")
    rows = (edges + edges[:1] * _RANGES)[:_RANGES]
    return np.array([[0x80 - first, 0x80 - end] for first, end in rows], np.uint64) * _ONES


def char_counts(batch: TextBatch) -> dict[str, Ints]:
    r"""Return how many code points of each class each text has, int64 of shape (n,) per class.

    The classes of ``codepoints.CLASSES`` are disjoint and add up to all characters; ``newlines`` (``\n`` only) is
    counted once more within ``whitespace``.
    """
    points = load("word")
    table = np.zeros((len(CLASSES) + 1, len(batch)), np.int64)
    ascii_class = np.array([(points.entry(code) >> 21) & 15 for code in range(128)], np.uint8)
    _count_classes(batch.data, batch.starts, batch.ends, ascii_class, points.arrays, table)
    return dict(zip((*CLASSES, "newlines"), table, strict=True))


def word_tokens(batch: TextBatch, table: str = "word") -> WordView:
    """Return every token of the batch with its hash, length and place."""
    points = load(table)
    offsets = np.zeros(len(batch) + 1, np.int64)
    np.cumsum(count_words(batch, table), out=offsets[1:])
    total = int(offsets[-1])
    view = WordView(
        np.empty(total, np.uint64),
        offsets,
        np.empty(total, np.int32),
        np.empty(total, np.uint8),
        np.empty(total, np.int64),
        np.empty(total, np.int64),
    )
    _fill_tokens(batch.data, batch.starts, batch.ends, points.arrays, view)
    return view


def warm() -> None:
    """Compile every kernel of this module, or load it from numba's cache."""
    batch = TextBatch(pa.array(["a b\n", "中文 é", None, ""]))
    count_chars(batch)
    char_counts(batch)
    word_tokens(batch)


@numba.njit(nogil=True, cache=True)
def mix(value):  # type: ignore[no-untyped-def]
    """Finish a running hash: one multiply and shifts, so that all bits depend on all."""
    value = np.uint64(value)
    value ^= value >> np.uint64(32)
    value *= np.uint64(0xD6E8FEB86659FD93)
    return value ^ (value >> np.uint64(29))


@numba.njit(nogil=True, cache=True)
def decode(data, i, end):  # type: ignore[no-untyped-def]
    """Return (code point, bytes) of the character at ``i``, (-1, 1) for no UTF-8; reads only below ``end``."""
    b = np.int64(data[i])
    if b < 0x80:
        return b, 1
    if b >= 0xC2 and b < 0xE0 and i + 1 < end:
        c1 = np.int64(data[i + 1]) ^ 0x80
        if c1 < 0x40:
            return (b & 0x1F) << 6 | c1, 2
    elif b >= 0xE0 and b < 0xF0 and i + 2 < end:
        c1 = np.int64(data[i + 1]) ^ 0x80
        c2 = np.int64(data[i + 2]) ^ 0x80
        code = (b & 0x0F) << 12 | c1 << 6 | c2
        if c1 < 0x40 and c2 < 0x40 and code >= 0x800:
            return code, 3
    elif b >= 0xF0 and b < 0xF5 and i + 3 < end:
        c1 = np.int64(data[i + 1]) ^ 0x80
        c2 = np.int64(data[i + 2]) ^ 0x80
        c3 = np.int64(data[i + 3]) ^ 0x80
        code = (b & 0x07) << 18 | c1 << 12 | c2 << 6 | c3
        if c1 < 0x40 and c2 < 0x40 and c3 < 0x40 and code >= 0x10000 and code < 0x110000:
            return code, 4
    return -1, 1


@numba.njit(nogil=True, cache=True)
def entry_of(code, points):  # type: ignore[no-untyped-def]
    """Return the table entry of a code point from ``decode``; that of a separator for -1."""
    if code < 0:
        return np.uint32(0)
    return points.blocks[np.int64(points.block[code >> 8]) * BLOCK + (code & 255)]


@numba.njit(nogil=True, cache=True)
def char_hash(code, entry):  # type: ignore[no-untyped-def]
    """Return splitmix64 of the folded character; equals ``CodePoints.ascii`` where both are defined."""
    value = np.uint64((np.int64(code) + np.int64(entry)) & 0x1FFFFF)
    value += np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(nogil=True, cache=True)
def _count_tokens(data, starts, ends, points, ranges, out):  # type: ignore[no-untyped-def]
    ascii_hash = points.ascii
    a, b, c, d = ranges[0, 0], ranges[1, 0], ranges[2, 0], ranges[3, 0]
    p, q, r, s = ranges[0, 1], ranges[1, 1], ranges[2, 1], ranges[3, 1]
    for doc in range(len(starts)):
        n = np.int64(0)
        leads = np.int64(0)
        inside = np.int64(0)  # whether the character before i is part of a run
        i, end = starts[doc], ends[doc]
        while i < end:
            stop = min(i + 8, end)
            if i + 8 <= end:
                eight = load8(data, i)
                if not eight & _HIGHS:
                    word = (eight + a & ~(eight + p)) | (eight + b & ~(eight + q))
                    word = (word | (eight + c & ~(eight + r)) | (eight + d & ~(eight + s))) & _HIGHS
                    begins = word & ~(word << np.uint64(8) | np.uint64(inside) << np.uint64(7))
                    n += np.int64(((begins >> np.uint64(7)) * _ONES) >> np.uint64(56))
                    inside = np.int64(word >> np.uint64(63))
                    leads += 8
                    i += 8
                    continue
            while i < stop:
                byte = data[i]
                if byte < 128:
                    one = np.int64(ascii_hash[byte] != _ZERO)
                    n += one & ~inside
                    inside = one
                    leads += 1
                    i += 1
                    continue
                code, size = decode(data, i, end)
                leads += np.int64((byte & 0xC0) != 0x80)
                i += size
                entry = entry_of(code, points)
                if entry & OWN:
                    n += 1
                    inside = np.int64(0)
                elif entry & WORD:
                    n += 1 - inside
                    inside = np.int64(1)
                else:
                    inside = np.int64(0)
        out[0, doc], out[1, doc] = leads, n


@numba.njit(nogil=True, cache=True)
def _count_leads(data, starts, ends, out):  # type: ignore[no-untyped-def]
    for doc in range(len(starts)):
        n = np.int64(0)
        for i in range(starts[doc], ends[doc]):
            n += np.int64((data[i] & 0xC0) != 0x80)
        out[doc] = n


@numba.njit(nogil=True, cache=True)
def _count_classes(data, starts, ends, ascii_class, points, table):  # type: ignore[no-untyped-def]
    newlines = len(table) - 1
    counts = np.zeros(16, np.int64)
    for doc in range(len(starts)):
        counts[:] = 0
        lines = np.int64(0)
        i, end = starts[doc], ends[doc]
        while i < end:
            byte = data[i]
            if byte < 128:
                counts[ascii_class[byte]] += 1
                lines += np.int64(byte == 10)
                i += 1
                continue
            code, size = decode(data, i, end)
            i += size
            counts[(entry_of(code, points) >> 21) & 15] += 1
        for row in range(newlines):
            table[row, doc] = counts[row]
        table[newlines, doc] = lines


@numba.njit(nogil=True, cache=True)
def _fill_tokens(data, starts, ends, points, view):  # type: ignore[no-untyped-def]
    hashes, _, chars, han, token_start, token_end = view
    ascii_hash = points.ascii
    n = np.int64(0)
    for doc in range(len(starts)):
        base, end = starts[doc], ends[doc]
        i = base
        length = 0  # of the run of characters before i
        state = _ZERO
        while i <= end:
            size = 1
            entry = np.uint32(0)
            value = _ZERO  # the end of the text is a separator
            if i < end and data[i] < 128:
                value = ascii_hash[data[i]]
            elif i < end:
                code, size = decode(data, i, end)
                entry = entry_of(code, points)
                if entry & WORD:
                    value = char_hash(code, entry)
            if value != _ZERO and not entry & OWN:
                state = (state << _SHIFT5 | state >> _SHIFT59) + value
                length += 1
                i += size
                if length == 1:
                    token_start[n] = i - size - base
                continue
            if length:
                hashes[n], chars[n], han[n], token_end[n] = mix(state), length, 0, i - base
                n += 1
                length = 0
                state = _ZERO
            if entry & OWN:
                hashes[n], chars[n], han[n] = mix(value), 1, 1 if (entry >> 21) & 15 == _HAN else 2
                token_start[n], token_end[n] = i - base, i - base + size
                n += 1
            i += size
