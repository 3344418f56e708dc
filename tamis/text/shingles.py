"""Shingles: the overlapping runs of n tokens by which texts are compared, as 64-bit hashes.

What they run over is said in ``tamis.text.shingling``. A text of fewer than n tokens is one shingle of all of them. One
without any token is one shingle of its raw bytes: equal ones are duplicates of each other, "!!!" and "???" are not.

Texts are walked in pieces of ``PIECE`` bytes with the unfinished token and the last n - 1 tokens carried over, so that
scratch is small whatever the text: a text of 500 MB needs no more than one of 500 bytes, and has the same shingles as
if it were walked at once.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.pieces import AT, WALK, advance
from tamis.text.shingling import TABLE_OF, Shingling

__all__ = ["TABLE_OF", "Shingles", "Shingling", "shingle_hashes", "shingle_set"]

Hashes = NDArray[np.uint64]

PIECE: int = 1 << 16
"""Bytes of a text that are walked at once; their tokens and shingles stay in the second-level cache."""

LONG: int = 4 << 20
"""Bytes from which on the set of a text is made from pieces, without all of its shingles in memory at one time."""

TAIL: int = 1 << 20
"""Shingles that are at least gathered before they are merged into the set of a long text."""

LANES: Final = 8
"""Room behind the shingles of a piece, for kernels that take eight at a time."""

_ZERO = np.uint64(0)


class Shingles(NamedTuple):
    """The shingles of a batch, document after document, in the order of the text, repeats included."""

    hashes: Hashes
    offsets: NDArray[np.int64]
    """Shape (n + 1,)."""


def shingle_hashes(batch: TextBatch, shingling: Shingling) -> Shingles:
    """Return all shingles of each text; every text has at least one."""
    texts, points = (batch.data, batch.starts, batch.ends), shingling.points.arrays
    offsets = np.zeros(len(batch) + 1, np.int64)
    # Room for as many as there could be: pages that are never written take no memory, and texts are walked once.
    room = batch.n_bytes if shingling.by_char else batch.n_bytes // 2
    hashes = np.empty(int(room.sum()) + len(batch) + LANES, np.uint64)
    total = _fill_shingles(texts, points, walking(shingling), scratch(shingling)[0], (hashes, offsets))
    return Shingles(hashes[:total], offsets)


def shingle_set(batch: TextBatch, shingling: Shingling) -> Shingles:
    """Return the set of shingles of each text: sorted, each once.

    Beside the result this takes the shingles of the texts shorter than ``LONG``, repeats included, and for a longer
    text an eighth of its set or some megabytes.
    """
    long = np.flatnonzero(batch.n_bytes > LONG).tolist()
    if not long:
        return _sets_at_once(batch, shingling)
    found, offsets, done = np.empty(0, np.uint64), np.zeros(len(batch) + 1, np.int64), 0
    for row in [*long, len(batch)]:
        if done < row:
            hashes, bounds = _sets_at_once(TextBatch(batch.texts.slice(done, row - done)), shingling)
            total = len(found)
            offsets[done + 1 : row + 1] = total + bounds[1:]
            found.resize(total + len(hashes), refcheck=False)
            found[total:] = hashes
        if row < len(batch):
            _add_set(batch, row, shingling, found)
            offsets[row + 1] = len(found)
        done = row + 1
    return Shingles(found, offsets)


def _sets_at_once(batch: TextBatch, shingling: Shingling) -> Shingles:
    hashes, offsets = shingle_hashes(batch, shingling)
    bounds = offsets.tolist()
    for start, end in pairwise(bounds):
        # numpy's sort uses vector instructions: ten times as fast as one compiled by numba.
        hashes[start:end].sort()
    total = _unique_sorted(hashes, offsets)
    return Shingles(hashes[:total], offsets)


def _add_set(batch: TextBatch, row: int, shingling: Shingling, found: Hashes) -> None:
    """Append the set of one text to ``found``, which is resized in place: a copy would double what it takes."""
    how, points, tokens = walking(shingling), shingling.points.arrays, scratch(shingling)[0]
    text = (batch.data, batch.starts[row], batch.ends[row])
    walk = np.zeros(WALK, np.uint64)
    walk[AT] = batch.starts[row]
    first = len(found)
    while walk[AT] < batch.ends[row]:
        held = len(found) - first
        # Tails that grow with the set keep the number of merges logarithmic where nothing repeats.
        tail = np.empty(max(TAIL, held // 8) + len(tokens), np.uint64)
        used = _fill_tail(text, points, how, (tokens, tail), walk)
        tail[:used].sort()
        new = _drop_known(found[first:], tail[:used])
        found.resize(first + held + new, refcheck=False)
        _merge_back(found[first:], held, tail[:new])
        del tail  # before the next one is made


def walking(shingling: Shingling) -> tuple[bool, int, int]:
    """Return how ``advance`` is to walk."""
    return shingling.by_char, shingling.n, PIECE


def scratch(shingling: Shingling) -> tuple[Hashes, Hashes]:
    """Return room for the tokens and the shingles of a piece."""
    # A word ends at a separator or is a character of two bytes or more; a character can be one byte.
    room = (PIECE if shingling.by_char else PIECE // 2) + shingling.n + 3
    return np.empty(room, np.uint64), np.empty(room + LANES, np.uint64)


def warm() -> None:
    """Compile every kernel of this module, or load it from numba's cache."""
    batch = TextBatch(pa.array(["a b\n", "中文 é", None, ""]))
    shingle_set(batch, Shingling("word", 2))
    _add_set(batch, 0, Shingling("word", 2), np.empty(0, np.uint64))


