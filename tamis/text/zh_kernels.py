"""Compiled walks behind ``tamis.text.zh``: words and signs, lines, repeated segments, n-grams of word tokens."""

from __future__ import annotations

import numba
import numpy as np

from tamis.text.codepoints import OWN, WORD
from tamis.text.words import decode, entry_of, mix

LETTERS, HAN, KANA, SPACE = 1, 3, 4, 8
"""Positions in ``codepoints.CLASSES``; a test holds them equal."""

WORD_COLUMNS = ("words", "word_chars", "alpha_words", "signs", "hashes", "ellipses", "stop_mask")
LINE_COLUMNS = ("chars", "hash", "words", "longest", "sentences", "flags", "start", "end")
SEGMENT_COLUMNS = ("segments", "copies", "copied_chars")

BLANK, TERMINAL, QUOTED, DOTS, CURLY, BULLET, ELLIPSIS = 1, 2, 4, 8, 16, 32, 64
"""Flags of a line: white space only; ends in a terminal mark; in ' or \"; in "..."; holds "{"; begins with a bullet;
ends in an ellipsis."""

FULL_STOP, IDEOGRAPHIC_STOP, DOTS_CHAR = 0x2E, 0x3002, 0x2026
_FNV_OFFSET, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


@numba.njit(nogil=True, cache=True)
def measure_words(data, starts, ends, points, stops, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (n, 7; ``WORD_COLUMNS``). ``stops`` maps the BMP to stop character numbers from 1, else 0."""
    for doc in range(len(starts)):
        i, end = starts[doc], ends[doc]
        last, run = np.int64(-2), 0
        inside = alpha = False
        while i < end:
            code, size = decode(data, i, end)
            entry = entry_of(code, points)
            kind = np.int64(entry >> 21) & 15
            i += size
            run = run + 1 if code == last else 1
            last = code
            if entry & WORD:
                out[doc, 1] += 1
                own = entry & OWN != 0
                if own or not inside:
                    out[doc, 0] += 1
                    alpha = False
                inside = not own
                if not alpha and kind in (LETTERS, HAN, KANA):
                    alpha = True
                    out[doc, 2] += 1
                if own and code < 0x10000 and stops[code]:
                    out[doc, 6] |= np.int64(1) << np.int64(stops[code] - 1)
                continue
            inside = False
            if kind == SPACE:
                continue
            out[doc, 3] += 1
            if code == 0x23:
                out[doc, 4] += 1
            elif (code == DOTS_CHAR and run == 1) or (code in (FULL_STOP, IDEOGRAPHIC_STOP) and run == 3):
                out[doc, 5] += 1


@numba.njit(nogil=True, cache=True)
def trimmed(data, start, end, points):  # type: ignore[no-untyped-def]
    """Return the bounds without white space at both ends, as ``str.strip`` has it."""
    while start < end:
        code, size = decode(data, start, end)
        if (entry_of(code, points) >> 21) & 15 != SPACE:
            break
        start += size
    while start < end:
        at = before(data, start, end)
        code, _ = decode(data, at, end)
        if (entry_of(code, points) >> 21) & 15 != SPACE:
            break
        end = at
    return start, end


@numba.njit(nogil=True, cache=True)
def trimmed_texts(data, starts, ends, points):  # type: ignore[no-untyped-def]
    """Return the bounds of texts without white space at both ends."""
    first, last = np.empty_like(starts), np.empty_like(ends)
    for doc in range(len(starts)):
        first[doc], last[doc] = trimmed(data, starts[doc], ends[doc], points)
    return first, last


@numba.njit(nogil=True, cache=True)
def before(data, start, end):  # type: ignore[no-untyped-def]
    """Return where the character that ends at ``end`` begins."""
    at = end - 1
    while at > start and end - at < 4 and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@numba.njit(nogil=True, cache=True)
def split_lines(data, starts, ends, every, offsets, bounds):  # type: ignore[no-untyped-def]  # noqa: C901 - kernel
    r"""Cut texts at ``\n``, or with ``every`` where ``str.splitlines`` does; return how many lines.

    ``offsets`` (n + 1) and ``bounds`` (lines, 2) are filled where ``bounds`` has room; call with none to count.
    """
    n = 0
    room = len(bounds)
    for doc in range(len(starts)):
        offsets[doc] = n
        i, end = starts[doc], ends[doc]
        begin = i
        while i < end:
            byte = data[i]
            size = 0
            if byte == 10 or (every and (byte == 11 or byte == 12 or (byte >= 28 and byte <= 30))):
                size = 1
            elif every and byte == 13:
                size = 2 if i + 1 < end and data[i + 1] == 10 else 1
            elif every and byte == 0xC2 and i + 1 < end and data[i + 1] == 0x85:
                size = 2
            elif every and byte == 0xE2 and i + 2 < end and data[i + 1] == 0x80 and data[i + 2] & 0xFE == 0xA8:
                size = 3
            if size:
                if n < room:
                    bounds[n, 0], bounds[n, 1] = begin, i
                n += 1
                begin = i + size
                i = begin
            else:
                i += 1
        if begin < end or not every:
            if n < room:
                bounds[n, 0], bounds[n, 1] = begin, end
            n += 1
    offsets[len(starts)] = n
    return n


@numba.njit(nogil=True, cache=True)
def line_end_flags(data, start, end, marks):  # type: ignore[no-untyped-def]
    """Return TERMINAL, QUOTED, DOTS and ELLIPSIS as they fit a line without white space at its end.

    ``marks`` maps the BMP to 1 for a terminal mark, 2 for a closing mark that may stand after one.
    """
    flags = 0
    if end - start >= 3 and data[end - 1] == 46 and data[end - 2] == 46 and data[end - 3] == 46:
        flags |= DOTS | ELLIPSIS
    if data[end - 1] == 34 or data[end - 1] == 39:
        flags |= QUOTED
    stops = 0
    at = end
    code = np.int64(0)
    while at > start:
        place = before(data, start, at)
        code, _ = decode(data, place, at)
        if code == IDEOGRAPHIC_STOP:
            stops += 1
        else:
            break
        at = place
    if stops >= 3 or (stops == 0 and code == DOTS_CHAR):
        flags |= ELLIPSIS
    at = end
    while at > start:
        place = before(data, start, at)
        code, _ = decode(data, place, at)
        mark = marks[code] if 0 <= code < 0x10000 else 0
        if mark == 1:
            return flags | TERMINAL
        if mark != 2:
            break
        at = place
    return flags


@numba.njit(nogil=True, cache=True)
def measure_lines(data, bounds, points, marks, bullets, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (lines, 8; ``LINE_COLUMNS``); ``start`` and ``end`` are those of the stripped line.

    ``bullets`` is a sorted array of code points. All facts are of the stripped line.
    """
    for line in range(len(bounds)):
        start, end = trimmed(data, bounds[line, 0], bounds[line, 1], points)
        state = _FNV_OFFSET
        for i in range(start, end):
            out[line, 0] += np.int64(data[i] & 0xC0 != 0x80)
            state = (state ^ np.uint64(data[i])) * _FNV_PRIME
        out[line, 1] = np.int64(mix(state))
        out[line, 6], out[line, 7] = start, end
        if start == end:
            out[line, 5] = BLANK
            continue
        words, longest, sentences, curly = walk_line(data, start, end, points, marks)
        out[line, 2], out[line, 3], out[line, 4] = words, longest, sentences
        code, _ = decode(data, start, end)
        flags = line_end_flags(data, start, end, marks)
        if curly:
            flags |= CURLY
        place = np.searchsorted(bullets, code)
        if place < len(bullets) and bullets[place] == code:
            flags |= BULLET
        out[line, 5] = flags


@numba.njit(nogil=True, cache=True)
def walk_line(data, start, end, points, marks):  # type: ignore[no-untyped-def]
    """Return (word tokens, longest run without white space, Han or kana, sentence ends, whether "{" occurs).

    A run of ``。！？.!?`` ends a sentence; one of ASCII marks alone only before white space, a closing mark or the end.
    """
    words = np.int64(0)
    longest = length = 0
    sentences = np.int64(0)
    inside = curly = False
    run = 0  # 1: ASCII sentence marks so far, 2: also others
    i = start
    while i < end:
        code, size = decode(data, i, end)
        entry = entry_of(code, points)
        kind = np.int64(entry >> 21) & 15
        i += size
        own = entry & OWN != 0
        word = entry & WORD != 0
        words += np.int64(word and (own or not inside))
        inside = word and not own
        length = 0 if own or kind == SPACE else length + 1
        longest = max(longest, length)
        curly |= code == 0x7B
        wide = code == IDEOGRAPHIC_STOP or code == 0xFF01 or code == 0xFF1F or code == 0xFF61
        if wide or code == FULL_STOP or code == 0x21 or code == 0x3F:
            run = 2 if wide or run == 2 else 1
            continue
        if run:
            closing = 0 <= code < 0x10000 and marks[code] == 2
            sentences += np.int64(run == 2 or kind == SPACE or closing)
        run = 0
    return words, longest, sentences + np.int64(run > 0), curly


@numba.njit(nogil=True, cache=True)
def seen_before(key, keys, stamps, mask, stamp):  # type: ignore[no-untyped-def]
    """Put a key into the set of this stamp; tell whether it was there.

    The whole 64 bits are kept beside the stamp of the current document and pass: no clearing between them.
    """
    slot = np.int64(key >> np.uint64(20)) & mask
    while stamps[slot] == stamp:
        if keys[slot] == key:
            return True
        slot = (slot + 1) & mask
    stamps[slot] = stamp
    keys[slot] = key
    return False


@numba.njit(nogil=True, cache=True)
def repeated_segments(data, starts, ends, least, scratch, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (n, 3; ``SEGMENT_COLUMNS``) for segments parted by at least ``least`` line feeds.

    Second and later copies count. ``scratch`` is a set: keys and
    stamps, both a power of two long, the stamps zero.
    """
    keys, stamps = scratch
    mask = np.int64(len(keys) - 1)
    for doc in range(len(starts)):
        stamp = np.int64(doc + 1)
        i, end = starts[doc], ends[doc]
        state = _FNV_OFFSET
        chars = np.int64(0)
        while i <= end:
            feeds = 0
            while i + feeds < end and data[i + feeds] == 10:
                feeds += 1
            if i < end and feeds < least:
                state = (state ^ np.uint64(data[i])) * _FNV_PRIME
                chars += np.int64(data[i] & 0xC0 != 0x80)
                i += 1
                continue
            out[doc, 0] += 1
            if seen_before(mix(state), keys, stamps, mask, stamp):
                out[doc, 1] += 1
                out[doc, 2] += chars
            if i == end:
                break
            state = _FNV_OFFSET
            chars = np.int64(0)
            i += feeds
