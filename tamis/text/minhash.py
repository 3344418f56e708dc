"""MinHash signatures and band keys, straight from Arrow buffers.

A signature is bit-identical to ``datasketch.MinHash(permutations, seed, scheme="affine32")`` (datasketch 2.0) fed the
upper 32 bits of the same shingle hashes, so that its LSH can be used with ours. Scheme: the shingle hash goes through
the MurmurHash3 finaliser (Appleby, 2011), permutation k is ``a[k] * x + b[k]`` modulo 2**32 with odd ``a[k]``, and the
signature keeps the least value of each. Agreement of two signatures estimates Jaccard (Broder, 1997).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.errors import UsageError
from tamis.text.batch import TextBatch
from tamis.text.shingles import Shingling, raw_hash, roll, scan_tokens, token_space
from tamis.text.words import mix

SCHEME: Final = "affine32"
LANES: Final = 8
"""Shingles that go through all permutations in one pass: the signature is loaded and stored once for eight."""

_BIG = np.uint32(0xFFFFFFFF)
_M1, _M2 = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
_K1, _K2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_S29, _S35, _S31, _S33, _S32 = np.uint64(29), np.uint64(35), np.uint64(31), np.uint64(33), np.uint64(32)


class BandKeys(NamedTuple):
    """What near-duplicate search needs of each text of a batch."""

    keys: NDArray[np.uint64]
    """Shape (bands, n): texts with equal keys in a band agree in all rows of that band."""
    streams: NDArray[np.uint64]
    """Shape (n, 2): 128-bit hash of the token stream; equal streams have equal shingles."""
    tokens: NDArray[np.int64]
    """Shape (n,): tokens of each text."""


@dataclass(frozen=True)
class MinHasher:
    """MinHash with everything that two signatures must share to be comparable."""

    shingling: Shingling = field(default_factory=Shingling)
    permutations: int = 128
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.permutations <= 1 << 16:
            raise UsageError(f"permutations is {self.permutations}, expected 1 to 65536")
        if not 0 <= self.seed < 1 << 32:
            raise UsageError(f"seed is {self.seed}, expected 0 to 4294967295")

    @property
    def identity(self) -> dict[str, Any]:
        """All that a signature depends on besides the text; unlike ones are refused, never compared."""
        return {
            "shingle": self.shingling.identity,
            "permutations": self.permutations,
            "seed": self.seed,
            "scheme": SCHEME,
        }

    @cached_property
    def coefficients(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """The a and b of the permutations, drawn as datasketch draws them."""
        draw = np.random.RandomState(self.seed)
        a = draw.randint(0, 1 << 31, self.permutations, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        b = draw.randint(0, 1 << 32, self.permutations, dtype=np.uint64)
        return a.astype(np.uint32), b.astype(np.uint32)

    def signatures(self, batch: TextBatch) -> NDArray[np.uint32]:
        """Return the signature of each text, uint32 of shape (n, permutations)."""
        out = np.empty((len(batch), self.permutations), np.uint32)
        self._run(batch, 0, 0, out)
        return out

    def band_keys(self, batch: TextBatch, bands: int, rows: int) -> BandKeys:
        """Return the keys of ``bands`` bands of ``rows`` signature values each; signatures themselves are not kept."""
        if bands < 1 or rows < 1 or bands * rows > self.permutations:
            raise UsageError(
                f"bands x rows is {bands} x {rows}, expected at least 1 x 1 and at most {self.permutations}"
                " values, the number of permutations"
            )
        return self._run(batch, bands, rows, np.empty((0, self.permutations), np.uint32))

    def _run(self, batch: TextBatch, bands: int, rows: int, signatures: NDArray[np.uint32]) -> BandKeys:
        n = len(batch)
        found = BandKeys(np.empty((bands, n), np.uint64), np.empty((n, 2), np.uint64), np.empty(n, np.int64))
        space = token_space(batch, self.shingling.by_char)
        shingles = np.empty(len(space) + LANES, np.uint64)
        kind = (self.shingling.by_char, self.shingling.n, rows)
        texts = (batch.data, batch.starts, batch.ends)
        _sign(texts, self.shingling.points.arrays, kind, self.coefficients, (space, shingles), found, signatures)
        return found


def warm() -> None:
    """Compile every kernel of this module, or load it from numba's cache."""
    batch = TextBatch(pa.array(["a b\n", "中文 é", None, ""]))
    MinHasher(Shingling("word", 2), 8).band_keys(batch, 2, 2)


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
    """Set ``least`` to the signature of ``count`` shingles; there is room for ``LANES`` more behind them."""
    # Repeating the last shingle changes no minimum and saves the loop for what is left over.
    for i in range(count, (count + LANES - 1) // LANES * LANES):
        shingles[i] = shingles[count - 1]
    least[:] = _BIG
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
def _stream(tokens, count, out):  # type: ignore[no-untyped-def]
    """Write a 128-bit hash of a token stream into ``out``."""
    h1, h2 = np.uint64(count), ~np.uint64(count)
    for i in range(count):
        h1 = (h1 ^ tokens[i]) * _K1
        h1 = h1 << _S29 | h1 >> _S35
        h2 = (h2 + tokens[i]) * _K2
        h2 = h2 << _S31 | h2 >> _S33
    out[0] = mix(h1)
    out[1] = mix(h2)


@numba.njit(nogil=True, cache=True)
def _sign(texts, points, kind, coefficients, space, found, signatures):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    data, starts, ends = texts
    chars, n, rows = kind
    a, b = coefficients
    tokens, shingles = space
    least = np.empty(len(a), np.uint32)
    for doc in range(len(starts)):
        count = scan_tokens(data, starts[doc], ends[doc], points, chars, tokens)
        found.tokens[doc] = count
        if count:
            total = roll(tokens, count, n, shingles)
        else:
            total = np.int64(1)
            shingles[0] = raw_hash(data, starts[doc], ends[doc])
            tokens[0] = shingles[0]
        _stream(tokens, max(count, 1), found.streams[doc])
        _permute(shingles, total, a, b, least)
        if len(signatures):
            signatures[doc] = least
        for band in range(len(found.keys)):
            key = np.uint64(band)
            for row in range(rows):
                key = mix(key + np.uint64(least[band * rows + row]) + _K1)
            found.keys[band, doc] = key
