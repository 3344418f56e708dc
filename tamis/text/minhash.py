"""MinHash signatures and band keys, straight from Arrow buffers.

A signature is bit-identical to ``datasketch.MinHash(permutations, seed, scheme=scheme)`` (datasketch 2.0) fed the upper
32 bits of the same shingle hashes, so that its LSH can be used with ours. Agreement of two signatures estimates Jaccard
(Broder, 1997). Permutation k of the upper half x of a shingle hash is, and the signature keeps the least value of each,

- ``affine32`` (default): ``a[k] * fmix(x) + b[k]`` modulo 2**32 with odd ``a[k]`` and the finaliser of MurmurHash3
  (Appleby, 2011);
- ``legacy``, that of datasketch before 2.0, for indexes that exist: ``(a[k] * x + b[k]) % (2**61 - 1)`` cut to 32 bits.
  It is slower, and its values collide, so that large sets seem more alike than they are.

The kernels are in ``tamis.text.permutations`` and loaded with the first text: parameters can be checked without them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.errors import UsageError
from tamis.text.batch import TextBatch
from tamis.text.shingling import Shingling

SCHEMES: Final = ("affine32", "legacy")

_PRIME: Final = (1 << 61) - 1


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
    scheme: str = "affine32"

    def __post_init__(self) -> None:
        if not 1 <= self.permutations <= 1 << 16:
            raise UsageError(f"permutations is {self.permutations}, expected 1 to 65536")
        if not 0 <= self.seed < 1 << 32:
            raise UsageError(f"seed is {self.seed}, expected 0 to 4294967295")
        if self.scheme not in SCHEMES:
            raise UsageError(f"scheme {self.scheme!r} is not known; use one of {', '.join(SCHEMES)}")

    @property
    def identity(self) -> dict[str, Any]:
        """All that a signature depends on besides the text; unlike ones are refused, never compared."""
        return {
            "shingle": self.shingling.identity,
            "permutations": self.permutations,
            "seed": self.seed,
            "scheme": self.scheme,
        }

    @cached_property
    def coefficients(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The a and b of the permutations, drawn as datasketch draws them: uint32, or uint64 for ``legacy``."""
        draw = np.random.RandomState(self.seed)
        if self.scheme == "legacy":
            pairs = [
                (draw.randint(1, _PRIME, dtype=np.uint64), draw.randint(0, _PRIME, dtype=np.uint64))
                for _ in range(self.permutations)
            ]
            return np.array([a for a, _ in pairs], np.uint64), np.array([b for _, b in pairs], np.uint64)
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
        from tamis.text.permutations import sign
        from tamis.text.shingles import scratch, walking

        n = len(batch)
        found = BandKeys(np.empty((bands, n), np.uint64), np.empty((n, 2), np.uint64), np.empty(n, np.int64))
        neither = (np.empty(0, np.uint32),) * 2, (np.empty(0, np.uint64),) * 2
        a, b = self.coefficients
        both = (*neither[0], a, b) if self.scheme == "legacy" else (a, b, *neither[1])
        texts, how = (batch.data, batch.starts, batch.ends), (walking(self.shingling), rows)
        sign(texts, self.shingling.points.arrays, how, both, scratch(self.shingling), found, signatures)
        return found


def warm() -> None:
    """Compile every kernel of signatures, or load it from numba's cache."""
    batch = TextBatch(pa.array(["a b\n", "中文 é", None, ""]))
    MinHasher(Shingling("word", 2), 8).band_keys(batch, 2, 2)
