"""Exact near-duplicate pairs by brute force: a sample of documents against all, over an inverted index of shingles.

Shingles are tamis' own default (word:5, 64-bit hashes), which its tests hold against plain Python and datasketch; here
no signature and no band decides which pairs are looked at. So nothing is missed, whatever the tools do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Truth:
    """All pairs of a sampled document and any other at the threshold or above, by row number."""

    sample: NDArray[np.int64]
    sampled: NDArray[np.int64]
    """Shape (pairs,): the sampled document of each pair."""
    other: NDArray[np.int64]
    values: NDArray[np.float64]
    """Jaccard similarity of each pair."""
    documents: int


@dataclass(frozen=True, slots=True)
class Score:
    """How a list of kept documents stands against the truth."""

    pairs: int
    """Pairs with a sampled document."""
    left: int
    """Of these, pairs that are both kept: misses."""
    removable: int
    """Sampled documents in a pair."""
    lost: int
    """Sampled documents that are gone although no document at the threshold is left for them."""
    sampled: int


def files_of(path: Path) -> list[Path]:
    """Return the Parquet files of a corpus folder in order, or the file itself."""
    return sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]


def rows_of(path: Path) -> int:
    """Return how many documents there are."""
    return sum(pq.ParquetFile(file).metadata.num_rows for file in files_of(path))


def _sets(path: Path) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
    """Yield the sorted distinct shingles of batches of documents and their offsets."""
    from tamis.text import TextBatch
    from tamis.text.shingles import Shingling, shingle_set

    shingling = Shingling("word", 5)
    for one in files_of(path):
        with pq.ParquetFile(one) as file:
            for batch in file.iter_batches(500, columns=["text"]):
                found = shingle_set(TextBatch(batch.column(0).cast(pa.string())), shingling)
                yield found.hashes, found.offsets


@numba.njit(nogil=True, cache=True)
def _overlaps(hashes, offsets, index, threshold, first, out):  # type: ignore[no-untyped-def]
    """Write (sample number, document, Jaccard) of pairs at the threshold; return how many, or -1: no room."""
    slots, keys, starts, members, sizes = index
    left, right, values = out
    shared = np.zeros(len(sizes), np.int32)
    touched = np.empty(len(sizes), np.int64)
    mask = np.uint64(len(slots) - 1)
    n = np.int64(0)
    for doc in range(len(offsets) - 1):
        count = np.int64(0)
        for i in range(offsets[doc], offsets[doc + 1]):
            slot = hashes[i] & mask
            while slots[slot] >= 0 and keys[slots[slot]] != hashes[i]:
                slot = (slot + np.uint64(1)) & mask
            key = slots[slot]
            if key < 0:
                continue
            for j in range(starts[key], starts[key + 1]):
                one = members[j]
                if shared[one] == 0:
                    touched[count] = one
                    count += 1
                shared[one] += 1
        size = offsets[doc + 1] - offsets[doc]
        for k in range(count):
            one = touched[k]
            value = shared[one] / (size + sizes[one] - shared[one])
            shared[one] = 0
            if value >= threshold:
                if n == len(left):
                    return np.int64(-1)
                left[n], right[n], values[n] = one, first + doc, value
                n += 1
    return n


@numba.njit(nogil=True, cache=True)
def _fill(keys, slots):  # type: ignore[no-untyped-def]
    """Enter the numbers of distinct keys into an open-addressing table."""
    mask = np.uint64(len(slots) - 1)
    for number in range(len(keys)):
        slot = keys[number] & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = number


def exact(path: Path, sample: int, threshold: float = 0.8, seed: int = 1) -> Truth:
    """Return the pairs at the threshold of ``sample`` documents, drawn at random, with all of a file or corpus."""
    documents = rows_of(path)
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.choice(documents, min(sample, documents), replace=False))
    pieces, sizes = [], []
    first = 0
    for hashes, offsets in _sets(path):
        inside = chosen[np.searchsorted(chosen, first) : np.searchsorted(chosen, first + len(offsets) - 1)]
        for row in (inside - first).tolist():
            pieces.append(hashes[offsets[row] : offsets[row + 1]].copy())
            sizes.append(len(pieces[-1]))
        first += len(offsets) - 1
    every = np.concatenate(pieces)
    owner = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    order = np.argsort(every, kind="stable")
    keys, starts = np.unique(every[order], return_index=True)
    slots = np.full(1 << int(np.ceil(np.log2(len(keys) * 2))), -1, np.int64)
    _fill(keys, slots)
    index = (slots, keys, np.append(starts, len(every)).astype(np.int64), owner[order], np.array(sizes, np.int64))
    return _pairs(path, chosen, index, threshold, documents)


def _pairs(path: Path, chosen: NDArray[np.int64], index: tuple[NDArray, ...], threshold: float, total: int) -> Truth:
    """Go over all documents with the index of the sample."""
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    first, room = 0, 1 << 16
    for hashes, offsets in _sets(path):
        while True:
            out = (np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.float64))
            n = _overlaps(hashes, offsets, index, threshold, first, out)
            if n >= 0:
                break
            room *= 2
        found.append((out[0][:n].copy(), out[1][:n].copy(), out[2][:n].copy()))
        first += len(offsets) - 1
    left, right, values = (np.concatenate(part) for part in zip(*found, strict=True))
    apart = chosen[left] != right
    return Truth(chosen, chosen[left][apart], right[apart], values[apart], total)


def score(truth: Truth, kept: NDArray[np.bool_]) -> Score:
    """Compare what a tool kept (one value per row of the file) with the truth."""
    left = int((kept[truth.sampled] & kept[truth.other]).sum())
    covered = np.unique(truth.sampled[kept[truth.other]])
    gone = truth.sample[~kept[truth.sample]]
    lost = int((~np.isin(gone, covered)).sum())
    return Score(len(truth.sampled), left, len(np.unique(truth.sampled)), lost, len(truth.sample))


def kept_rows(out: Path, rows: int) -> NDArray[np.bool_]:
    """Return which rows of the input a tamis corpus still has; ``source`` ends in the row number."""
    flags = np.zeros(rows, np.bool_)
    for part in files_of(out):
        sources = pq.read_table(part, columns=["source"]).column("source")
        numbers = pc.cast(pc.list_element(pc.split_pattern(sources, "#", max_splits=1, reverse=True), 1), pa.int64())
        flags[numbers.to_numpy()] = True
    return flags


def kept_flags(path: Path, ids: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return which rows of a file are among the ids of an output."""
    own = pq.read_table(path, columns=["id"]).column("id")
    flags: NDArray[np.bool_] = pc.is_in(own.cast(pa.string()), value_set=ids.cast(pa.string())).to_numpy()
    return flags
