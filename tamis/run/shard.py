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
from tamis.run.edits import EDITS, Edits
from tamis.run.measure import MEASURES, measure
from tamis.run.rows import BATCH_ROWS, BLIND_ROWS, ROW, Cursor, base_batches, row_numbers
from tamis.stage import MapStage, Worker
from tamis.storage import TableWriter

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
    evidence: str = ""
    """JSON of what the stage says of its removals (``ReduceStage.evidence``); empty where it names no keepers."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Base rows and the layers over them; implements ``stage.ShardView``."""

    index: int
    key: str
    base: str
    """Parquet file with ``document.SCHEMA`` and more; measured columns may lie in the first layer instead."""
    base_rows: int
    layers: tuple[Layer, ...] = ()
    published: bool = False
    """Whether the base is a part that this very version of tamis published."""

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
            wanted = row_numbers(Path(self.layers[-1].folder) / "layer.parquet")
        home = {name: self._home(name) for name in columns}
        cursors: dict[int, Cursor] = {}
        for number in sorted({place for place in home.values() if place is not None}):
            names = [column for column in columns if home[column] == number]
            cursors[number] = Cursor(Path(self.layers[number].folder) / "layer.parquet", names)
        below = [name for name in columns if home[name] is None]
        most = BATCH_ROWS if home.get("text") is None else BLIND_ROWS
        for numbers, table in base_batches(Path(self.base), below, wanted, most):
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
    """Turn what a reduce stage removed from a shard, and cut from its texts, into a layer. Returns the counts.

    Args:
        shard: The shard.
        removed: File of the removals; the edits lie beside it where there are any.
        out: Where to write.
    """
    table = pq.read_table(removed)
    edits = Edits(Path(removed).with_name(EDITS))
    rows = table.column(ROW).to_numpy()
    counts = Counts()
    seen = 0
    with _LayerWriter(out) as layer:
        for numbers, batch in shard.numbered(["source", *MEASURES, *edits.reads]):
            span = slice(*np.searchsorted(rows, np.array([seen, seen + batch.num_rows], rows.dtype)).tolist())
            part = table.slice(span.start, span.stop - span.start)
            local = pa.array(part.column(ROW).to_numpy() - np.uint32(seen))
            part = part.set_column(part.schema.get_field_index(ROW), ROW, local)
            stays = np.ones(batch.num_rows, np.bool_)
            stays[local.to_numpy()] = False
            counts.add(batch, part)
            changed = edits.cut(batch, seen)
            if changed:
                counts.rewritten(batch, changed, stays)
            layer.write(numbers, stays, changed)
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
        table = pa.table({ROW: pa.array(numbers), **changed})
        if not stays.all():
            table = table.filter(pa.array(stays))
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
