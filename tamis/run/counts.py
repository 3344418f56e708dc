"""The data bill of a stage: documents, bytes, characters and tokens in and out, by reason and by source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

UNITS: Final = ("documents", "bytes", "characters", "tokens")
Size = list[int]


def _sum(into: Size, other: Iterable[int]) -> None:
    """Add sizes in place."""
    for number, value in enumerate(other):
        into[number] += value


class Counts:
    """Sums over batches; plain() gives what a task returns, merge() sums those of all shards."""

    def __init__(self) -> None:
        self.came: Size = [0, 0, 0, 0]
        self.kept: Size = [0, 0, 0, 0]
        self.gone: dict[str, dict[str, Size]] = {"dropped": {}, "failed": {}}
        self.sources: dict[str, list[int]] = {}
        self.notes: dict[str, int] = {}

    def add(self, batch: pa.Table, removed: pa.Table) -> None:
        """Count a batch (with ``source`` and the measured columns) and what was removed from it."""
        sizes = np.stack([np.asarray(batch.column(f"size.{unit}").to_numpy()) for unit in UNITS[1:]], axis=1)
        stays = np.ones(batch.num_rows, np.bool_)
        _sum(self.came, _total(sizes))
        if removed.num_rows:
            rows = removed.column("row").to_numpy()
            stays[rows] = False
            for (outcome, reason), chosen in _groups(removed.select(["outcome", "reason"])):
                _sum(self.gone[outcome].setdefault(reason, [0, 0, 0, 0]), _total(sizes[rows[chosen]]))
        _sum(self.kept, _total(sizes[stays]))
        self.add_sources(batch.column("source"), stays)

    def add_sources(self, names: pa.Array | pa.ChunkedArray, stays: NDArray[np.bool_]) -> None:
        """Count rows in and kept by the file they came from: ``source`` less ``#`` and the position."""
        if not len(names):
            return
        import pyarrow.compute as pc

        split = pc.split_pattern(names, "#", max_splits=1, reverse=True)
        files = pc.list_element(split, 0).dictionary_encode()
        for chunk in files.chunks if isinstance(files, pa.ChunkedArray) else [files]:
            numbers = chunk.indices.to_numpy()
            here, stays = stays[: len(numbers)], stays[len(numbers) :]
            came = np.bincount(numbers, minlength=len(chunk.dictionary))
            kept = np.bincount(numbers[here], minlength=len(chunk.dictionary))
            for name, more, stayed in zip(chunk.dictionary.to_pylist(), came.tolist(), kept.tolist(), strict=True):
                pair = self.sources.setdefault(name, [0, 0])
                pair[0] += more
                pair[1] += stayed

    def rewritten(self, batch: pa.Table, changed: Mapping[str, pa.Array], stays: NDArray[np.bool_]) -> None:
        """Correct what is kept where texts were changed, and note how many were."""
        before = np.stack([np.asarray(batch.column(f"size.{unit}").to_numpy()) for unit in UNITS[1:]], axis=1)[stays]
        after = np.stack([changed[f"size.{unit}"].to_numpy() for unit in UNITS[1:]], axis=1)[stays]
        shrunk = before.sum(axis=0) - after.sum(axis=0)
        for number, (unit, value) in enumerate(zip(UNITS[1:], shrunk, strict=True), 1):
            self.kept[number] -= int(value)
            if value:
                self.note({f"{unit}_cut_from_kept": int(value)})

    def note(self, notes: Mapping[str, int]) -> None:
        """Add to named counts."""
        for name, value in notes.items():
            self.notes[name] = self.notes.get(name, 0) + int(value)

    def plain(self) -> dict[str, Any]:
        """Return the counts as a JSON-able dict."""
        return {"in": self.came, "kept": self.kept, **self.gone, "sources": self.sources, "notes": self.notes}


def _groups(table: pa.Table) -> Iterator[tuple[tuple[str, ...], NDArray[np.bool_]]]:
    """Yield each distinct row of string columns and a mask of where it stands, in order of first appearance."""
    coded = [column.combine_chunks().dictionary_encode() for column in table.columns]
    number = np.zeros(table.num_rows, np.int64)
    for column in coded:
        number = number * len(column.dictionary) + column.indices.to_numpy()
    for first in np.sort(np.unique(number, return_index=True)[1]).tolist():
        yield tuple(column[first].as_py() for column in coded), number == number[first]


def _total(sizes: NDArray[np.int64]) -> Size:
    """Return documents, bytes, characters and tokens of some rows."""
    return [len(sizes), *(int(value) for value in sizes.sum(axis=0))]


def merge(parts: Iterable[Mapping[str, Any]]) -> Counts:
    """Sum the counts of all shards of a stage; the order of the parts does not matter."""
    total = Counts()
    for part in parts:
        _sum(total.came, part["in"])
        _sum(total.kept, part["kept"])
        for outcome in ("dropped", "failed"):
            for reason, size in part[outcome].items():
                _sum(total.gone[outcome].setdefault(reason, [0, 0, 0, 0]), size)
        for name, (came, kept) in part["sources"].items():
            pair = total.sources.setdefault(name, [0, 0])
            pair[0] += came
            pair[1] += kept
        total.note(part["notes"])
    return total
