"""Shingle sets of the documents that share a bucket, written in sections: one for each batch of the sieve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.bands import read_buckets
from tamis.curate.dedup.components import SECTION, read_parent, section_of
from tamis.curate.dedup.layout import NONE, Layout
from tamis.curate.dedup.records import RECORD, read_records
from tamis.stage import ShardView
from tamis.text import TextBatch
from tamis.text.shingling import Shingling

ENTRY: Final = np.dtype([("record", RECORD), ("doc", "<u4"), ("root", "<u4"), ("size", "<u8")])
"""One document of a section: its record, number, component, and how many shingles it has."""

HELD: Final = 64 << 20
"""Bytes of sets that are held, where there is memory for them, before they are sorted by section and written."""


@dataclass(frozen=True, slots=True)
class Sections:
    """How documents are told into sections: batches, and blocks of components too large for one."""

    parent: Path
    """Folder of ``components``."""
    batches: Path
    """Folder of ``batches``."""
    blocks: Path | None = None
    """Folder of ``blocks``, where there are such components."""

    def of(self, docs: NDArray[Any], roots: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the section of documents by their roots; -1 for those that share no bucket."""
        found = section_of(np.load(self.batches / "starts.npy"), roots)
        if self.blocks is not None:
            inside = np.load(self.blocks / "docs.npy", mmap_mode="r")
            at = np.searchsorted(inside, docs)
            at[at == len(inside)] = 0
            here = inside[at] == docs
            found[here] = np.load(self.blocks / "sections.npy", mmap_mode="r")[at[here]]
        return found


class Section(NamedTuple):
    """The documents of one section, by rising number, and their sets."""

    entries: NDArray[np.void]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]


class SetWriter:
    """Writes entries and sets, grouped by section in runs of bounded size."""

    def __init__(self, out: Path, room: int = HELD) -> None:
        self._out, self._room = out, room
        self._entries = (out / "entries.bin").open("wb")
        self._hashes = (out / "hashes.bin").open("wb")
        self._held: list[tuple[NDArray[np.void], NDArray[np.int64], NDArray[np.uint64]]] = []
        self._bytes = 0
        self._at = [0, 0]
        self._table: list[tuple[int, int, int, int]] = []
        self.sets = 0

    def add(self, entries: NDArray[np.void], sections: NDArray[np.int64], hashes: NDArray[np.uint64]) -> None:
        """Add documents with their sections and their sets, one after the other."""
        self._held.append((entries, sections, hashes))
        self._bytes += entries.nbytes + hashes.nbytes
        self.sets += len(entries)
        if self._bytes >= self._room:
            self._flush()

    def finish(self) -> None:
        """Write what is held, and the table of sections."""
        self._flush()
        self._entries.close()
        self._hashes.close()
        table = np.array(self._table, np.int64).reshape(-1, 4)
        np.save(self._out / "sections.npy", table[np.argsort(table[:, 0], kind="stable")])

    def _flush(self) -> None:
        if not self._held:
            return
        from tamis.curate.dedup.greedy import gather  # compiled kernels: only workers load them

        entries = np.concatenate([entries for entries, _, _ in self._held])
        sections = np.concatenate([sections for _, sections, _ in self._held])
        hashes = np.concatenate([hashes for _, _, hashes in self._held])
        self._held, self._bytes = [], 0
        order = np.argsort(sections, kind="stable")
        sizes = entries["size"].astype(np.int64)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        targets = np.cumsum(sizes[order]) - sizes[order]
        sorted_hashes = np.empty(len(hashes), np.uint64)
        gather(hashes, offsets, (order, targets), sorted_hashes)
        entries[order].tofile(self._entries)
        sorted_hashes.tofile(self._hashes)
        sections = sections[order]
        known, begins = np.unique(sections, return_index=True)
        ends = np.append(begins[1:], len(sections))
        for section, begin, end in zip(known.tolist(), begins.tolist(), ends.tolist(), strict=False):
            at, hashes_at = self._at
            self._table.append((section, at + begin, at + end, hashes_at + int(targets[begin])))
        self._at = [self._at[0] + len(entries), self._at[1] + len(hashes)]


def entries_of(folder: Path, rows: NDArray[np.int64], base: int, roots: NDArray[np.uint32]) -> NDArray[np.void]:
    """Return the entries of rows of a folder, sizes still 0."""
    entries = np.zeros(len(rows), ENTRY)
    entries["record"], entries["doc"], entries["root"] = read_records(folder, rows), rows + base, roots
    return entries


