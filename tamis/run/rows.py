"""Reading the rows of a shard: base rows in batches that fit the processor's cache, layers alongside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.storage import row_groups

BATCH_BYTES: Final = 1 << 20
"""About how large a batch is: what is decoded and what stages make of it stays in the processor's cache."""

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
                yield from _group_batches(file, group, names, start, inside, most)
            start = stop


def _group_batches(
    file: pq.ParquetFile, group: int, names: list[str], start: int, inside: NDArray[np.uint32], most: int
) -> Iterator[tuple[NDArray[np.uint32], pa.Table]]:
    """Yield the rows ``inside`` of one row group, which starts at row ``start`` of the base."""
    for table in _tables(file, group, names, most):
        stop = start + table.num_rows
        low, high = np.searchsorted(inside, np.array([start, stop], np.uint32)).tolist()
        if low < high:
            rows = inside[low:high]
            yield rows, table if len(rows) == len(table) else table.take(pa.array(rows - np.uint32(start)))
        start = stop


def _tables(file: pq.ParquetFile, group: int, names: list[str], most: int) -> Iterator[pa.Table]:
    """Yield a row group in tables of about ``BATCH_BYTES``, going by its average row, and of ``most`` rows or fewer."""
    told = file.metadata.row_group(group)
    if told.num_rows == 1:  # so a huge row stands: what it was decoded from must not lie beside it while it is judged
        yield file.read_row_group(group, names, use_threads=False)
        return
    if "text" in names:
        most = max(1, min(most, told.num_rows * BATCH_BYTES // max(told.total_byte_size, 1)))
    for batch in file.iter_batches(most, row_groups=[group], columns=names, use_threads=False):
        yield pa.Table.from_batches([batch])


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
