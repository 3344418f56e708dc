"""The compiled part of signatures: permutations, token streams and band keys."""

from __future__ import annotations

import numba
import numpy as np

from tamis.text.pieces import AT, FRESH, HELD, TOKENS, WALK, advance
from tamis.text.shingles import LANES
from tamis.text.words import mix

_BIG = np.uint32(0xFFFFFFFF)
_M1, _M2 = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
_K1, _K2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_S32 = np.uint64(32)
_ZERO = np.uint64(0)
_PRIME, _S61 = np.uint64((1 << 61) - 1), np.uint64(61)


@numba.njit(nogil=True, cache=True)
def sign(texts, points, how, coefficients, space, found, signatures):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Sign each text.

    Args:
        texts: Data, starts, ends of the batch.
        points: Arrays of the code-point table.
        how: Whether tokens are characters, n, bytes of a piece; then signature values in a band.
        coefficients: a and b of the permutations, uint32; the same of the legacy scheme, uint64. One pair is empty.
        space: Scratch for the tokens and shingles of a piece.
        found: ``BandKeys`` to fill.
        signatures: Where to write signatures, shape (n, permutations), or no rows.
    """
    data, starts, ends = texts
    walking, rows = how
    a, b, legacy_a, legacy_b = coefficients
    tokens, shingles = space
    walk = np.zeros(WALK, np.uint64)
    least = np.empty(len(a) + len(legacy_a), np.uint32)
    for doc in range(len(starts)):
        text = (data, starts[doc], ends[doc])
        walk[:] = _ZERO
        walk[AT] = np.uint64(starts[doc])
        least[:] = _BIG
        h1 = h2 = place = _ZERO
        while True:
            made = advance(text, points, walking, space, walk)
            s1, s2 = _stream(tokens[np.int64(walk[FRESH]) : np.int64(walk[HELD])], place)
            h1 += s1
            h2 += s2
            place = walk[TOKENS]
            if len(a):
                _permute(shingles, made, a, b, least)
            else:
                _permute_legacy(shingles, made, legacy_a, legacy_b, least)
            if np.int64(walk[AT]) >= ends[doc]:
                break
        found.tokens[doc] = np.int64(walk[TOKENS])
        found.streams[doc, 0] = mix(h1 + walk[TOKENS])
        found.streams[doc, 1] = mix(h2 + walk[TOKENS])
        if len(signatures):
            signatures[doc] = least
        for band in range(len(found.keys)):
            key = np.uint64(band)
            for row in range(rows):
                key = mix(key + np.uint64(least[band * rows + row]) + _K1)
            found.keys[band, doc] = key


@numba.njit(nogil=True, cache=True)
def _stream(tokens, place):  # type: ignore[no-untyped-def]
    """Return what tokens add to the two hashes of a stream, the first of them being its ``place``-th.

    Sums of hashes of (token, place): unlike a running hash no step waits for the one before. The second weighs them by
    odd numbers that tell places apart, so that what evens out in one sum does not in the other.
    """
    h1 = h2 = _ZERO
    for i in range(len(tokens)):
        at = place + np.uint64(i)
        value = mix(mix(tokens[i] + at * _K1))
        h1 += value
        h2 += value * ((at << np.uint64(1) | np.uint64(1)) * _K2)
    return h1, h2


@numba.njit(nogil=True, cache=True)
def _fmix(value):  # type: ignore[no-untyped-def]
    """Return the MurmurHash3 32-bit finaliser of the upper half of a shingle hash."""
    x = np.uint32(value >> _S32)
    x = np.uint32(x ^ (x >> np.uint32(16)))
    x = np.uint32(x * _M1)
    x = np.uint32(x ^ (x >> np.uint32(13)))
    x = np.uint32(x * _M2)
    return np.uint32(x ^ (x >> np.uint32(16)))


@numba.njit(nogil=True, cache=True)
def _permute(shingles, count, a, b, least):  # type: ignore[no-untyped-def]
    """Lower ``least`` by ``count`` shingles; there is room for ``LANES`` more behind them."""
    # Repeating the last shingle changes no minimum and saves the loop for what is left over.
    for i in range(count, (count + LANES - 1) // LANES * LANES):
        shingles[i] = shingles[count - 1]
    for i in range(0, count, LANES):
        x0, x1, x2, x3 = _fmix(shingles[i]), _fmix(shingles[i + 1]), _fmix(shingles[i + 2]), _fmix(shingles[i + 3])
        x4, x5, x6, x7 = _fmix(shingles[i + 4]), _fmix(shingles[i + 5]), _fmix(shingles[i + 6]), _fmix(shingles[i + 7])
        for k in range(len(least)):
            ak, bk = a[k], b[k]
            m0 = min(np.uint32(ak * x0 + bk), np.uint32(ak * x1 + bk))
            m1 = min(np.uint32(ak * x2 + bk), np.uint32(ak * x3 + bk))
            m2 = min(np.uint32(ak * x4 + bk), np.uint32(ak * x5 + bk))
            m3 = min(np.uint32(ak * x6 + bk), np.uint32(ak * x7 + bk))
            least[k] = min(least[k], min(min(m0, m1), min(m2, m3)))


@numba.njit(nogil=True, cache=True)
def _legacy(a, b, x):  # type: ignore[no-untyped-def]
    """Return ``(a * x + b) % (2**61 - 1)`` cut to 32 bits, the sum taken modulo 2**64 as numpy takes it."""
    value = a * x + b
    value = (value & _PRIME) + (value >> _S61)  # 2**61 leaves 1
    return np.uint32(min(value, value - _PRIME))  # unsigned: below the prime the difference wraps and is larger


@numba.njit(nogil=True, cache=True)
def _permute_legacy(shingles, count, a, b, least):  # type: ignore[no-untyped-def]
    """Lower ``least`` by ``count`` shingles, permuted as datasketch before 2.0 did."""
    for i in range(count, (count + LANES - 1) // LANES * LANES):
        shingles[i] = shingles[count - 1]
    for i in range(0, count, 4):
        x0, x1, x2, x3 = shingles[i] >> _S32, shingles[i + 1] >> _S32, shingles[i + 2] >> _S32, shingles[i + 3] >> _S32
        for k in range(len(least)):
            ak, bk = a[k], b[k]
            m0 = min(_legacy(ak, bk, x0), _legacy(ak, bk, x1))
            m1 = min(_legacy(ak, bk, x2), _legacy(ak, bk, x3))
            least[k] = min(least[k], min(m0, m1))
