"""Repeated n-grams of word tokens: the most frequent one, and all those that occurred before."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from tamis.text.words import WordView, mix
from tamis.text.zh_kernels import seen_before

_BASE = np.uint64(0x9E3779B97F4A7C15)
_ONE, _ZERO = np.uint64(1), np.uint64(0)


def gram_chars(view: WordView, tops: Sequence[int], dups: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return characters in the most frequent n-gram (n, tops) and in repeated n-grams (n, dups) of each document.

    Most frequent: characters of its tokens x occurrences, the first of them on a tie, even where nothing repeats; 0
    for fewer than n tokens. Repeated: walking from the left, an n-gram met before adds its characters and is skipped,
    any other is remembered. An n-gram is the sequence of its tokens (by 64-bit hashes). Both lists must rise: longer
    n-grams are looked for only where all the shorter ones inside them repeat, which changes no result.
    """
    n = len(view.doc_offsets) - 1
    longest = int(np.diff(view.doc_offsets).max()) if n else 0
    size = 1 << max(4, (2 * longest).bit_length())
    top = np.zeros((n, len(tops)), np.int64)
    dup = np.zeros((n, len(dups)), np.int64)
    keys, stamps = np.zeros(size, np.uint64), np.zeros(size, np.int64)
    firsts, counts = np.zeros(size, np.int64), np.zeros(size, np.int64)
    scratch = (keys, stamps, firsts, counts)
    sizes = (np.array(tops, np.int64), np.array(dups, np.int64))
    _walk(view.token_hash, view.token_chars, view.doc_offsets, sizes, scratch, top, dup)
    return top, dup


@numba.njit(nogil=True, cache=True)
def _walk(hashes, chars, offsets, sizes, scratch, top, dup):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - kernel
    tops, dups = sizes
    longest = 0
    for doc in range(len(offsets) - 1):
        longest = max(longest, offsets[doc + 1] - offsets[doc])
    sums = np.empty(longest + 1, np.uint64)
    total = np.empty(longest + 1, np.int64)
    repeats = np.zeros(longest + 1, np.uint8)
    stamp = np.int64(0)
    for doc in range(len(offsets) - 1):
        first, m = offsets[doc], offsets[doc + 1] - offsets[doc]
        sums[0], total[0] = _ZERO, 0
        for i in range(m):
            sums[i + 1] = sums[i] * _BASE + hashes[first + i]
            total[i + 1] = total[i] + chars[first + i]
        mask = np.int64(16)
        while mask < 2 * m:
            mask *= 2
        mask -= 1
        for k in range(len(tops)):
            stamp += 1
            shorter = 0 if k == 0 else tops[k - 1]
            top[doc, k] = _most_frequent(sums, total, m, tops[k], shorter, repeats, scratch, mask, stamp)
        for k in range(len(dups)):
            stamp += 2
            if k == 0:
                _mark_repeats(sums, m, dups[0], repeats, scratch, mask, stamp - 1)
            dup[doc, k] = _repeated(sums, total, m, dups[k], dups[0], repeats, scratch, mask, stamp)


@numba.njit(nogil=True, cache=True)
def _power(n):  # type: ignore[no-untyped-def]
    out = _ONE
    for _ in range(n):
        out *= _BASE
    return out


@numba.njit(nogil=True, cache=True)
def _slot(key, scratch, mask, stamp, i):  # type: ignore[no-untyped-def]
    """Return the slot of a key; a new one starts with position ``i`` and count 0."""
    keys, stamps, firsts, counts = scratch
    slot = np.int64(key >> np.uint64(20)) & mask
    while stamps[slot] == stamp:
        if keys[slot] == key:
            return slot
        slot = (slot + 1) & mask
    stamps[slot], keys[slot], firsts[slot], counts[slot] = stamp, key, i, 0
    return slot


@numba.njit(nogil=True, cache=True)
def _most_frequent(sums, total, m, n, shorter, repeats, scratch, mask, stamp):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - kernel
    """Return characters x count of the first most frequent n-gram; marks in ``repeats`` where n-grams recur.

    With ``shorter`` (the n of the pass before) only positions whose inner n-grams all recur are counted.
    """
    if m < n:
        repeats[: m + 1] = 0
        return 0
    _, _, firsts, counts = scratch
    power = _power(n)
    best_count, best_first = 1, 0
    slots = np.empty(m - n + 1, np.int64)
    for i in range(m - n + 1):
        slots[i] = -1
        if shorter:
            inner = True
            for j in range(i, i + n - shorter + 1):
                inner = inner and repeats[j] != 0
            if not inner:
                continue
        slot = _slot(mix(sums[i + n] - sums[i] * power), scratch, mask, stamp, i)
        slots[i] = slot
        counts[slot] += 1
    for i in range(m - n + 1):
        slot = slots[i]
        repeats[i] = slot >= 0 and counts[slot] > 1
        if slot >= 0 and counts[slot] > best_count:
            best_count, best_first = counts[slot], firsts[slot]
    repeats[m - n + 1 : m + 1] = 0
    return (total[best_first + n] - total[best_first]) * best_count


@numba.njit(nogil=True, cache=True)
def _mark_repeats(sums, m, n, repeats, scratch, mask, stamp):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - kernel
    """Mark every position whose n-gram occurs more than once."""
    repeats[: m + 1] = 0
    _, _, firsts, counts = scratch
    power = _power(n)
    for i in range(m - n + 1):
        slot = _slot(mix(sums[i + n] - sums[i] * power), scratch, mask, stamp, i)
        if counts[slot]:
            repeats[i] = 1
            repeats[firsts[slot]] = 1
        counts[slot] += 1


@numba.njit(nogil=True, cache=True)
def _repeated(sums, total, m, n, shorter, repeats, scratch, mask, stamp):  # type: ignore[no-untyped-def]  # noqa: PLR0913 - kernel
    """Return the characters in n-grams that were met before, from the left and without overlap."""
    keys, stamps, _, _ = scratch
    power = _power(n)
    found = 0
    run = 0  # positions from ``i`` on, up to ``checked``, that are all marked
    i = 0
    while i <= m - n:
        if not repeats[i]:
            i += 1
            continue
        run = 1
        while run < n - shorter + 1 and repeats[i + run]:
            run += 1
        if run == n - shorter + 1 and seen_before(mix(sums[i + n] - sums[i] * power), keys, stamps, mask, stamp):
            found += total[i + n] - total[i]
            i += n
        else:
            i += 1
    return found
