"""The greedy pass over components too large for one batch: in rounds, with the same result.

The documents of such a component are cut into blocks in keeper order. A round sieves the next block by itself, then
compares what is undecided of every later block with what this one kept, block by block, each a task of its own. When a
block's turn comes, all better documents have been decided and it has been compared with all of them that stay: a
document is decided when all better candidates are, as in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.components import Weights, read_parent, section_of
from tamis.curate.dedup.layout import NONE, Layout
from tamis.curate.dedup.pairs import PAIR, PAIRS, save_pairs
from tamis.curate.dedup.records import RECORD, keeper_order, read_records
from tamis.curate.dedup.sieve import VERIFY, Ranked, Rule, Verdicts, judge, ranked

KEPT: Final = ("docs", "hashes", "starts", "ends", "keys", "begins", "members")
"""Arrays that a sieved block leaves for later ones; one file each."""

Sources = tuple[Sequence[Path], Sequence[Path]]


def blocks(layout: Layout, found: tuple[Path, Path], plan: tuple[list[int], int, Weights], out: Path) -> dict[str, Any]:
    """Cut large components into blocks of keeper order, no heavier than ``weights.limit``.

    Args:
        layout: The documents by number.
        found: Folders of ``components`` and ``batches``.
        plan: Batches that hold such a component, number of the first block, weights.
        out: Gets ``docs.npy`` (rising) and ``sections.npy``: the block of each document, as a section.
    """
    parent, packed = found
    giants, first, weights = plan
    starts = np.load(packed / "starts.npy")
    every: list[NDArray[np.uint32]] = []
    sections: list[NDArray[np.uint32]] = []
    chains: list[list[int]] = []
    for batch in giants:
        docs, records = _documents(layout, parent, starts, batch)
        best = keeper_order(records, docs < layout.n_fixed)
        cost = weights.each + weights.per_token * (records["tokens"][best].astype(np.int64) + 1)
        block = _cut(cost, weights.limit)
        section = np.empty(len(docs), np.uint32)
        section[best] = block + first
        chains.append(list(range(first, first + int(block[-1]) + 1)))
        first = chains[-1][-1] + 1
        every.append(docs)
        sections.append(section)
    docs, section = np.concatenate(every), np.concatenate(sections)
    order = np.argsort(docs)
    np.save(out / "docs.npy", docs[order])
    np.save(out / "sections.npy", section[order])
    return {"chains": chains}


def _documents(
    layout: Layout, parent: Path, starts: NDArray[np.uint32], batch: int
) -> tuple[NDArray[np.uint32], NDArray[np.void]]:
    """Return the documents of one component, rising, and their records."""
    docs, records = [np.empty(0, np.uint32)], [np.empty(0, RECORD)]
    for position, folder, base in layout:
        roots = read_parent(parent, base, layout.bases[position + 1])
        rows = np.flatnonzero((section_of(starts, roots) == batch) & (roots != NONE))
        if len(rows):
            docs.append((rows + base).astype(np.uint32))
            records.append(read_records(folder, rows))
    return np.concatenate(docs), np.concatenate(records)


def _cut(cost: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Return the block of each document, filled one after the other; every block has at least one document."""
    block = np.empty(len(cost), np.int64)
    ends = np.cumsum(cost)
    start = number = done = 0
    while start < len(cost):
        stop = max(int(np.searchsorted(ends, done + limit, side="right")), start + 1)
        block[start:stop] = number
        start, number, done = stop, number + 1, int(ends[stop - 1])
    return block


def _gone(these: Ranked, compared: Sequence[Path]) -> NDArray[np.bool_]:
    """Tell which documents earlier comparisons removed."""
    found = [np.fromfile(folder / PAIRS, PAIR)["doc"] for folder in compared]
    removed = np.concatenate([np.empty(0, np.uint32), *found])
    gone: NDArray[np.bool_] = np.isin(these.docs, removed)
    return gone


def sieve_block(
    sources: Sources, section: int, before: tuple[Sequence[Path], Sequence[Path]], rule: Rule, out: Path
) -> dict[str, Any]:
    """Sieve one block after all better ones; write its pairs, and what it kept for the later ones.

    ``before`` is the folders of the better blocks, and of the comparisons of this block with them.
    """
    these = ranked(sources, section, rule.n_fixed)
    filled = np.zeros(len(these.keys), np.int64)
    for folder in before[0]:
        keys = np.load(folder / "keys.npy")
        at = np.searchsorted(keys, these.keys)
        at[at == len(keys)] = 0
        here = keys[at] == these.keys if len(keys) else np.zeros(len(at), np.bool_)
        filled[here] += np.diff(np.load(folder / "begins.npy"))[at[here]]
    found = judge(these, rule, filled, _gone(these, before[1]))
    gone = np.flatnonzero(found.keeper >= 0)
    save_pairs(out, these.docs[gone], these.docs[found.keeper[gone]], found.value[gone])
    _save_kept(these, found, out)
    return {"removed": len(gone), "overflow": found.overflow, "compared": found.compared}


def _save_kept(these: Ranked, found: Verdicts, out: Path) -> None:
    """Write the kept documents that a bucket remembers, their sets, and the buckets."""
    from tamis.curate.dedup.greedy import gather  # compiled kernels: only workers load them

    order = np.argsort(these.keys)  # a component's buckets have one name each
    counts = found.filled[order]
    begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    take = np.repeat(found.begins[order] - begins[:-1], counts) + np.arange(begins[-1])
    members = found.members[take]
    remembered, members = np.unique(members, return_inverse=True)
    hashes, starts, ends = these.sets
    sizes = ends[remembered] - starts[remembered]
    new_starts = np.cumsum(sizes) - sizes
    gathered = np.empty(int(sizes.sum()), np.uint64)
    offsets = np.stack([starts[remembered], ends[remembered]], axis=1).ravel()
    gather(hashes, offsets, (2 * np.arange(len(remembered)), new_starts), gathered)
    held = (these.docs[remembered], gathered, new_starts, new_starts + sizes, these.keys[order], begins, members)
    for name, array in zip(KEPT, held, strict=True):
        np.save(out / f"{name}.npy", array)


def compare_block(
    sources: Sources, section: int, against: tuple[Path, Sequence[Path]], rule: Rule, out: Path
) -> dict[str, Any]:
    """Compare what is undecided of a block with what a better one kept; write the pairs found.

    ``against`` is the folder of the better block, and those of the comparisons of this block with still better ones.
    """
    from tamis.curate.dedup.greedy import compare

    these = ranked(sources, section, rule.n_fixed)
    docs, hashes, starts, ends, keys, begins, members = (np.load(against[0] / f"{name}.npy") for name in KEPT)
    at = np.searchsorted(keys, these.keys)
    at[at == len(keys)] = 0
    known = np.where(keys[at] == these.keys, at, -1) if len(keys) else np.full(len(at), -1)
    bounds, buckets = these.buckets_of
    keeper, value = np.full(len(these.docs), -1, np.int64), np.zeros(len(these.docs))
    keeper[_gone(these, against[1])] = -2
    keeper[: these.fixed] = -2
    compared = compare(
        (these.sets, (hashes, starts, ends)),
        (bounds, known[buckets]),
        (begins, members),
        (rule.threshold, VERIFY[rule.verify]),
        (keeper, value),
    )
    gone = np.flatnonzero(keeper >= 0)
    save_pairs(out, these.docs[gone], docs[keeper[gone]], value[gone])
    return {"removed": len(gone), "overflow": 0, "compared": int(compared)}
