"""Walking a text in pieces: from bytes to tokens to shingle hashes, with what is unfinished carried over.

A piece may end anywhere between two characters, within a word too: its running hash goes on. So scratch is small
whatever the text, and tokens and shingles are those of the text walked at once.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np

from tamis.text.codepoints import OWN, WORD
from tamis.text.words import char_hash, decode, entry_of, mix

BASE: Final = np.uint64(0xD6E8FEB86659FD93)

AT, STATE, INSIDE, TOKENS, FRESH, HELD, WALK = range(7)
"""Places in a walk: next byte, running hash and flag of the unfinished word (characters: whether white space came
last), tokens so far; where in the token scratch those of the last piece begin and end. The last is their number."""

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_SHIFT5, _SHIFT59 = np.uint64(5), np.uint64(59)
_SPACE = np.int64(32)


@numba.njit(nogil=True, cache=True)
def scan_words(data, start, end, points, carry, out):  # type: ignore[no-untyped-def]
    """Write the running hash (``mix`` still to do) of each word that ends in a piece into ``out``.

    Args:
        data: Bytes of the batch.
        start: First byte of the piece.
        end: Last + 1; between two characters.
        points: Arrays of the code-point table.
        carry: (running hash, whether inside a word) where the piece begins.
        out: Must hold (end - start) // 2 + 2 values: one is always written ahead.

    Returns:
        How many, and the carry where the piece ends. The running hash rotates by 5 and adds; adding instead of xor, so
        that equal characters 64 apart in a long run do not cancel.
    """
    ascii_hash = points.ascii
    n = np.int64(0)
    state, inside = carry
    i = start
    while i < end:
        byte = data[i]
        if byte < 128:
            # No branch on the character: most English words are too short for a branch predictor.
            value = ascii_hash[byte]
            word = np.uint64(value != _ZERO)
            out[n] = state
            n += np.int64(inside & ~word)
            state = ((state << _SHIFT5 | state >> _SHIFT59) + value) & (_ZERO - word)
            inside = word
            i += 1
            continue
        code, size = decode(data, i, end)
        i += size
        entry = entry_of(code, points)
        if entry & WORD and not entry & OWN:
            state = (state << _SHIFT5 | state >> _SHIFT59) + char_hash(code, entry)
            inside = _ONE
            continue
        out[n] = state
        n += np.int64(inside)
        state = _ZERO
        inside = _ZERO
        if entry & OWN:
            out[n] = char_hash(code, entry)
            n += 1
    return n, state, inside


@numba.njit(nogil=True, cache=True)
def scan_chars(data, start, end, points, carry, out):  # type: ignore[no-untyped-def]
    """Write the hash (``mix`` still to do) of each character of a piece into ``out``, white space collapsed.

    White space at the ends of the text is left out; bytes that are no UTF-8 count as white space.

    Args:
        data: Bytes of the batch.
        start: First byte of the piece.
        end: Last + 1; between two characters.
        points: Arrays of the code-point table.
        carry: (1 where white space follows the last character, 1 where there was one) where the piece begins.
        out: Must hold end - start + 2 values.

    Returns:
        How many, and 1 where white space follows the last character.
    """
    blank, seen = carry
    n = np.int64(0)
    space = char_hash(_SPACE, np.uint32(0))
    i = start
    while i < end:
        if data[i] < 128:
            value = points.ascii[data[i]]
            i += 1
        else:
            code, size = decode(data, i, end)
            i += size
            entry = entry_of(code, points)
            value = char_hash(code, entry) if entry & WORD else _ZERO
        # No branch on the character: where words end is what a branch predictor cannot know.
        solid = np.int64(value != _ZERO)
        out[n] = space
        n += solid & blank
        out[n] = value
        n += solid
        blank = (1 - solid) & np.int64(n + seen > 0)
    return n, blank


@numba.njit(nogil=True, cache=True)
def cut(data, start, end, piece):  # type: ignore[no-untyped-def]
    """Return where a piece that begins at ``start`` ends: at most ``piece`` bytes on, never within a character."""
    stop = start + piece
    if stop >= end:
        return end
    # Only bytes 10xxxxxx continue a character, and at most three of them: a fourth stands for itself.
    for back in range(4):
        if data[stop - back] & 0xC0 != 0x80:
            return stop - back
    return stop


@numba.njit(nogil=True, cache=True)
def advance(text, points, how, space, walk):  # type: ignore[no-untyped-def]
    """Walk one piece of a text on; write the shingles that end in it to the front of the scratch, return how many.

    Args:
        text: Data, first byte, last + 1.
        points: Arrays of the code-point table.
        how: Whether tokens are characters, n, bytes of a piece (4 or more).
        space: Scratch for tokens and shingles; ``tokens[walk[FRESH]:walk[HELD]]`` are the new ones afterwards, the
            hash of the raw bytes where the text has ended without any.
        walk: Zeros and the first byte in ``AT`` before the first piece. ``TOKENS`` counts real tokens only.
    """
    data, start, end = text
    chars, n, piece = how
    tokens, shingles = space
    held = np.int64(walk[HELD])
    keep = min(held, n - 1)
    for i in range(keep):
        tokens[i] = tokens[held - keep + i]
    at = np.int64(walk[AT])
    stop = cut(data, at, end, piece)
    fresh = tokens[keep:]
    if chars:
        seen = np.int64(walk[TOKENS] != _ZERO)
        new, blank = scan_chars(data, at, stop, points, (np.int64(walk[INSIDE]), seen), fresh)
        walk[INSIDE] = np.uint64(blank)
    else:
        new, state, inside = scan_words(data, at, stop, points, (walk[STATE], walk[INSIDE]), fresh)
        if stop == end:
            fresh[new] = state
            new += np.int64(inside)
        walk[STATE], walk[INSIDE] = state, inside
    for i in range(new):
        fresh[i] = mix(fresh[i])
    held = keep + new
    count = np.int64(walk[TOKENS]) + new
    made = np.int64(0)
    if held >= n or (stop == end and 0 < count < n):
        made = roll(tokens, held, n, shingles)
    elif stop == end and count == 0:
        tokens[0] = raw_hash(data, start, end)
        shingles[0] = tokens[0]
        made = held = np.int64(1)
    walk[AT], walk[TOKENS], walk[FRESH], walk[HELD] = (
        np.uint64(stop),
        np.uint64(count),
        np.uint64(keep),
        np.uint64(held),
    )
    return made


@numba.njit(nogil=True, cache=True)
def raw_hash(data, start, end):  # type: ignore[no-untyped-def]
    """Return a hash of bytes as they are, for texts without tokens."""
    value = np.uint64(end - start) + BASE
    for i in range(start, end):
        value = mix(value + np.uint64(data[i]) + _ONE)
    return value


@numba.njit(nogil=True, cache=True)
def roll(tokens, count, n, out):  # type: ignore[no-untyped-def]
    """Write the hashes of the runs of ``n`` tokens into ``out``; return how many: at least one for a token.

    A polynomial modulo 2**64 over the token hashes, rolled by taking off the oldest token, then mixed.
    """
    width = min(n, count)
    top = _ONE  # the power of the base that the oldest token has when it leaves
    state = np.uint64(0)
    for i in range(width):
        state = state * BASE + tokens[i]
        top = top * BASE
    out[0] = mix(state)
    for i in range(width, count):
        state = state * BASE + tokens[i] - top * tokens[i - width]
        out[i - width + 1] = mix(state)
    return count - width + 1
