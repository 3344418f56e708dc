"""Pairs of kept documents that are nearly duplicates, found anew: without anything a deduplication left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.curate.dedup.parameters import probability
from tamis.errors import UsageError
from tamis.run.corpus import Corpus
from tamis.text import TextBatch
from tamis.text.minhash import MinHasher
from tamis.text.shingles import shingle_set

RECALL: Final = 0.9999
"""Least probability with which the bands of an audit find a pair at the threshold."""

LOWEST: Final = 0.75
"""Pairs are of interest from this share of the threshold on."""

NEIGHBOURS: Final = 16
"""Members of a bucket that each member is paired with, those with the next document numbers."""

CANDIDATES: Final = 1 << 18
"""Pairs remembered while bands are searched, those whose signatures agree most."""

EXACT: Final = 20_000
"""Pairs of these that are compared exactly."""

RANGE_KEYS: Final = 8_000_000
"""Band keys sorted at one time."""

_BLOCK: Final = 1 << 14
_K1, _K2, _S29 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(29)
_S32, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)

Pairs = NDArray[np.uint64]
"""The lesser document number in the upper 32 bits, the greater in the lower."""


@dataclass(frozen=True, slots=True)
class Found:
    """Pairs of kept documents, most alike first, and what the search looked at."""

    pairs: tuple[tuple[str, str, float], ...]
    documents: int
    candidates: int
    """Pairs that shared a bucket and whose signatures agree enough to be remembered."""
    compared: int


def audit_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """Return bands and rows that find a pair at the threshold with probability ``RECALL``, or single rows."""
    for rows in range(permutations, 1, -1):
        if probability(threshold, permutations // rows, rows) >= RECALL:
            return permutations // rows, rows
    return permutations, 1


def disk_needed(corpus: Corpus, hasher: MinHasher, threshold: float) -> int:
    """Return the bytes of temporary files that ``near_pairs`` writes before it compares."""
    bands, _ = audit_bands(threshold, hasher.permutations)
    return sum(int(entry["rows"]) for entry in corpus.parts) * (hasher.permutations * 4 + bands * 8)


def near_pairs(corpus: Corpus, hasher: MinHasher, threshold: float, scratch: Path) -> Found:
    """Return pairs of kept documents of about ``LOWEST`` times the threshold or more, most alike first.

    Out of core: signatures and band keys lie in files of ``scratch``, a band is sorted by ranges of its keys, and the
    documents are read once to be signed and once for the shingles of the ``EXACT`` pairs whose signatures agree most.
    In memory: ``RANGE_KEYS`` keys, ``CANDIDATES`` pairs, one batch of texts.
    """
    total = sum(entry["rows"] for entry in corpus.parts)
    if total < 2:
        return Found((), total, 0, 0)
    if total > 1 << 32:
        raise UsageError(f"audit of {total} documents, expected at most {1 << 32}")
    bands, rows = audit_bands(threshold, hasher.permutations)
    signatures, keys = _signed(corpus, hasher, (total, bands, rows), scratch)
    least = int(np.ceil(LOWEST * threshold * hasher.permutations))
    pairs, agree = np.empty(0, np.uint64), np.empty(0, np.int64)
    for band in range(bands):
        for packed, width in _ranges(keys[band], total):
            new, agreement = _agreeing(signatures, _bucket_pairs(packed, width), least)
            pairs, agree = _most_alike(np.concatenate([pairs, new]), np.concatenate([agree, agreement]), CANDIDATES)
    chosen, _ = _most_alike(pairs, agree, EXACT)
    found = _compared(corpus, hasher, chosen, scratch)
    return Found(tuple(found), total, len(pairs), len(chosen))


def _signed(
    corpus: Corpus, hasher: MinHasher, shape: tuple[int, int, int], scratch: Path
) -> tuple[NDArray[Any], NDArray[np.uint64]]:
    """Write the signatures (documents, permutations) and band keys (bands, documents) of the kept documents."""
    total, bands, rows = shape
    keys = np.lib.format.open_memmap(scratch / "keys.npy", "w+", np.uint64, (bands, total))
    signatures: NDArray[Any] | None = None
    done = 0
    for table in corpus.tables(columns=["text"]):
        signed = hasher.signatures(TextBatch(table.column("text")))
        if signatures is None:
            signatures = np.lib.format.open_memmap(
                scratch / "signatures.npy", "w+", signed.dtype, (total, hasher.permutations)
            )
        signatures[done : done + len(signed)] = signed
        for band in range(bands):
            key = np.full(len(signed), band, np.uint64)
            for row in range(band * rows, (band + 1) * rows):
                key = (key ^ signed[:, row].astype(np.uint64)) * _K1
                key = (key ^ (key >> _S29)) * _K2
            keys[band, done : done + len(signed)] = key
        done += len(signed)
    assert signatures is not None
    return signatures, keys


def _ranges(keys: NDArray[np.uint64], total: int) -> Iterator[tuple[NDArray[np.uint64], np.uint64]]:
    """Yield the keys of a band range by range, sorted, the document number packed into the low bits, and how many."""
    bits = max(0, -(-total // RANGE_KEYS) - 1).bit_length()
    width = np.uint64(max(1, (total - 1).bit_length()))
    for part in range(1 << bits):
        packed = [np.empty(0, np.uint64)]
        for start in range(0, total, RANGE_KEYS):
            block = np.asarray(keys[start : start + RANGE_KEYS])
            numbers = np.arange(start, start + len(block), dtype=np.uint64)
            if bits:
                inside = block >> np.uint64(64 - bits) == part
                block, numbers = block[inside], numbers[inside]
            packed.append(block >> width << width | numbers)
        sorted_keys = np.concatenate(packed)
        sorted_keys.sort()
        yield sorted_keys, width


def _bucket_pairs(packed: NDArray[np.uint64], width: np.uint64) -> Iterator[Pairs]:
    """Yield pairs of documents with equal keys, each with the next ``NEIGHBOURS`` of its bucket, in blocks."""
    mask = (np.uint64(1) << width) - np.uint64(1)
    keys = packed >> width
    for step in range(1, NEIGHBOURS + 1):
        at = np.flatnonzero(keys[step:] == keys[:-step])
        if not len(at):
            return
        for start in range(0, len(at), _BLOCK):
            here = at[start : start + _BLOCK]
            yield (packed[here] & mask) << _S32 | packed[here + step] & mask


def _agreeing(signatures: NDArray[Any], blocks: Iterator[Pairs], least: int) -> tuple[Pairs, NDArray[np.int64]]:
    """Return the pairs whose signatures agree in ``least`` values or more, and in how many."""
    pairs, agree = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    held = 0
    for block in blocks:
        left = signatures[(block >> _S32).astype(np.int64)]
        equal = (left == signatures[(block & _LOW).astype(np.int64)]).sum(axis=1)
        good = equal >= least
        pairs.append(block[good])
        agree.append(equal[good])
        held += int(good.sum())
        if held > 2 * CANDIDATES:
            best = _most_alike(np.concatenate(pairs), np.concatenate(agree), CANDIDATES)
            pairs, agree, held = [best[0]], [best[1]], len(best[0])
    return np.concatenate(pairs), np.concatenate(agree)


def _most_alike(pairs: Pairs, agree: NDArray[np.int64], most: int) -> tuple[Pairs, NDArray[np.int64]]:
    """Return the pairs, each once and rising, whose signatures agree most; between equals the lesser numbers."""
    pairs, first = np.unique(pairs, return_index=True)
    agree = agree[first]
    if len(pairs) > most:
        best = np.sort(np.lexsort((pairs, -agree))[:most])
        pairs, agree = pairs[best], agree[best]
    return pairs, agree


def _compared(corpus: Corpus, hasher: MinHasher, pairs: Pairs, scratch: Path) -> list[tuple[str, str, float]]:
    """Return ids and exact Jaccard similarity of the pairs, most alike first."""
    left, right = (pairs >> _S32).astype(np.int64), (pairs & _LOW).astype(np.int64)
    wanted = np.unique(np.concatenate([left, right]))
    ids: list[str] = []
    bounds = [0]
    base = 0
    with (scratch / "sets.bin").open("wb") as out:
        for table in corpus.tables(columns=["id", "text"]):
            inside = wanted[np.searchsorted(wanted, base) : np.searchsorted(wanted, base + table.num_rows)] - base
            base += table.num_rows
            if not len(inside):
                continue
            taken = table.take(pa.array(inside))
            ids += taken.column("id").to_pylist()
            sets = shingle_set(TextBatch(taken.column("text")), hasher.shingling)
            out.write(np.ascontiguousarray(sets.hashes[: sets.offsets[-1]]).tobytes())
            bounds += (sets.offsets[1:] + bounds[-1]).tolist()
    if not ids:
        return []
    hashes = np.memmap(scratch / "sets.bin", np.uint64, "r")
    places = zip(np.searchsorted(wanted, left).tolist(), np.searchsorted(wanted, right).tolist(), strict=True)
    found = [(_jaccard(hashes[bounds[a] : bounds[a + 1]], hashes[bounds[b] : bounds[b + 1]]), a, b) for a, b in places]
    return [(ids[a], ids[b], value) for value, a, b in sorted(found, key=lambda one: (-one[0], one[1:]))]


def _jaccard(one: NDArray[np.uint64], two: NDArray[np.uint64]) -> float:
    """Return the Jaccard similarity of two sorted sets, none of them empty."""
    few, many = (one, two) if len(one) <= len(two) else (two, one)
    at = np.minimum(np.searchsorted(many, few), len(many) - 1)
    both = int((many[at] == few).sum())
    return both / (len(one) + len(two) - both)
