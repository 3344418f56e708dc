"""Lines and paragraphs, found by a compiled walk over characters that hashes their normal form as it goes."""

from __future__ import annotations

import numba
import numpy as np

from tamis.text.codepoints import BLOCK
from tamis.text.kinds import PARAGRAPH, SENTENCE, TOKEN
from tamis.text.sentences import next_sentence
from tamis.text.units import CODE, GONE, S0, S1, SPACE, ZERO, add_hash, next_token
from tamis.text.words import char_hash, decode, mix


@numba.njit(nogil=True, cache=True)
def next_unit(kind, data, i, end, tables):  # type: ignore[no-untyped-def]
    """Find the next unit at or after byte ``i``, where the one before ended.

    Returns:
        First byte (-1 where there is none) and last + 1 of the unit, where to go on, its two hashes (both 0 where
        nothing is left in the normal form), and its size: characters of a line or paragraph, tokens of a sentence.
    """
    if kind == TOKEN:
        start, stop, value = next_token(data, i, end, tables.points)
        return start, stop, stop, value, value, np.int64(1)
    if kind == SENTENCE:
        return next_sentence(data, i, end, tables)
    return next_block(data, i, end, tables, kind == PARAGRAPH)


@numba.njit(nogil=True, cache=True)
def next_block(data, i, end, tables, paragraph):  # type: ignore[no-untyped-def]  # long: one loop  # noqa: C901
    """Find the next line that is not blank, or the next run of such lines.

    The bounds leave out the white space at the end, not that at the beginning. Hashed without the white space at the
    ends of its lines; the lines of a paragraph are joined by one space.
    """
    start, stop = i, np.int64(-1)
    s0, s1, k0, k1 = S0, S1, S0, S1
    chars, all_chars = np.int64(0), np.int64(0)
    joint = False  # a line end lies between the last character and the next
    solid = False  # something is left in the normal form
    while i < end:
        byte = data[i]
        if byte < 128:
            size = 1
            value = tables.ascii[byte]
            blank = byte == 32 or (byte >= 9 and byte < 14) or (byte >= 28 and byte < 32)
        else:
            code, size = decode(data, i, end)
            entry = np.uint32(0)
            if code >= 0:
                entry = tables.blocks[np.int64(tables.block[code >> 8]) * BLOCK + (code & 255)]
            blank = entry >= SPACE
            value = ZERO if entry & GONE else char_hash(code, entry & CODE)
        i += size
        if blank:
            if byte == 10:
                if stop < 0:
                    start = i
                elif joint or not paragraph:
                    break
                joint = True
            elif stop >= 0 and not joint:
                all_chars += 1
                if value != ZERO:
                    s0, s1 = add_hash(s0, s1, value)
            continue
        if joint and stop >= 0:
            s0, s1 = add_hash(k0, k1, tables.ascii[32])
            all_chars = chars + 1
        joint = False
        all_chars += 1
        chars = all_chars
        if value != ZERO:
            s0, s1 = add_hash(s0, s1, value)
            solid = True
        k0, k1 = s0, s1
        stop = i
    if stop < 0:
        return np.int64(-1), end, end, ZERO, ZERO, chars
    if not solid:
        return start, stop, i, ZERO, ZERO, chars
    return start, stop, i, mix(k0), mix(k1), chars
