"""Repetition of n-grams in one document, exactly as datatrove counts it (gopher_repetition_filter.py).

Top 2..4-grams: tokens joined by a blank; the most frequent one, the first of equals. Repeated 5..10-grams: tokens
joined by nothing (so ``ab|c`` equals ``a|bc``), a greedy walk that skips a repeated one whole.

Most positions cannot repeat, and a cheap filter says so before any n-gram is hashed: two equal joined strings of at
least 8 (16, 32) bytes begin with the same 8 (16, 32). It has false alarms but never misses: no result depends on it.
"""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.text.hashing import finish, load8
from tamis.text.layout import FINISH, MULTIPLIER, SEED
from tamis.text.walk import add_key, clear_keys

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ALWAYS = 1 << 60


class Work(NamedTuple):
    """Working arrays for documents of up to so many tokens."""

    hashes: NDArray[np.uint64]  # of the n-gram at each token
    filter: NDArray[np.uint8]  # 0, 1 or 2 (more) by part of a hash
    repeats: NDArray[np.uint8]  # whether the n-gram at each token may repeat
    candidates: NDArray[np.int64]
    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]
    places: NDArray[np.int64]  # slot of the n-gram at each candidate; or the widest one that may repeat


def make_work(tokens: int) -> Work:
    """Return working arrays for documents of up to so many tokens (address space; touched as needed)."""
    n = tokens + 16
    size = 16
    while size < 8 * n:
        size *= 2
    return Work(
        np.zeros(n, np.uint64),
        np.zeros(size, np.uint8),
        np.zeros(n, np.uint8),
        np.zeros(n, np.int64),
        np.zeros(size // 2, np.uint64),
        np.zeros(size // 2, np.int64),
        np.zeros(n, np.int64),
    )


@njit(nogil=True, cache=True)
def _mark(w: Any, n: int) -> None:
    """Set ``repeats`` where one of the first ``n`` hashes may occur twice (never misses)."""
    size = 16
    while size < 8 * n:
        size *= 2
    mask = np.uint64(size - 1)
    w.filter[:size] = 0
    for i in range(np.uint64(n)):
        at = w.hashes[i] & mask
        w.filter[at] = min(w.filter[at] + np.uint8(1), np.uint8(2))
    for i in range(np.uint64(n)):
        w.repeats[i] = w.filter[w.hashes[i] & mask] > 1


@njit(nogil=True, cache=True)
def _count(w: Any, m: int) -> tuple[int, int]:
    """Count the n-grams at the ``m`` candidates; return the first of the most frequent and how often it occurs."""
    mask = clear_keys(w.keys, m)
    for j in range(m):
        key = w.hashes[w.candidates[j]] | np.uint64(1)
        at = (key >> np.uint64(1)) & mask
        while w.keys[at] != 0 and w.keys[at] != key:
            at = (at + np.uint64(1)) & mask
        if w.keys[at] == 0:
            w.keys[at] = key
            w.counts[at] = 0
        w.counts[at] += 1
        w.places[j] = at
    best, most = 0, 1
    for j in range(m):
        i = w.candidates[j]
        times = w.counts[w.places[j]]
        w.repeats[i] = times > 1
        if times > most:
            best, most = i, times
    return best, most


@njit(nogil=True, cache=True)
def top_ngrams(tok: Any, n: int, w: Any, out: Any) -> None:
    """Write the characters of all copies of the most frequent 2-, 3-, 4-gram to ``out[0:3]``, -1 if there is none."""
    out[:3] = -1
    for i in range(max(n - 1, 0)):
        w.hashes[i] = finish((tok.hashes[i] ^ (tok.hashes[i] >> _HALF)) * MULTIPLIER + tok.hashes[i + 1] * FINISH)
    _mark(w, max(n - 1, 0))
    for size in range(2, 5):
        last = n - size
        if last < 0:
            return
        m = 0
        for i in range(last + 1):
            # a longer n-gram repeats only where both shorter ones in it do
            if w.repeats[i] and (size == 2 or w.repeats[i + 1]):
                w.candidates[m] = i
                m += 1
                if size > 2:
                    w.hashes[i] = finish((w.hashes[i] ^ np.uint64(size)) * MULTIPLIER + tok.hashes[i + size - 1])
            elif size > 2:
                w.repeats[i] = 0
        best, most = _count(w, m)
        width = np.int64((tok.before[best + size] - tok.before[best]) & _LOW)
        out[size - 2] = (width + size - 1) * most
        w.repeats[last + 1] = 0


@njit(nogil=True, cache=True)
def _hash_span(packed: Any, start: Any, size: Any) -> Any:
    """Return the hash of ``packed[start:start + size]``; up to seven bytes beyond are read and cut off."""
    state = SEED ^ size
    eight = np.uint64(8)
    while size >= eight:
        state = (state ^ load8(packed, start)) * MULTIPLIER
        state ^= state >> _HALF
        start += eight
        size -= eight
    if size:
        tail = load8(packed, start) & ((np.uint64(1) << (size * eight)) - np.uint64(1))
        state = (state ^ tail) * MULTIPLIER
    return finish(state)


@njit(nogil=True, cache=True)
def _windows(packed: Any, tok: Any, n: int, w: Any) -> None:
    """Write to ``places`` how many bytes an n-gram at each token may have at most and still occur twice.

    Windows of 8 bytes first; those that may repeat are looked at with 16, then with 32.
    """
    m = n
    for i in range(np.uint64(n)):
        w.candidates[i] = i
    bytes_ = np.uint64(8)
    while True:
        for j in range(np.uint64(m)):
            at = tok.before[w.candidates[j]] >> _HALF
            state = SEED
            for k in range(np.uint64(0), bytes_, np.uint64(8)):
                state = (state ^ load8(packed, at + k)) * MULTIPLIER
                state ^= state >> _HALF
            w.hashes[j] = state * FINISH
            w.hashes[j] ^= w.hashes[j] >> _HALF
        _mark(w, m)
        kept = np.uint64(0)
        for j in range(np.uint64(m)):
            i = w.candidates[j]
            if w.repeats[j]:
                w.places[i] = _ALWAYS
                w.candidates[kept] = i
                kept += np.uint64(1)
            else:
                w.places[i] = np.int64(bytes_) - 1
        m = np.int64(kept)
        if bytes_ == 32:
            return
        bytes_ *= np.uint64(2)


@njit(nogil=True, cache=True)
def repeated_ngrams(packed: Any, tok: Any, n: int, w: Any, out: Any) -> None:
    """Write the characters of repeated 5- to 10-grams to ``out[0:6]``.

    ``packed`` holds the bytes of the tokens one after another and at least 40 more.
    """
    out[:6] = 0
    if n < 6:
        return
    _windows(packed, tok, n, w)
    m = 0
    for i in range(n - 4):
        if np.int64((tok.before[i + 5] - tok.before[i]) >> _HALF) <= w.places[i]:
            w.candidates[m] = i
            m += 1
    for size in range(5, 11):
        mask = clear_keys(w.keys, m)
        free = 0
        total = 0
        kept = 0
        for j in range(m):
            i = w.candidates[j]
            if i + size > n:
                break
            first = tok.before[i]
            width = tok.before[i + size] - first
            if np.int64(width >> _HALF) > w.places[i]:
                continue
            w.candidates[kept] = i  # a longer n-gram here is wider still
            kept += 1
            if i < free:
                continue
            if add_key(w.keys, mask, _hash_span(packed, first >> _HALF, width >> _HALF)):
                total += np.int64(width & _LOW)
                free = i + size
        m = kept
        out[size - 5] = total
