"""Reading the rows of a shard: base rows in batches that fit the processor's cache, layers alongside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.storage import byte_lengths, row_groups

BATCH_BYTES: Final = 1 << 20
"""Text bytes after which a batch ends: what stages make of it stays in the processor's cache."""

BATCH_ROWS: Final = 8192
"""Rows after which a batch ends, however short: enough that the cost of a batch does not show."""

BLIND_ROWS: Final = 256
"""Rows after which a batch ends whose texts lie in a layer, so that their sizes are not known when it is cut."""

ROW: Final = "row"


def row_numbers(path: Path) -> NDArray[np.uint32]:
    """Read the row numbers of a layer."""
    found = [group.column(ROW).to_numpy() for group in row_groups(path, [ROW])]
    return np.concatenate(found, dtype=np.uint32) if found else np.zeros(0, np.uint32)


def base_batches(
    path: Path, columns: Sequence[str], wanted: NDArray[np.uint32] | None, most: int = BATCH_ROWS
) -> Iterator[tuple[NDArray[np.uint32], pa.Table]]:
    """Yield base rows with their numbers in batches of ``most`` rows or fewer; a group with no wanted row is not read.

    Nothing a stage writes may depend on where batches end.
    """
    with pq.ParquetFile(path, pre_buffer=False) as file:
        names = list(columns) or [file.schema_arrow.names[0]]
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            if wanted is None:
                inside = np.arange(start, stop, dtype=np.uint32)
            else:  # bounds of the array's own type: numpy would copy the whole array to compare it with an int
                inside = wanted[np.searchsorted(wanted, np.uint32(start)) : np.searchsorted(wanted, np.uint32(stop))]
            if len(inside):
                # The reader keeps what it decodes from until it ends: a group at a time, memory is free while judged.
                yield from _batches(file.read_row_group(group, names, use_threads=False), start, inside, most)
            start = stop


def _batches(
    table: pa.Table, start: int, inside: NDArray[np.uint32], most: int
) -> Iterator[tuple[NDArray[np.uint32], pa.Table]]:
    """Cut one row group, which starts at row ``start`` of the base, into batches of the rows ``inside``."""
    local = inside - np.uint32(start)
    bounds = _bounds(table, most)
    for low, high in pairwise(bounds):
        first, last = np.searchsorted(local, np.array([low, high], np.uint32))
        if first == last:
            continue
        part = table.slice(low, high - low)
        if last - first < high - low:
            part = part.take(pa.array(local[first:last] - np.uint32(low)))
        yield inside[first:last], part


def _bounds(table: pa.Table, most: int) -> list[int]:
    """Return where to cut a table: at ``BATCH_BYTES`` of text or ``most`` rows, whichever comes first."""
    if "text" not in table.schema.names:
        return [*range(0, table.num_rows, most), table.num_rows]
    ends = np.cumsum(byte_lengths(table.column("text")))
    bounds = [0]
    while bounds[-1] < table.num_rows:
        before = ends[bounds[-1] - 1] if bounds[-1] else 0
        full = int(np.searchsorted(ends, before + BATCH_BYTES)) + 1
        bounds.append(min(full, bounds[-1] + most, table.num_rows))
    return bounds


class Cursor:
    """Reads a layer alongside the base: asked for rising rows, it never goes back."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._groups = row_groups(path, [ROW, *columns])
        self._held: list[pa.Table] = []
        self._numbers = np.zeros(0, np.uint32)

    def take(self, rows: NDArray[np.uint32]) -> pa.Table:
        """Return the layer's rows with these base row numbers."""
        while not len(self._numbers) or self._numbers[-1] < rows[-1]:
            more = next(self._groups)
            self._held.append(more)
            self._numbers = np.concatenate([self._numbers, more.column(ROW).to_numpy()])
        table = pa.concat_tables(self._held)
        low = int(np.searchsorted(self._numbers, rows[0]))
        high = int(np.searchsorted(self._numbers, rows[-1], side="right"))
        part, numbers = table.slice(low, high - low), self._numbers[low:high]
        self._held, self._numbers = [table.slice(high)], self._numbers[high:]
        return part if len(part) == len(rows) else part.take(pa.array(np.searchsorted(numbers, rows)))
