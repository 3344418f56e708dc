"""Runs of units that occur in several places: found range by range, then looked up shard by shard."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.layout import Layout
from tamis.curate.dedup.records import keeper_order
from tamis.curate.dedup.runs import ITEM, LINK, MOST_BITS, UPPER, best_first, not_alone, packed, read_range

ITEM_BYTES: Final = 88
"""Memory of a range task per item: the item, its copy in order, sort keys."""

RANGE_ITEMS: Final = 4 << 20

LINKS: Final = "links.bin"


def range_bits(total: int, share: int) -> int:
    """Return how many leading bits name a range, so that the items of one take ``share`` bytes at most."""
    size = min(RANGE_ITEMS, max(share // ITEM_BYTES, 1 << 14))
    return min(MOST_BITS, max(0, -(-total // size) - 1).bit_length())


def link_range(
    layout: Layout, folders: Sequence[Path], which: tuple[int, int], every: bool, out: Path
) -> dict[str, Any]:
    """Link each place of a run that occurs again, in one range of hashes, to its best place.

    Args:
        layout: The documents by number, and their records.
        folders: Folder of ``RunWriter`` of each shard, in the order of the layout.
        which: Range, and bits of the range.
        every: Whether the best place is linked to itself as well.
        out: Gets ``links.bin`` by rising document and unit, and ``cuts.npy``, where the links of each shard begin.
    """
    found = [np.empty(0, ITEM)]
    docs = [np.empty(0, np.uint32)]
    for folder, base in zip(folders, layout.bases, strict=False):
        items = read_range(folder, *which)
        found.append(items)
        docs.append((items["row"].astype(np.int64) + base).astype(np.uint32))
    items, numbers = np.concatenate(found), np.concatenate(docs)
    del found, docs
    order = np.argsort(items["hash"][:, 0])
    shared = order[not_alone(items["hash"][order, 0])]
    items, numbers = items[shared], numbers[shared]
    distinct, which_doc = np.unique(numbers, return_inverse=True)
    rank = np.empty(len(distinct), np.int64)
    rank[keeper_order(layout.records(distinct))] = np.arange(len(distinct))
    best, first = best_first(items["hash"], rank[which_doc], items["unit"])
    keys = packed(numbers, items["unit"])[best]
    heads = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    linked = np.bincount(group, minlength=1)[group] > 1 if every else ~first
    links = np.empty(int(linked.sum()), LINK)
    links["key"], links["best"] = keys[linked], keys[heads][group][linked]
    links = links[np.argsort(links["key"])]
    links.tofile(out / LINKS)
    cuts = np.searchsorted(links["key"] >> UPPER, np.array(layout.bases, np.uint64))
    np.save(out / "cuts.npy", cuts)
    return {"links": len(links)}


@dataclass
class Linked:
    """The links of one shard, by rising row and unit, a bounded number at a time."""

    runs: Path
    """Folder of ``RunWriter``."""
    ranges: Sequence[Path]
    """Folders of ``link_range``."""
    position: int
    base: int
    """Number of the first document of the shard."""

    def __post_init__(self) -> None:
        self._firsts = np.load(self.runs / "firsts.npy").tolist()
        self._bounds = np.load(self.runs / "links.npy").tolist()
        self._at = [np.load(folder / "cuts.npy")[self.position : self.position + 2].tolist() for folder in self.ranges]
        self._next = 0
        self._held = np.empty(0, LINK)

    def before(self, stop: int) -> Iterator[NDArray[np.void]]:
        """Yield the links of rows below ``stop`` that were not given out yet, part by part of the runs.

        ``key`` holds the row of the shard; ``best`` the number of the document.
        """
        while True:
            count = int(np.searchsorted(self._held["key"], np.uint64(stop << 32)))
            links, self._held = self._held[:count], self._held[count:]
            if count:
                yield links
            if len(self._held) or self._next == len(self._firsts) or self._firsts[self._next] >> 32 >= stop:
                return
            self._held = self._part(self._next)
            self._next += 1

    def _part(self, part: int) -> NDArray[np.void]:
        """Return the links of one part of the runs: those within it, with what other parts know of their best."""
        base = np.uint64(self.base << 32)
        last = self._firsts[part + 1] + int(base) if part + 1 < len(self._firsts) else None
        others = np.concatenate([np.empty(0, LINK), *self._read(last)])
        others["key"] -= base
        others = others[np.argsort(others["key"])]
        start, end = self._bounds[part : part + 2]
        own = np.fromfile(self.runs / LINKS, LINK, end - start, offset=start * LINK.itemsize)
        at = np.searchsorted(others["key"], own["best"])
        hit = at < len(others)
        hit[hit] = others["key"][at[hit]] == own["best"][hit]
        own["best"] += base
        own["best"][hit] = others["best"][at[hit]]
        both = np.concatenate([others, own])
        _, first = np.unique(both["key"], return_index=True)
        return both[first]

    def _read(self, last: int | None) -> list[NDArray[np.void]]:
        """Read the links of every range below a key; the files lie open only while a few pages are looked at."""
        pieces = []
        for folder, bounds in zip(self.ranges, self._at, strict=True):
            start, end = bounds
            if start < end:
                if last is not None:
                    mapped = np.memmap(folder / LINKS, LINK, "r")
                    end = bisect_left(mapped, last, start, end, key=lambda link: int(link["key"]))
                pieces.append(np.fromfile(folder / LINKS, LINK, end - start, offset=start * LINK.itemsize))
                bounds[0] = end
        return pieces