@numba.njit(nogil=True, cache=True)
def _fill_shingles(texts, points, how, tokens, out):  # type: ignore[no-untyped-def]
    data, starts, ends = texts
    hashes, offsets = out
    walk = np.zeros(WALK, np.uint64)
    total = np.int64(0)
    for doc in range(len(starts)):
        text = (data, starts[doc], ends[doc])
        walk[:] = _ZERO
        walk[AT] = np.uint64(starts[doc])
        total += advance(text, points, how, (tokens, hashes[total:]), walk)
        while np.int64(walk[AT]) < ends[doc]:
            total += advance(text, points, how, (tokens, hashes[total:]), walk)
        offsets[doc + 1] = total
    return total


@numba.njit(nogil=True, cache=True)
def _fill_tail(text, points, how, space, walk):  # type: ignore[no-untyped-def]
    """Walk a text on until it ends or the shingles of another piece may not fit; return how many there are."""
    tokens, tail = space
    used = np.int64(0)
    while np.int64(walk[AT]) < text[2] and used + len(tokens) <= len(tail):
        used += advance(text, points, how, (tokens, tail[used:]), walk)
    return used


@numba.njit(nogil=True, cache=True)
def _unique_sorted(hashes, offsets):  # type: ignore[no-untyped-def]
    """Close up the repeats within each sorted run, in place; return the new total."""
    total = np.int64(0)
    start = offsets[0]
    for doc in range(len(offsets) - 1):
        end = offsets[doc + 1]
        for i in range(start, end):
            if i == start or hashes[i] != hashes[i - 1]:
                hashes[total] = hashes[i]
                total += 1
        start = end
        offsets[doc + 1] = total
    return total


@numba.njit(nogil=True, cache=True)
def _drop_known(known, tail):  # type: ignore[no-untyped-def]
    """Keep in ``tail``, sorted, what is new and not among ``known``, each once; return how many."""
    total = np.int64(0)
    place = np.int64(0)
    for i in range(len(tail)):
        value = tail[i]
        while place < len(known) and known[place] < value:
            place += 1
        if (place == len(known) or known[place] != value) and (total == 0 or tail[total - 1] != value):
            tail[total] = value
            total += 1
    return total


@numba.njit(nogil=True, cache=True)
def _merge_back(found, held, tail):  # type: ignore[no-untyped-def]
    """Merge ``tail`` into the ``held`` sorted values of ``found``, which has room for both, from the end."""
    a, b = held - 1, len(tail) - 1
    for place in range(len(found) - 1, -1, -1):
        if b < 0:
            return
        if a >= 0 and found[a] > tail[b]:
            found[place] = found[a]
            a -= 1
        else:
            found[place] = tail[b]
            b -= 1
