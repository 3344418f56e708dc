"""A shard as layers: base rows written once, and per stage which rows stay and which columns changed.

Text is written when it is extracted and when the corpus is published; every stage between writes row numbers only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.run.counts import Counts
from tamis.run.measure import MEASURES, measure
from tamis.stage import MapStage, Worker
from tamis.storage import TableWriter

BATCH_ROWS: Final = 256
"""Rows of a batch: its token arrays stay in the processor's cache."""

ROW: Final = "row"

REMOVED_ROWS_SCHEMA: Final = pa.schema(
    [
        pa.field(ROW, pa.uint32(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("rule", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("detail", pa.string()),
    ]
)
"""``removed.parquet`` of a layer: like ``stage.REMOVAL_SCHEMA``, with row numbers of the base."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one stage made of a shard: a task folder with ``layer.parquet`` and ``removed.parquet``."""

    folder: str
    label: str
    """Name of the stage in reports."""
    columns: tuple[str, ...]
    """Columns that the layer replaces or adds."""
    rows: int
    """Rows that stayed."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Base rows and the layers over them; implements ``stage.ShardView``."""

    index: int
    key: str
    base: str
    """Parquet file with ``document.SCHEMA`` and more; measured columns may lie in the first layer instead."""
    base_rows: int
    layers: tuple[Layer, ...] = ()

    @property
    def rows(self) -> int:
        """Rows still in."""
        return self.layers[-1].rows if self.layers else self.base_rows

    def with_layer(self, key: str, layer: Layer) -> Shard:
        """Return the shard after one more stage."""
        return replace(self, key=key, layers=(*self.layers, layer))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows still in, in order, with just these columns."""
        for _, table in self.numbered(columns):
            yield table

    def numbered(
        self, columns: Sequence[str], rows: NDArray[np.uint32] | None = None
    ) -> Iterator[tuple[NDArray[np.uint32], pa.Table]]:
        """Yield batches with the base row number of each row; ``rows`` (rising) asks for just these."""
        wanted = rows
        if wanted is None and self.layers:
            wanted = _row_numbers(Path(self.layers[-1].folder) / "layer.parquet")
        home = {name: self._home(name) for name in columns}
        cursors: dict[int, _Cursor] = {}
        for number in sorted({place for place in home.values() if place is not None}):
            names = [column for column in columns if home[column] == number]
            cursors[number] = _Cursor(Path(self.layers[number].folder) / "layer.parquet", names)
        below = [name for name in columns if home[name] is None]
        for numbers, table in _base_batches(Path(self.base), below, wanted):
            parts = {number: cursor.take(numbers) for number, cursor in cursors.items()}
            made = {
                name: table.column(name) if (place := home[name]) is None else parts[place].column(name)
                for name in columns
            }
            yield numbers, pa.table(made)

    def has(self, column: str) -> bool:
        """Tell whether a stage made this column."""
        return self._home(column) is not None or column in pq.read_schema(self.base).names

    def _home(self, column: str) -> int | None:
        """Return the last layer that holds a column, or None where the base holds it."""
        for number in range(len(self.layers) - 1, -1, -1):
            if column in self.layers[number].columns:
                return number
        return None


def _row_numbers(path: Path) -> NDArray[np.uint32]:
    """Read the row numbers of a layer."""
    return np.asarray(pq.read_table(path, columns=[ROW]).column(ROW).to_numpy(), dtype=np.uint32)


def _base_batches(
    path: Path, columns: Sequence[str], wanted: NDArray[np.uint32] | None
) -> Iterator[tuple[NDArray[np.uint32], pa.Table]]:
    """Yield base rows in bounded batches; row groups with no wanted row are not read."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            if wanted is None:
                inside = np.arange(start, stop, dtype=np.uint32)
            else:
                inside = wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, stop)]
            if len(inside):
                yield from _group_batches(file, group, start, inside, columns)
            start = stop


def _group_batches(
    file: pq.ParquetFile, group: int, start: int, inside: NDArray[np.uint32], columns: Sequence[str]
) -> Iterator[tuple[NDArray[np.uint32], pa.Table]]:
    """Yield the rows ``inside`` of one row group."""
    names = list(columns) or [file.schema_arrow.names[0]]
    for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=names, use_threads=False):
        stop = start + batch.num_rows
        rows = inside[np.searchsorted(inside, start) : np.searchsorted(inside, stop)]
        if len(rows):
            table = pa.Table.from_batches([batch])
            yield rows, table if len(rows) == batch.num_rows else table.take(pa.array(rows - np.uint32(start)))
        start = stop


