"""The data bill of a stage: documents, bytes, characters and tokens in and out, by reason and by source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        rows = removed.column("row").to_numpy()
        stays = np.ones(batch.num_rows, np.bool_)
        stays[rows] = False
        _sum(self.came, _total(sizes))
        _sum(self.kept, _total(sizes[stays]))
        pairs = zip(removed.column("outcome").to_pylist(), removed.column("reason").to_pylist(), strict=True)
        for row, (outcome, reason) in zip(rows, pairs, strict=True):
            _sum(self.gone[outcome].setdefault(reason, [0, 0, 0, 0]), _total(sizes[row : row + 1]))
        self.add_sources(batch.column("source").to_pylist(), stays)

    def add_sources(self, names: Iterable[str], stays: Iterable[bool]) -> None:
        """Count rows in and kept by the file they came from."""
        for name, stay in zip(names, stays, strict=True):
            pair = self.sources.setdefault(name.rsplit("#", 1)[0], [0, 0])
            pair[0] += 1
            pair[1] += bool(stay)

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
