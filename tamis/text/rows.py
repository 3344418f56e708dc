"""Everything the rules ask of a chunk, worked out once when the chunk is first met, packed into one table row."""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tamis.text.hashing import hash_bytes
from tamis.text.layout import (
    ARENA,
    BEGINS_COOKIES,
    BEGINS_IPSUM,
    BEGINS_POLICY,
    BEGINS_USE,
    BULLET,
    C4_END,
    CATEGORY_P,
    CITATION,
    CURLY,
    DIGIT,
    DOTS,
    DOTS_END,
    ELLIPSIS_END,
    ENDS_COOKIE,
    ENDS_LOREM,
    ENDS_PRIVACY,
    ENDS_TERMS,
    ENDS_USE,
    ENDS_USES,
    EXIT_IN,
    EXIT_OUT,
    HASH,
    IS_OF,
    JAVASCRIPT,
    LETTERS,
    ND,
    PY_ALPHA,
    SENTENCE_MARK,
    SIZE,
    STARTS,
    STOP_SHIFT,
    SYMBOL,
    TERMINAL,
    TERMINAL_END,
    TOKEN,
    WORDS,
)
from tamis.text.resolver import decode, tokens
from tamis.text.special_cases import special

_LOREM, _IPSUM, _TERMS, _OF, _USE, _USES = b"lorem", b"ipsum", b"terms", b"of", b"use", b"uses"
_PRIVACY, _POLICY, _COOKIE, _COOKIES, _JS = b"privacy", b"policy", b"cookie", b"cookies", b"javascript"
_EDIT, _CITATION = b"[edit]", b"[citation"


@njit(nogil=True, cache=True)
def pack(low: int, high: int) -> Any:
    """Return two counts in one word."""
    return np.uint64(low) | (np.uint64(high) << np.uint64(32))


@njit(nogil=True, cache=True)
def add_row(data: Any, start: int, end: int, key: Any, t: Any, table: Any, s: Any) -> int:  # noqa: PLR0913
    """Resolve a new chunk, append its row, return the row's number."""
    n_chars = decode(data, start, end, t, s)
    n = _plain(data, start, end, n_chars, t, s)
    if n == 0:
        n = tokens(data, start, n_chars, t, s)
    row = table.used[0]
    table.used[0] += 1
    _describe_tokens(t, table, s, n, row)
    out = table.rows[row]
    out[SIZE] = pack(n_chars, end - start)
    out[HASH] = key
    flags = _chunk_flags(s, n_chars, out)
    out[DOTS] |= np.uint64(flags) << np.uint64(32)
    return int(row)


@njit(nogil=True, cache=True)
def _plain(data: Any, start: int, end: int, n_chars: int, t: Any, s: Any) -> int:
    """Resolve the commonest shapes without the loop: letters or digits, then at most one sign; 0 for all others.

    ASCII only. Such chunks have no prefix, no infix and are no URL; the sign is a suffix unless the stem is special.
    """
    if n_chars != end - start:
        return 0
    letters = digits = True
    lower = np.uint32(0)
    for i in range(n_chars - 1):
        lower = s.cp[i] | np.uint32(32)
        letters &= lower >= 97 and lower <= 122
        digits &= (s.cl[i] & DIGIT) != 0
    if not (letters or digits):
        return 0
    last = s.cp[n_chars - 1]
    lower = last | np.uint32(32)
    if (letters and lower >= 97 and lower <= 122) or (digits and s.cl[n_chars - 1] & DIGIT):
        if special(data, start, s, t, 0, n_chars) >= 0:
            return 0
        s.ends[0] = n_chars
        s.hashes[0] = hash_bytes(data, start, end)
        return 1
    before = s.cp[n_chars - 2] if n_chars > 1 else np.uint32(0)
    sign = last == 44 or last == 58 or last == 59 or last == 33 or last == 63 or last == 41 or last == 34
    if not sign and (last != 46 or before < 48 or (before >= 65 and before <= 90)):
        return 0
    if n_chars < 2 or special(data, start, s, t, 0, n_chars) >= 0 or special(data, start, s, t, 0, n_chars - 1) >= 0:
        return 0
    s.ends[0] = n_chars - 1
    s.ends[1] = n_chars
    s.hashes[0] = hash_bytes(data, start, end - 1)
    s.hashes[1] = hash_bytes(data, end - 1, end)
    return 2


@njit(nogil=True, cache=True)
def _describe_tokens(t: Any, table: Any, s: Any, n: int, row: int) -> None:  # long: one loop, many counts  # noqa: C901
    """Write what is known token by token: counts, stop words, the sentence automaton, the arena."""
    n_words = word_chars = n_letters = 0
    starts_out = starts_in = 0
    done_out, done_in = False, True
    stops = np.uint64(0)
    arena = table.used[1]
    first = 0
    for k in range(n):
        end = s.ends[k]
        word = letter = False
        marks_only = True
        for i in range(first, end):
            c = s.cl[i]
            word |= (c & SYMBOL) == 0
            letter |= (c & PY_ALPHA) != 0
            marks_only &= (c & CATEGORY_P) != 0
        mark = end - first == 1 and (s.cl[first] & SENTENCE_MARK) != 0
        if mark:
            done_out = done_in = True
        elif not marks_only:
            starts_out += done_out
            starts_in += done_in
            done_out = done_in = False
        n_words += word
        if word:
            word_chars += end - first
        n_letters += letter
        if letter and end - first <= 4:
            for j in range(len(t.stop_hash)):
                if s.hashes[k] == t.stop_hash[j]:
                    stops |= np.uint64(1) << np.uint64(j + STOP_SHIFT)
        if n > 1:
            table.arena[arena + k, 0] = s.hashes[k]
            table.arena[arena + k, 1] = pack(end - first, s.bo[end] - s.bo[first])
        first = end
    if n > 1:
        table.used[1] += n
    exits = np.uint64(EXIT_OUT if done_out else 0) | np.uint64(EXIT_IN if done_in else 0)
    out = table.rows[row]
    out[TOKEN] = s.hashes[0]
    out[ARENA] = pack(arena, n)
    out[WORDS] = pack(n_words, word_chars)
    out[LETTERS] = pack(n_letters, 0)
    out[DOTS] = (stops | exits) << np.uint64(32)
    out[STARTS] = pack(starts_out, starts_in)