class _Cursor:
    """Reads a layer alongside the base: asked for rising rows, it never goes back."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._batches = pq.ParquetFile(path, pre_buffer=False).iter_batches(
            BATCH_ROWS * 4, columns=[ROW, *columns], use_threads=False
        )
        self._held = pa.table({ROW: pa.array([], pa.uint32())})

    def take(self, rows: NDArray[np.uint32]) -> pa.Table:
        """Return the layer's rows with these base row numbers."""
        held = [self._held] if self._held.num_rows else []
        last = self._held.column(ROW)[-1].as_py() if held else -1
        while last < int(rows[-1]):
            batch = next(self._batches)
            if batch.num_rows:
                held.append(pa.Table.from_batches([batch]))
                last = batch.column(0)[-1].as_py()
        table = pa.concat_tables(held)
        numbers = table.column(ROW).to_numpy()
        self._held = table.slice(int(np.searchsorted(numbers, rows[-1], side="right")))
        return table.take(pa.array(np.searchsorted(numbers, rows)))


_OPEN: dict[str, Worker] = {}


def run_stage(stage: MapStage, shard: Shard, out: Path) -> dict[str, Any]:
    """Run one map stage on one shard: the one thing an engine does. Returns the counts for the report.

    A stage stays open in its process from shard to shard. Which columns a layer holds is decided by its first batch.
    """
    token = f"{stage.kind}:{stage.signature()}"
    if token not in _OPEN:
        _OPEN[token] = stage.open()
    worker = _OPEN[token]
    counts = Counts()
    with _LayerWriter(out) as layer:
        for numbers, batch in shard.numbered([*dict.fromkeys((*stage.reads, "source", *MEASURES))]):
            verdict = worker.judge(batch.select(stage.reads))
            gone = verdict.removed.column(ROW).to_numpy()
            stays = np.ones(batch.num_rows, np.bool_)
            stays[gone] = False
            counts.add(batch, verdict.removed)
            counts.note(verdict.notes)
            changed = dict(verdict.columns)
            if "text" in changed:
                changed |= measure(changed["text"])
                counts.rewritten(batch, changed, stays)
            layer.write(numbers, stays, changed)
            layer.remove(numbers, verdict.removed)
    return {"rows": layer.rows, "columns": layer.columns, "counts": counts.plain()}


def apply_removals(shard: Shard, removed: str, out: Path) -> dict[str, Any]:
    """Turn what a reduce stage removed from a shard into a layer. Returns the counts for the report."""
    table = pq.read_table(removed)
    rows = table.column(ROW).to_numpy()
    counts = Counts()
    seen = 0
    with _LayerWriter(out) as layer:
        for numbers, batch in shard.numbered(["source", *MEASURES]):
            span = slice(int(np.searchsorted(rows, seen)), int(np.searchsorted(rows, seen + batch.num_rows)))
            part = table.slice(span.start, span.stop - span.start)
            local = pa.array(part.column(ROW).to_numpy() - np.uint32(seen))
            part = part.set_column(part.schema.get_field_index(ROW), ROW, local)
            stays = np.ones(batch.num_rows, np.bool_)
            stays[local.to_numpy()] = False
            counts.add(batch, part)
            layer.write(numbers, stays, {})
            layer.remove(numbers, part)
            seen += batch.num_rows
    return {"rows": layer.rows, "columns": layer.columns, "counts": counts.plain()}


class _LayerWriter:
    """Writes ``layer.parquet`` and ``removed.parquet`` of one task."""

    def __init__(self, out: Path) -> None:
        self._path = out / "layer.parquet"
        self._kept: TableWriter | None = None
        self._removed = TableWriter(out / "removed.parquet", REMOVED_ROWS_SCHEMA, compression="lz4")
        self.columns: list[str] = []
        self.rows = 0

    def write(self, numbers: NDArray[np.uint32], stays: NDArray[np.bool_], changed: dict[str, pa.Array]) -> None:
        """Add the rows that stay, with the columns that changed."""
        table = pa.table({ROW: pa.array(numbers), **changed}).filter(pa.array(stays))
        if self._kept is None:
            self.columns = list(changed)
            self._kept = TableWriter(self._path, table.schema, compression="lz4")
        self._kept.write(table)
        self.rows = self._kept.rows

    def remove(self, numbers: NDArray[np.uint32], removed: pa.Table) -> None:
        """Add rows that go; their row numbers count from the start of the batch."""
        base = pa.array(numbers[removed.column(ROW).to_numpy()], pa.uint32())
        place = removed.schema.get_field_index(ROW)
        self._removed.write(removed.set_column(place, REMOVED_ROWS_SCHEMA.field(ROW), base))

    def __enter__(self) -> _LayerWriter:
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        if self._kept is None:  # a shard with no rows left still has its files
            self._kept = TableWriter(self._path, pa.schema([pa.field(ROW, pa.uint32())]), compression="lz4")
        self._kept.__exit__(kind, value, trace)
        self._removed.__exit__(kind, value, trace)
