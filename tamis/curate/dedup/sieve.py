"""The tasks of the sieve: shingle sets of the candidates, the greedy pass over a batch, and where pairs end up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.flow import load_pairs, save_pairs
from tamis.curate.dedup.greedy import gather, sieve
from tamis.curate.dedup.records import RECORD, Records, keeper_order
from tamis.stage import ShardView
from tamis.text import TextBatch
from tamis.text.shingles import Shingling, shingle_set


def candidate_sets(view: ShardView, shingling: Shingling, batches: Path, base: int, out: Path) -> dict[str, Any]:
    """Write the shingle sets of the rows of one shard that share a bucket with another document.

    The text is read again for these rows only: storing the shingles of all rows in the first pass takes longer and
    several times the disk. Writes ``hashes.npy`` (sets, one after the other) and ``offsets.npy``.
    """
    docs = np.load(batches / "docs.npy", mmap_mode="r")
    start, end = bisect_left(docs, base), bisect_left(docs, base + view.rows)
    rows = np.asarray(docs[start:end], np.int64) - base
    sizes = [np.zeros(1, np.int64)]
    at = 0
    with (out / "hashes.bin").open("wb") as file:
        for table in view.batches(["text"]) if len(rows) else ():
            low, high = np.searchsorted(rows, [at, at + len(table)]).tolist()
            found = shingle_set(TextBatch(table["text"].take(rows[low:high] - at)), shingling)
            found.hashes.tofile(file)
            sizes.append(np.diff(found.offsets))
            at += len(table)
    offsets = np.cumsum(np.concatenate(sizes))
    np.save(out / "offsets.npy", offsets)
    return {"sets": len(rows), "shingles": int(offsets[-1])}


def sieve_batch(
    batches: Path,
    which: int,
    sources: Sequence[tuple[Path, Path]],
    bases: Sequence[int],
    settings: tuple[float, int],
    out: Path,
) -> dict[str, Any]:
    """Sieve one batch of components; write its pairs of removed document and keeper.

    Args:
        batches: Folder of ``batches_of``.
        which: Number of the batch.
        sources: Record folder and set folder of each shard.
        bases: Number of the first document of each shard, and the total.
        settings: Threshold, and how many kept documents a bucket remembers.
        out: Gets ``removed.npy``.
    """
    all_docs = np.load(batches / "docs.npy")
    mine = np.load(batches / "batch.npy") == which
    docs = all_docs[mine].astype(np.int64)
    cuts = np.searchsorted(all_docs, np.array(bases, np.int64))
    own_cuts = np.searchsorted(docs, np.array(bases, np.int64)).tolist()
    rows_in_sets = np.flatnonzero(mine)
    records, sizes = np.empty(len(docs), RECORD), np.zeros(len(docs), np.int64)
    places: list[tuple[Path, NDArray[np.int64], slice]] = []
    for position, (folder, sets) in enumerate(sources):
        own = slice(own_cuts[position], own_cuts[position + 1])
        if own.start == own.stop:
            continue
        records[own] = Records(folder).all[docs[own] - bases[position]]
        chosen = rows_in_sets[own] - cuts[position]
        sizes[own] = np.diff(np.load(sets / "offsets.npy"))[chosen]
        places.append((sets, chosen, own))
    best = keeper_order(records)
    rank = np.empty(len(docs), np.int64)
    rank[best] = np.arange(len(docs))
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[best])])
    hashes = np.empty(int(bounds[-1]), np.uint64)
    for sets, chosen, own in places:
        stored = np.memmap(sets / "hashes.bin", np.uint64, "r")
        gather(stored, np.load(sets / "offsets.npy"), (chosen, bounds[:-1][rank[own]]), hashes)
    buckets_of, bucket_sizes = _buckets(batches, which, docs, rank)
    keeper, value, overflow, compared = sieve((hashes, bounds), buckets_of, bucket_sizes, settings)
    gone = np.flatnonzero(keeper >= 0)
    save_pairs(out, docs[best[gone]], docs[best[keeper[gone]]], value[gone])
    return {"removed": len(gone), "overflow": int(overflow), "compared": int(compared)}


def _buckets(
    batches: Path, which: int, docs: NDArray[np.int64], rank: NDArray[np.int64]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]:
    """Return bounds and buckets of each document by rank, and the bounds that the sizes of the buckets make."""
    ranks, buckets = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for i in range(len(list(batches.glob("members-*.npy")))):
        start, end = np.load(batches / f"sections-{i}.npy")[which : which + 2]
        members = np.load(batches / f"members-{i}.npy", mmap_mode="r")[start:end]
        ranks.append(rank[np.searchsorted(docs, members["doc"])])
        buckets.append(np.asarray(members["bucket"]))
    by_doc = np.concatenate(ranks)
    _, numbers, counts = np.unique(np.concatenate(buckets), return_inverse=True, return_counts=True)
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(by_doc, minlength=len(docs)))])
    order = np.argsort(by_doc, kind="stable")
    return (bounds, numbers[order]), np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def final_pairs(collapsed: Path, sieved: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write all pairs of the stage, each pointing at a document that stays.

    A document that was collapsed into an equal one follows it: if that one was removed, to its keeper and with its
    similarity, since the two have the same shingles.
    """
    equal, near = np.load(collapsed / "removed.npy"), load_pairs(sieved)
    keeper, value = equal["keeper"].copy(), equal["value"].copy()
    at = np.searchsorted(near["doc"], keeper)
    moved = at < len(near)
    moved[moved] = near["doc"][at[moved]] == keeper[moved]
    keeper[moved], value[moved] = near["keeper"][at[moved]], near["value"][at[moved]]
    save_pairs(
        out,
        np.concatenate([equal["doc"], near["doc"]]),
        np.concatenate([keeper, near["keeper"]]),
        np.concatenate([value, near["value"]]),
    )
    return {"removed": len(equal) + len(near), "equal": len(equal)}