@njit(nogil=True, cache=True)
def _chunk_flags(s: Any, n: int, out: Any) -> int:  # long: one test a line  # noqa: C901
    """Count '#' and ellipses into the row; return the flags that depend on the characters of the chunk."""
    hashes = ellipses = run = 0
    flags = 0
    letters_j = bracket = False
    for i in range(n):
        c = s.cp[i]
        run = run + 1 if c == 46 else 0
        if run == 3:
            ellipses += 1
            run = 0
        hashes += c == 35
        ellipses += c == 0x2026
        bracket |= c == 91
        if c == 123:
            flags |= CURLY
        letters_j |= c | np.uint32(32) == 106
    out[LETTERS] |= np.uint64(hashes) << np.uint64(32)
    out[DOTS] |= np.uint64(ellipses)
    last = s.cp[n - 1]
    if s.cp[0] == 0x2022 or s.cp[0] == 45:
        flags |= BULLET
    if last == 46 and n >= 3 and s.cp[n - 2] == 46 and s.cp[n - 3] == 46:
        flags |= DOTS_END | ELLIPSIS_END
    if last == 0x2026:
        flags |= ELLIPSIS_END
    if s.cl[n - 1] & TERMINAL:
        flags |= TERMINAL_END
    if last == 46 or last == 63 or last == 33 or last == 34 or last == 39:
        flags |= C4_END
    if bracket and _citation(s, n):
        flags |= CITATION
    if letters_j and n >= 10 and _contains(s, n, _JS):
        flags |= JAVASCRIPT
    return flags | _phrase_flags(s, n)


@njit(nogil=True, cache=True)
def _low(c: Any) -> Any:
    """Return the character that ``str.lower`` makes of a code point, where that is ASCII (U+212A becomes k)."""
    if c >= 65 and c <= 90:
        return c | np.uint32(32)
    return np.uint32(107) if c == 0x212A else c


@njit(nogil=True, cache=True)
def _at(s: Any, n: int, at: int, word: Any) -> bool:
    """Tell whether the lower-case form of the chunk has ``word`` at ``at``."""
    if at < 0 or at + len(word) > n:
        return False
    same = True
    for i in range(len(word)):
        same &= _low(s.cp[at + i]) == word[i]
    return same


@njit(nogil=True, cache=True)
def _contains(s: Any, n: int, word: Any) -> bool:
    """Tell whether the lower-case form of the chunk contains ``word``."""
    found = False
    for at in range(n - len(word) + 1):
        found |= _at(s, n, at, word)
    return found


@njit(nogil=True, cache=True)
def _phrase_flags(s: Any, n: int) -> int:
    """Return which parts of phrases the chunk begins or ends with, or is."""
    flags = 0
    first, last = _low(s.cp[0]), _low(s.cp[n - 1])
    if last == 109 and _at(s, n, n - 5, _LOREM):
        flags |= ENDS_LOREM
    if last == 115:
        flags |= ENDS_TERMS if _at(s, n, n - 5, _TERMS) else 0
        flags |= ENDS_USES if _at(s, n, n - 4, _USES) else 0
    if last == 121 and _at(s, n, n - 7, _PRIVACY):
        flags |= ENDS_PRIVACY
    if last == 101:
        flags |= ENDS_COOKIE if _at(s, n, n - 6, _COOKIE) else 0
        flags |= ENDS_USE if _at(s, n, n - 3, _USE) else 0
    if n == 2 and _at(s, n, 0, _OF):
        flags |= IS_OF
    if first == 105 and _at(s, n, 0, _IPSUM):
        flags |= BEGINS_IPSUM
    if first == 117 and _at(s, n, 0, _USE):
        flags |= BEGINS_USE
    if first == 112 and _at(s, n, 0, _POLICY):
        flags |= BEGINS_POLICY
    if first == 99 and _at(s, n, 0, _COOKIES):
        flags |= BEGINS_COOKIES
    return flags


@njit(nogil=True, cache=True)
def _citation(s: Any, n: int) -> bool:  # noqa: C901
    """Tell whether the chunk holds ``[12]``, ``[]`` or ``[edit]``, or ends with ``[citation``."""
    for i in range(n):
        if s.cp[i] != 91:
            continue
        j = i + 1
        while j < n and s.cl[j] & ND:
            j += 1
        if j < n and s.cp[j] == 93:
            return True
        exact = True
        word = _EDIT
        if i + len(word) <= n:
            for k in range(len(word)):
                exact &= s.cp[i + k] == word[k]
            if exact:
                return True
        word2 = _CITATION
        if i + len(word2) == n:
            exact = True
            for k in range(len(word2)):
                exact &= s.cp[i + k] == word2[k]
            if exact:
                return True
    return False
