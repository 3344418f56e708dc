"""From band keys to batches: who shares a bucket with whom, in parts that have nothing to do with each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.greedy import join, roots
from tamis.curate.dedup.records import Records, leading

RANGE_KEYS: Final = 16_000_000
"""Keys that one range of a band should hold, 8 bytes each and as many again while they are sorted."""

GROUP_KEYS: Final = 2_000_000
"""Keys that make a task worth its while: below that it takes several bands."""

BATCH_SHINGLES: Final = 16_000_000
"""Shingles that one batch of the sieve should hold, 16 bytes each; a single component may exceed it."""

MEMBER: Final = np.dtype([("doc", "<u4"), ("bucket", "<i8")])


def band_groups(total: int, bands: int) -> list[tuple[int, int]]:
    """Return first and last + 1 of the bands that one task takes; few for many documents, by their number alone."""
    size = max(1, GROUP_KEYS // max(1, total))
    return [(first, min(first + size, bands)) for first in range(0, bands, size)]


def band_buckets(
    folders: Sequence[Path], collapsed: Path, bases: Sequence[int], which: tuple[tuple[int, int], int, int], out: Path
) -> dict[str, Any]:
    """Write the buckets of two or more documents of some bands, in one range of their keys.

    Args:
        folders: Record folder of each shard, with ``keys.npy`` of shape (bands, rows).
        collapsed: Folder with the pairs of the documents that stand in for no comparison.
        bases: Number of the first document of each shard, and the total.
        which: Bands (first, last + 1), range, and bits of the range.
        out: Gets ``docs.npy`` (bucket after bucket, rising within) and ``bounds.npy`` (where each begins, and the end).
    """
    (first, last), part, bits = which
    here = np.ones(bases[-1], np.bool_)
    here[np.load(collapsed / "removed.npy", mmap_mode="r")["doc"]] = False
    width = np.uint64(max(1, (bases[-1] - 1).bit_length()))
    docs, bounds, total = [np.empty(0, np.uint32)], [np.empty(0, np.int64)], 0
    for band in range(first, last):
        packed = [np.empty(0, np.uint64)]
        for folder, base in zip(folders, bases, strict=False):
            keys = np.array(np.load(folder / "keys.npy", mmap_mode="r")[band])
            chosen = here[base : base + len(keys)] & (leading(keys, bits) == part)
            numbers = np.flatnonzero(chosen).astype(np.uint64) + np.uint64(base)
            packed.append(keys[chosen] >> width << width | numbers)
        members, begins = _buckets(np.concatenate(packed), width)
        docs.append(members)
        bounds.append(begins + total)
        total += len(members)
    np.save(out / "docs.npy", np.concatenate(docs))
    np.save(out / "bounds.npy", np.append(np.concatenate(bounds), total))
    return {"buckets": sum(map(len, bounds)), "members": total}


def _buckets(packed: NDArray[np.uint64], width: np.uint64) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the documents whose key is not alone, bucket after bucket, and where each bucket begins.

    Key and document number are packed into one integer: sorting those in place is several times as fast as sorting
    keys with an index, for half the memory. The document takes the low bits that the total needs; what of the key is
    cut off for it can only make two keys equal by chance, and verification tells those apart.
    """
    packed.sort()
    keys = packed >> width
    same = keys[1:] == keys[:-1]
    member = np.zeros(len(keys), np.bool_)
    member[1:] = same
    member[:-1] |= same
    keys = keys[member]
    begins = np.ones(len(keys), np.bool_)
    begins[1:] = keys[1:] != keys[:-1]
    docs = packed[member] & ((np.uint64(1) << width) - np.uint64(1))
    return docs.astype(np.uint32), np.flatnonzero(begins)


def batches_of(
    buckets: Sequence[Path], folders: Sequence[Path], bases: Sequence[int], limit: int, out: Path
) -> dict[str, Any]:
    """Join documents that share a bucket into components, and pack components into batches.

    Components share no bucket, so batches can be sieved independently. How they are packed depends on the data and on
    ``limit`` (shingles of a batch) alone.

    Writes ``docs.npy`` (every document in a bucket, rising), ``batch.npy`` (its batch), and per bucket folder the
    members sorted by batch, ``members-i.npy``, with ``sections-i.npy``.
    """
    parent = np.arange(bases[-1], dtype=np.uint32)
    seen = np.zeros(bases[-1], np.bool_)
    for folder in buckets:
        members, bounds = np.load(folder / "docs.npy"), np.load(folder / "bounds.npy")
        join(parent, members, bounds)
        seen[members] = True
    docs = np.flatnonzero(seen)
    component = roots(parent, docs)
    del parent, seen
    weights = np.zeros(len(docs), np.int64)
    for folder, start, end, base in _by_shard(docs, folders, bases):
        weights[start:end] = Records(folder).all["tokens"][docs[start:end] - base] + 1
    _, component, first = _numbered(component)
    weight = np.bincount(component, weights=weights, minlength=len(first)).astype(np.int64)
    _, batch_of, used = _numbered((np.cumsum(weight) - weight) // limit)
    batch = batch_of[component].astype(np.uint32)
    np.save(out / "docs.npy", docs.astype(np.uint32))
    np.save(out / "batch.npy", batch)
    next_bucket = 0
    for i, folder in enumerate(buckets):
        members, bounds = np.load(folder / "docs.npy"), np.load(folder / "bounds.npy")
        table = np.empty(len(members), MEMBER)
        table["doc"] = members
        table["bucket"] = np.repeat(np.arange(len(bounds) - 1) + next_bucket, np.diff(bounds))
        next_bucket += len(bounds) - 1
        of = batch[np.searchsorted(docs, members)]
        np.save(out / f"members-{i}.npy", table[np.argsort(of, kind="stable")])
        np.save(out / f"sections-{i}.npy", np.searchsorted(np.sort(of), np.arange(len(used) + 1)))
    return {"batches": len(used), "candidates": len(docs), "components": len(first), "buckets": next_bucket}


def _numbered(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct values, the position of each value among them, and where each is first."""
    distinct, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return distinct, inverse, first


def _by_shard(
    docs: NDArray[np.int64], folders: Sequence[Path], bases: Sequence[int]
) -> list[tuple[Path, int, int, int]]:
    """Return (folder, start, end, base) of each shard that some of the rising document numbers lie in."""
    cuts = np.searchsorted(docs, np.array(bases, np.int64)).tolist()
    pieces = zip(folders, cuts[:-1], cuts[1:], bases[:-1], strict=True)
    return [(folder, start, end, base) for folder, start, end, base in pieces if end > start]
