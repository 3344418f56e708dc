"""Special cases of the tokeniser (contractions, abbreviations, emoticons): found whole, or put back together."""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tamis.text.hashing import hash_bytes, pair_hash

_LONGEST_PATTERN = 11


@njit(nogil=True, cache=True)
def special(data: Any, start: int, s: Any, t: Any, a: int, b: int) -> int:
    """Return the number of the special case that characters ``[a, b)`` are, or -1."""
    size = b - a
    first = start + s.bo[a]
    if size < 1 or size > 31 or not (t.special_lengths[data[first]] >> np.uint32(size)) & np.uint32(1):
        return -1
    return find(hash_bytes(data, first, start + s.bo[b]), t.special_slots, t.special_hash)


@njit(nogil=True, cache=True)
def find(key: Any, slots: Any, keys: Any) -> int:
    """Return the number of a hash in an open-addressing table, or -1."""
    mask = np.uint64(len(slots) - 1)
    at = key & mask
    while slots[at]:
        if keys[slots[at] - 1] == key:
            return int(slots[at]) - 1
        at = (at + np.uint64(1)) & mask
    return -1


@njit(nogil=True, cache=True)
def push_special(t: Any, number: int, at: int, ends: Any, n: int) -> int:
    """Append the tokens of a special case that begins at character ``at``; return the new number of tokens."""
    for k in range(t.special_first[number], t.special_first[number + 1]):
        at += t.token_lengths[k]
        ends[n] = at
        n += 1
    return n


@njit(nogil=True, cache=True)
def hash_tokens(data: Any, start: int, s: Any, n: int) -> None:
    """Write the hash of each token."""
    first = start
    for k in range(n):
        end = start + s.bo[s.ends[k]]
        s.hashes[k] = hash_bytes(data, first, end)
        first = end


@njit(nogil=True, cache=True)
def _pattern(t: Any, s: Any, first: int, size: int) -> int:
    """Return the number of the pattern that ``size`` tokens from ``first`` make, or -1."""
    folded = s.hashes[first]
    for k in range(first + 1, first + size):
        folded = pair_hash(folded, s.hashes[k])
    return find(folded, t.pattern_slots, t.pattern_hash)


@njit(nogil=True, cache=True)
def match_again(data: Any, start: int, t: Any, s: Any, n: int) -> int:
    """Put special cases back together that affix and infix rules broke; longest first, then leftmost.

    Tokens of every match block later ones that begin or end on them, even if the match itself was blocked.
    """
    candidate = False
    for i in range(n - 1):
        bit = pair_hash(s.hashes[i], s.hashes[i + 1]) & np.uint64(4095)
        hit = (t.pattern_pairs[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1)
        s.marks[i] = -1 if hit else 0
        candidate |= hit != 0
    s.marks[n - 1] = 0
    if not candidate:
        return n
    seen = np.zeros(n, np.bool_)
    changed = False
    for size in range(min(n, _LONGEST_PATTERN), 1, -1):
        for i in range(n - size + 1):
            if s.marks[i] >= 0:  # no pattern begins here, or a longer one was taken
                continue
            number = _pattern(t, s, i, size)
            if number < 0:
                continue
            if not seen[i] and not seen[i + size - 1]:
                s.marks[i] = t.pattern_special[number] + 1
                changed = True
            seen[i : i + size] = True
    return _retokenise(data, start, t, s, n) if changed else n


@njit(nogil=True, cache=True)
def _retokenise(data: Any, start: int, t: Any, s: Any, n: int) -> int:
    """Replace the marked spans by the tokens of their special cases."""
    m = i = 0
    at = 0
    while i < n:
        if s.marks[i] > 0:
            number = s.marks[i] - 1
            m = push_special(t, number, at, s.other, m)
            at = s.other[m - 1]
            while i < n and s.ends[i] <= at:
                i += 1
        else:
            s.other[m] = at = s.ends[i]
            m += 1
            i += 1
    s.ends[:m] = s.other[:m]
    hash_tokens(data, start, s, m)
    return m
