"""Hashes of the runs of units of a shard, sorted and on disk; a range of them is read in few pieces.

``items.bin`` holds part after part of ``ITEM`` by rising hash, ``index.npy``, of shape (4097, parts), where in each
part the leading twelve bits change. Within a part a hash occurs once: the others with that hash lie in ``links.bin``,
each with the best of them. So a line that stands on every page costs one item a part, not one a page.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.records import keeper_order, read_records

ITEM: Final = np.dtype([("hash", "<u8", 2), ("row", "<u4"), ("unit", "<u4")])
"""128-bit hash of a run of units, its row, and the number of its first unit."""

LINK: Final = np.dtype([("key", "<u8"), ("best", "<u8")])
"""A run that a better place has too, and the best place: document or row in the upper half, unit in the lower."""

PART_ITEMS: Final = 1 << 20
"""Items of a part: 25 MB, and about twice as much again while they are sorted."""

MOST_BITS: Final = 12
UPPER: Final = np.uint64(32)
LOWER: Final = np.uint64(0xFFFFFFFF)


class RunWriter:
    """Collects runs of units row by row and writes them part by part; use as a context manager, then ``finish``.

    Args:
        out: Folder to write in.
        records: Record folder of the shard: which row keeps its copy.
        every: Whether the best place of a hash that occurs twice is linked (to itself) as well.
        room: Items of a part.
    """

    def __init__(self, out: Path, records: Path, every: bool = False, room: int = PART_ITEMS) -> None:
        from tamis.text.windows import Found  # compiled kernels: only workers load them

        self._out, self._records, self._every = out, records, every
        self.found = Found.empty(room)
        self.held = 0
        self.total = 0
        self._items = (out / "items.bin").open("wb")
        self._links = (out / "links.bin").open("wb")
        self._index: list[NDArray[np.int64]] = []
        self._firsts: list[int] = []
        self._n_links = [0]

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._items.close()
        self._links.close()

    def filled(self, held: int) -> None:
        """Take note of how many items lie in ``found``; write them when it is full."""
        self.held = held
        if held == len(self.found.hashes):
            self._flush()

    def finish(self) -> None:
        """Write what is still held."""
        self._flush()
        index = np.array(self._index, np.int64).reshape(-1, (1 << MOST_BITS) + 1)
        np.save(self._out / "index.npy", np.ascontiguousarray(index.T))
        np.save(self._out / "firsts.npy", np.array(self._firsts, np.uint64))
        np.save(self._out / "links.npy", np.array(self._n_links, np.int64))

    def _flush(self) -> None:
        if not self.held:
            return
        hashes, places = self.found.hashes[: self.held], self.found.places[: self.held]
        self._firsts.append((int(places[0, 0]) << 32) | int(places[0, 1]))
        order = np.argsort(hashes[:, 0])
        items = np.empty(self.held, ITEM)
        items["hash"], items["row"], items["unit"] = hashes[order], places[order, 0], places[order, 1]
        items, links = self._collapse(items)
        edges = np.arange(1 << MOST_BITS, dtype=np.uint64) << np.uint64(64 - MOST_BITS)
        cuts = np.append(np.searchsorted(np.ascontiguousarray(items["hash"][:, 0]), edges), len(items))
        self._index.append(cuts + self.total)
        self.total += len(items)
        items.tofile(self._items)
        links.tofile(self._links)
        self._n_links.append(self._n_links[-1] + len(links))
        self.held = 0

    def _collapse(self, items: NDArray[np.void]) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Return the items with each hash once, in the best place, and the links of the others to it, by place."""
        shared = np.flatnonzero(not_alone(np.ascontiguousarray(items["hash"][:, 0])))
        rows, which = np.unique(items["row"][shared], return_inverse=True)
        rank = np.empty(len(rows), np.int64)
        rank[keeper_order(read_records(self._records, rows.astype(np.int64)))] = np.arange(len(rows))
        members = items[shared]
        best, first = best_first(members["hash"], rank[which], members["unit"])
        keys = packed(members["row"], members["unit"])[best]
        heads = np.flatnonzero(first)
        group = np.cumsum(first) - 1
        linked = ~first
        if self._every:
            sizes = np.bincount(group)
            linked |= (sizes > 1)[group]
        links = np.empty(int(linked.sum()), LINK)
        links["key"], links["best"] = keys[linked], keys[heads][group][linked]
        gone = np.zeros(len(items), np.bool_)
        gone[shared[best[~first]]] = True
        return items[~gone], links[np.argsort(links["key"])]


def not_alone(values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which of the rising values occur more than once."""
    found = np.zeros(len(values), np.bool_)
    same = values[1:] == values[:-1]
    found[1:] = same
    found[:-1] |= same
    return found


def best_first(
    hashes: NDArray[np.uint64], rank: NDArray[np.int64], units: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the order by hash, then rank of the document, then unit, and where in it a hash begins."""
    halves = np.ascontiguousarray(hashes.T)
    place = (rank.astype(np.uint64) << UPPER) | units
    order = np.lexsort((place, halves[0]))
    first = _changes(halves[0][order])
    second = _changes(halves[1][order])
    if (second & ~first).any():  # equal in the first half alone: all but never
        order = np.lexsort((place, halves[1], halves[0]))
        first = _changes(halves[0][order]) | _changes(halves[1][order])
    return order, first


def _changes(values: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which values differ from the one before; the first does."""
    found = np.ones(len(values), np.bool_)
    found[1:] = values[1:] != values[:-1]
    return found


def packed(upper: NDArray[np.uint32], lower: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return two halves as one number."""
    return (upper.astype(np.uint64) << UPPER) | lower


def read_range(folder: Path, part: int, bits: int) -> NDArray[np.void]:
    """Return the items of a shard in one range of the leading ``bits`` of the hash."""
    index = np.load(folder / "index.npy", mmap_mode="r")
    step = 1 << (MOST_BITS - bits)
    starts, ends = index[part * step].tolist(), index[(part + 1) * step].tolist()
    size = ITEM.itemsize
    pieces = [
        np.fromfile(folder / "items.bin", ITEM, end - start, offset=start * size)
        for start, end in zip(starts, ends, strict=True)
        if start < end
    ]
    return np.concatenate([np.empty(0, ITEM), *pieces])
