"""Document numbers over all shards, and where what is known of them lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.keys import read_keys, row_width
from tamis.curate.dedup.records import RECORD, read_records
from tamis.errors import TamisError
from tamis.stage import Done, ShardView

MOST_DOCUMENTS = 1 << 32
"""Document numbers have 32 bits: pairs, buckets and components are half as large for it."""


NONE: Final = np.uint32(0xFFFFFFFF)
"""Component of a document that shares no bucket."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """Document numbers: those of an index first, then position of the shard's first row plus row.

    Shards are put in the order of their content keys, so that not even file names or arrival decide between two
    documents that differ in nothing. Numbers never order keepers before that.
    """

    order: tuple[int, ...]
    """Which of the given shards comes 0th, 1st …"""
    fixed: tuple[int, ...]
    """Rows of each generation of an index; their documents stay whatever comes."""
    bases: tuple[int, ...]
    """Number of the first document of each generation, then of each shard, and the total at the end."""

    @classmethod
    def of(cls, shards: Sequence[ShardView], fixed: Sequence[int] = ()) -> Numbering:
        """Number the documents of an index with generations of ``fixed`` rows, and of these shards."""
        order = tuple(sorted(range(len(shards)), key=lambda i: (shards[i].key, shards[i].index)))
        bases = tuple(accumulate((*fixed, *(shards[i].rows for i in order)), initial=0))
        if bases[-1] > MOST_DOCUMENTS:
            raise TamisError(
                f"{bases[-1]} documents in one deduplication, expected at most {MOST_DOCUMENTS}; split the corpus"
            )
        return cls(order, tuple(fixed), bases)

    @property
    def total(self) -> int:
        """Documents in all shards and in the index."""
        return self.bases[-1]

    @property
    def width(self) -> int:
        """Low bits of a packed key that hold a document number."""
        return row_width(self.total)

    def given(self, done: Sequence[Done]) -> list[Done]:
        """Put results of the shards in this order back into the order in which the shards were given."""
        back: list[Done | None] = [None] * len(self.order)
        for position, one in zip(self.order, done, strict=True):
            back[position] = one
        return [one for one in back if one is not None]


@dataclass(frozen=True, slots=True)
class Layout:
    """The record folders of all documents by number; travels with tasks."""

    numbers: Numbering
    folders: tuple[Path, ...]
    """Record folder of each generation of an index, then of each shard."""
    whole: bool = False
    """Whether the shards' own keys are whole, not packed; those of an index always are."""

    @property
    def bases(self) -> tuple[int, ...]:
        """Number of the first document of each folder, and the total."""
        return self.numbers.bases

    @property
    def n_fixed(self) -> int:
        """Documents of the index: the first ones by number."""
        return sum(self.numbers.fixed)

    def __iter__(self) -> Iterator[tuple[int, Path, int]]:
        """Yield position, folder and base of each folder."""
        return iter([(i, folder, base) for i, (folder, base) in enumerate(zip(self.folders, self.bases, strict=False))])

    def keys(self, band: int, part: int, bits: int) -> Iterator[tuple[int, NDArray[np.uint64], NDArray[np.uint32]]]:
        """Yield base, keys and rows of a range of a band, folder by folder; keys keep what all folders have of them.

        Where keys are packed, only the bits above the row are left of each.
        """
        width = np.uint64(self.numbers.width)
        for position, folder, base in self:
            whole = self.whole or position < len(self.numbers.fixed)
            keys, rows = read_keys(folder, band, part, bits, whole)
            if rows is None:
                rows = (keys & ((np.uint64(1) << width) - np.uint64(1))).astype(np.uint32)
            if not self.whole:
                keys = keys >> width << width
            yield base, keys, rows

    def by_folder(self, docs: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield position of the folder, places in ``docs``, and rows in the folder, for documents in any order."""
        bases = np.array(self.bases, np.int64)
        if (docs[1:] >= docs[:-1]).all():
            order, cuts = np.arange(len(docs)), np.searchsorted(docs, bases)
        else:
            where = np.searchsorted(bases[1:], docs, side="right")
            order = np.argsort(where, kind="stable")
            cuts = np.searchsorted(where[order], np.arange(len(self.folders) + 1))
        for position in np.flatnonzero(np.diff(cuts)).tolist():
            at = order[cuts[position] : cuts[position + 1]]
            yield position, at, docs[at].astype(np.int64) - self.bases[position]

    def records(self, docs: NDArray[Any]) -> NDArray[np.void]:
        """Return the records of documents by number."""
        found = np.empty(len(docs), RECORD)
        for position, at, rows in self.by_folder(docs):
            found[at] = read_records(self.folders[position], rows)
        return found
