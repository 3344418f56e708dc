"""From buckets to batches: parts of the corpus that share no bucket, so that each can be sieved by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.bands import read_buckets
from tamis.curate.dedup.layout import NONE, Layout
from tamis.curate.dedup.records import read_tokens
from tamis.stage import ShardView
from tamis.text import TextBatch
from tamis.text.minhash import MinHasher

GIANT: Final = 65_536
"""Documents of a component above which its weak links are looked for; the same on every machine."""

SMALL_BUCKET: Final = 64
"""Members of a bucket up to which all its pairs are looked at for weak links; those of a larger one are all joined."""

ROOTS: Final = 1 << 24
"""Roots weighed at one time, 12 bytes each."""

SECTION: Final = np.dtype([("doc", "<u4"), ("bucket", "<u4")])


@dataclass(frozen=True, slots=True)
class Weights:
    """What a document of a batch takes: bytes by itself and per token, and the bytes a batch may have."""

    each: int
    per_token: int
    limit: int


def components(layout: Layout, buckets: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write ``parent.bin``: of each document the least number in its component, NONE where it shares no bucket.

    ``big.npy`` has the roots of components of more than ``GIANT`` documents.
    """
    from tamis.curate.dedup.union import flatten, join  # compiled kernels: only workers load them

    parent = np.arange(layout.bases[-1], dtype=np.uint32)
    for folder in buckets:
        join(parent, *read_buckets(folder))
    flatten(parent)
    return _finish(parent, out)


def _finish(parent: NDArray[np.uint32], out: Path) -> dict[str, Any]:
    """Take out documents that are alone, and write what was found."""
    from tamis.curate.dedup.union import drop_single, tally

    total, candidates, big = 0, 0, []
    for low in range(0, len(parent), ROOTS):
        high = min(low + ROOTS, len(parent))
        weight, count = np.zeros(high - low, np.int64), np.zeros(high - low, np.uint32)
        for base in range(low, len(parent), ROOTS):  # a root is the least number of its component
            none = np.zeros(min(ROOTS, len(parent) - base), np.uint32)
            tally(parent, none, (base, low, high), (0, 0), (weight, count))
        drop_single(parent, count, low)
        total += int((count > 1).sum())
        candidates += int(count[count > 1].sum())
        big.append(np.flatnonzero(count > GIANT) + low)
    np.save(out / "big.npy", np.concatenate([np.empty(0, np.int64), *big]))
    parent.tofile(out / "parent.bin")
    return {"components": total, "candidates": candidates, "big": sum(map(len, big))}


def read_parent(folder: Path, start: int = 0, end: int | None = None) -> NDArray[np.uint32]:
    """Return the roots of some documents."""
    count = -1 if end is None else end - start
    return np.fromfile(folder / "parent.bin", np.uint32, count, offset=4 * start)


def sketches(view: ShardView, hasher: MinHasher, parent: Path, base: int, out: Path) -> dict[str, Any]:
    """Write the low byte of each signature value of the documents of big components: ``docs.npy``, ``sketch.bin``."""
    big = np.load(parent / "big.npy")
    rows = np.flatnonzero(np.isin(read_parent(parent, base, base + view.rows), big))
    at = 0
    with (out / "sketch.bin").open("wb") as file:
        for table in view.batches(["text"]) if len(rows) else ():
            low, high = np.searchsorted(rows, [at, at + table.num_rows]).tolist()
            if low < high:
                texts = TextBatch(table.column("text").take(rows[low:high] - at))
                (hasher.signatures(texts) & np.uint32(0xFF)).astype(np.uint8).tofile(file)
            at += table.num_rows
    np.save(out / "docs.npy", (rows + base).astype(np.uint32))
    return {"sketches": len(rows)}


def least_agreement(threshold: float, permutations: int) -> int:
    """Return how many of the values two signatures must share for their link to count: threshold - 5 sigma.

    Agreement of signatures is binomial with the Jaccard similarity (Broder, 1997): a pair at the threshold falls below
    this once in 3.5 million.
    """
    sigma = math.sqrt(threshold * (1 - threshold) / permutations)
    return max(1, math.ceil((threshold - 5 * sigma) * permutations))


def without_weak_links(
    layout: Layout, buckets: Sequence[Path], found: tuple[Path, Sequence[Path]], rule: tuple[int, int], out: Path
) -> dict[str, Any]:
    """Join big components anew, by links between documents whose signatures agree; writes what ``components`` does.

    Args:
        layout: The documents by number.
        buckets: Folders of the buckets.
        found: Folder of ``components``, folders of ``sketches``.
        rule: Least agreement, and number of permutations.
        out: Where to write.
    """
    from tamis.curate.dedup.union import flatten, join_strong

    before, made = found
    parent = read_parent(before)
    big = np.load(before / "big.npy")
    docs = np.concatenate([np.load(folder / "docs.npy") for folder in made])
    files = [np.fromfile(folder / "sketch.bin", np.uint8) for folder in made]
    held = np.concatenate(files).reshape(-1, rule[1])
    del files
    parent[docs] = docs
    for folder in buckets:
        members, bounds = read_buckets(folder)
        at = np.searchsorted(docs, members)
        at[at == len(docs)] = 0
        wanted = docs[at[bounds[:-1]]] == members[bounds[:-1]]
        join_strong(parent, (members, bounds, at), wanted, held, (rule[0], SMALL_BUCKET))
    flatten(parent)
    split = _finish(parent, out)
    return {**split, "split": len(big)}


def batches(layout: Layout, parent: Path, weights: Weights, out: Path) -> dict[str, Any]:
    """Pack components into batches by weight: ``starts.npy`` has the first root of each, rising.

    A component heavier than a batch may be has one of its own, and its number in ``giants``. How components are packed
    decides nothing but memory.
    """
    from tamis.curate.dedup.union import pack, tally

    roots = read_parent(parent)
    state = np.array([0, -1])
    starts, heavy = [np.empty(0, np.uint32)], []
    begun = 0
    for low in range(0, len(roots), ROOTS):
        high = min(low + ROOTS, len(roots))
        weight, count = np.zeros(high - low, np.int64), np.zeros(high - low, np.uint32)
        for _, folder, base in layout:
            tally(roots, read_tokens(folder), (base, low, high), (weights.each, weights.per_token), (weight, count))
        new = np.empty(high - low, np.uint32)
        made = pack(weight, count, (low, weights.limit), state, new)
        starts.append(new[:made].copy())
        begun += made
        heavy.append(np.flatnonzero((weight > weights.limit) & (count > 1)) + low)
    first = np.concatenate(starts)
    np.save(out / "starts.npy", first)
    giants = np.searchsorted(first, np.concatenate([np.empty(0, np.int64), *heavy]))
    return {"batches": begun, "giants": giants.tolist()}


def section_of(starts: NDArray[np.uint32], roots: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the batch of each root, -1 where there is none."""
    found: NDArray[np.int64] = np.searchsorted(starts, roots, side="right") - 1
    found[roots == NONE] = -1
    return found