def candidate_sets(
    view: ShardView, shingling: Shingling | None, where: tuple[Path, int], sections: Sections, room: int, out: Path
) -> dict[str, Any]:
    """Write entries and sets of the documents of one shard that share a bucket with another document.

    The text is read again for these rows only: storing the shingles of all rows in the first pass takes longer and
    several times the disk. Without a ``shingling`` sets are empty. ``where`` is the record folder and its first number,
    ``room`` the bytes of sets to hold.
    """
    folder, base = where
    roots = read_parent(sections.parent, base, base + view.rows)
    rows = np.flatnonzero(roots != NONE)
    section = sections.of(rows + base, roots[rows])
    entries = entries_of(folder, rows, base, roots[rows])
    writer = SetWriter(out, room)
    if shingling is None:
        writer.add(entries, section, np.empty(0, np.uint64))
    else:
        for low, high, hashes in _sets_of(view, shingling, rows, entries):
            writer.add(entries[low:high], section[low:high], hashes)
    writer.finish()
    return {"sets": writer.sets}


def _sets_of(
    view: ShardView, shingling: Shingling, rows: NDArray[np.int64], entries: NDArray[np.void]
) -> Iterator[tuple[int, int, NDArray[np.uint64]]]:
    """Yield first and last + 1 of the rows of each batch of texts, and their sets; fills in the sizes."""
    from tamis.text.shingles import shingle_set

    at = 0
    for table in view.batches(["text"]) if len(rows) else ():
        low, high = np.searchsorted(rows, [at, at + table.num_rows]).tolist()
        if low < high:
            texts = table.column("text")
            chosen = texts if high - low == table.num_rows else texts.take(rows[low:high] - at)
            found = shingle_set(TextBatch(chosen), shingling)
            entries["size"][low:high] = np.diff(found.offsets)
            yield low, high, found.hashes
        at += table.num_rows


def read_section(folders: Sequence[Path], section: int) -> Section:
    """Return the documents of a section from the set folders of all shards, by rising number."""
    entries, hashes = [np.empty(0, ENTRY)], [np.empty(0, np.uint64)]
    for folder in folders:
        table = np.load(folder / "sections.npy")
        start, end = np.searchsorted(table[:, 0], [section, section + 1]).tolist()
        for _, first, last, at in table[start:end].tolist():
            some = np.fromfile(folder / "entries.bin", ENTRY, last - first, offset=first * ENTRY.itemsize)
            entries.append(some)
            hashes.append(np.fromfile(folder / "hashes.bin", np.uint64, int(some["size"].sum()), offset=at * 8))
    every = np.concatenate(entries)
    starts = np.cumsum(every["size"].astype(np.int64)) - every["size"].astype(np.int64)
    return Section(every, starts, hashes[1] if len(hashes) == 2 else np.concatenate(hashes))


def members(layout: Layout, buckets: Path, sections: Sections, out: Path) -> dict[str, Any]:
    """Write the members of the buckets of one task by section: ``members.bin`` and ``cuts.npy``."""
    docs, bounds = read_buckets(buckets)
    roots = _roots(sections.parent, docs)
    section = sections.of(docs, roots)
    table = np.empty(len(docs), SECTION)
    table["doc"], table["bucket"] = docs, np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    del docs, roots
    chosen = np.flatnonzero(section >= 0)
    # Sixteen bits sort by counting.
    small = section[chosen].astype(np.uint16 if len(section) and section.max() < 1 << 16 else np.int64)
    order = chosen[np.argsort(small, kind="stable")]
    table[order].tofile(out / "members.bin")
    known, starts = np.unique(section[order], return_index=True)
    np.save(out / "cuts.npy", np.stack([known, starts, np.append(starts[1:], len(order))], axis=1))
    return {"members": len(order)}


def _roots(parent: Path, docs: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the roots of documents in any order; the file is mapped only while they are copied."""
    mapped = np.memmap(parent / "parent.bin", np.uint32, "r")
    found: NDArray[np.uint32] = np.array(mapped[docs])
    return found


def read_members(folders: Sequence[Path], section: int) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Return documents and buckets of a section, bucket after bucket; buckets are numbered alike in all sections."""
    docs, buckets = [np.empty(0, np.uint32)], [np.empty(0, np.uint64)]
    for number, folder in enumerate(folders):
        cuts = np.load(folder / "cuts.npy")
        at = int(np.searchsorted(cuts[:, 0], section))
        if at < len(cuts) and cuts[at, 0] == section:
            start, end = int(cuts[at, 1]), int(cuts[at, 2])
            some = np.fromfile(folder / "members.bin", SECTION, end - start, offset=start * SECTION.itemsize)
            docs.append(some["doc"])
            buckets.append(some["bucket"].astype(np.uint64) | np.uint64(number << 32))
    return np.concatenate(docs), np.concatenate(buckets)
