r"""Shingles: the overlapping runs of n tokens by which texts are compared, as 64-bit hashes.

``word:5`` (default) runs over the word view, so that Chinese is compared character by character; ``word-w:5`` over
``\w+`` of Python's ``re`` (the definition of published truth sets: no good for Chinese, where a clause is one run);
``char:5`` over characters after stripping and collapsing white space, case kept.

A text of fewer than n tokens is one shingle of all of them. A text without any token is one shingle of its raw bytes:
equal ones are duplicates of each other, "!!!" and "???" are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.errors import UsageError
from tamis.text.batch import TextBatch
from tamis.text.codepoints import WORD, CodePoints, load
from tamis.text.words import char_hash, decode, entry_of, mix, scan

TABLE_OF: Final = {"word": "word", "word-w": "word-w", "char": "word-char"}
"""The code-point table of each kind of token."""

HASH_VERSION: Final = 1
"""Of the token, shingle and stream hashes; raise it when one of them changes."""

BASE: Final = np.uint64(0xD6E8FEB86659FD93)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_SPACE = np.int64(32)


class Shingles(NamedTuple):
    """The shingles of a batch, document after document, in the order of the text, repeats included."""

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]
    """Shape (n + 1,)."""


@dataclass(frozen=True, slots=True)
class Shingling:
    """What a shingle is: the kind of token, a key of ``TABLE_OF``, and how many of them."""

    kind: str = "word"
    n: int = 5

    @classmethod
    def parse(cls, spec: str) -> Shingling:
        """Read ``KIND:N``, as ``word:5``; UsageError names what is allowed."""
        kind, colon, number = spec.partition(":")
        if kind not in TABLE_OF or not colon or not number.isdecimal() or not 1 <= int(number) <= 1000:
            kinds = ", ".join(f"{name}:N" for name in TABLE_OF)
            raise UsageError(f"shingle {spec!r} is not known; use one of {kinds} with N from 1 to 1000, as word:5")
        return cls(kind, int(number))

    @property
    def points(self) -> CodePoints:
        """The code-point table behind the tokens."""
        return load(TABLE_OF[self.kind])

    @property
    def by_char(self) -> bool:
        """Whether the tokens are characters."""
        return self.kind == "char"

    @property
    def identity(self) -> str:
        """All that the hashes depend on: shingles are comparable exactly where this is equal."""
        return f"{self.kind}:{self.n}, table {self.points.identity}, hash {HASH_VERSION}"


def shingle_hashes(batch: TextBatch, shingling: Shingling) -> Shingles:
    """Return all shingles of each text; every text has at least one."""
    points, chars, n = shingling.points, shingling.by_char, shingling.n
    offsets = np.zeros(len(batch) + 1, np.int64)
    tokens = token_space(batch, chars)
    _count_shingles(batch.data, batch.starts, batch.ends, points.arrays, (chars, n), (tokens, offsets))
    hashes = np.empty(int(offsets[-1]), np.uint64)
    _fill_shingles(batch.data, batch.starts, batch.ends, points.arrays, (chars, n), (tokens, offsets, hashes))
    return Shingles(hashes, offsets)


def shingle_set(batch: TextBatch, shingling: Shingling) -> Shingles:
    """Return the set of shingles of each text: sorted, each once."""
    hashes, offsets = shingle_hashes(batch, shingling)
    bounds = offsets.tolist()
    for start, end in pairwise(bounds):
        # numpy's sort uses vector instructions: ten times as fast as one compiled by numba.
        hashes[start:end].sort()
    total = _unique_sorted(hashes, offsets)
    return Shingles(hashes[:total], offsets)


def token_space(batch: TextBatch, by_char: bool) -> NDArray[np.uint64]:
    """Return scratch that holds the tokens of any one text of the batch; pages never written take no memory."""
    longest = int(batch.n_bytes.max(initial=0))
    return np.empty((longest if by_char else longest // 2) + 2, np.uint64)


def warm() -> None:
    """Compile every kernel of this module, or load it from numba's cache."""
    batch = TextBatch(pa.array(["a b\n", "中文 é", None, ""]))
    shingle_set(batch, Shingling("word", 2))


@numba.njit(nogil=True, cache=True)
def scan_chars(data, start, end, points, out):  # type: ignore[no-untyped-def]
    """Write the hash of each character of the stripped text, white space collapsed, into ``out``; return how many.

    ``out`` must hold end - start + 2 values. Bytes that are no UTF-8 count as white space.
    """
    n = np.int64(0)
    blank = np.int64(0)  # 1 where white space lies between the last character written and the next one
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
        blank = (1 - solid) & np.int64(n > 0)
    return n


@numba.njit(nogil=True, cache=True)
def scan_tokens(data, start, end, points, chars, out):  # type: ignore[no-untyped-def]
    """Write the finished hash of each token of either kind into ``out``; return how many."""
    n = scan_chars(data, start, end, points, out) if chars else scan(data, start, end, points, out)
    for i in range(n):
        out[i] = mix(out[i])
    return n


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


@numba.njit(nogil=True, cache=True)
def _count_shingles(data, starts, ends, points, kind, space):  # type: ignore[no-untyped-def]
    chars, n = kind
    tokens, offsets = space
    for doc in range(len(starts)):
        count = scan_tokens(data, starts[doc], ends[doc], points, chars, tokens)
        offsets[doc + 1] = offsets[doc] + max(count - n + 1, 1)


@numba.njit(nogil=True, cache=True)
def _fill_shingles(data, starts, ends, points, kind, space):  # type: ignore[no-untyped-def]
    chars, n = kind
    tokens, offsets, hashes = space
    for doc in range(len(starts)):
        count = scan_tokens(data, starts[doc], ends[doc], points, chars, tokens)
        out = hashes[offsets[doc] : offsets[doc + 1]]
        if count:
            roll(tokens, count, n, out)
        else:
            out[0] = raw_hash(data, starts[doc], ends[doc])


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
