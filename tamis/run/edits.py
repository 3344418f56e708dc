"""Spans that a reduce stage cuts from texts that stay: read alongside the rows of a shard, and applied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.run.measure import measure
from tamis.stage import EDIT_SCHEMA

EDITS: Final = "edits.parquet"
"""File name beside ``removed.parquet``."""


class EditWriter:
    """Writes the edits of one shard; no file where there is none. Use as a context manager."""

    def __init__(self, out: Path) -> None:
        self._path = out / EDITS
        self._file: pq.ParquetWriter | None = None

    def write(self, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
        """Add spans, by rising row and start."""
        if not len(rows):
            return
        if self._file is None:
            self._file = pq.ParquetWriter(self._path, EDIT_SCHEMA, compression="lz4", write_statistics=False)
        columns = [pa.array(rows, pa.uint32()), pa.array(starts, pa.int64()), pa.array(ends, pa.int64())]
        self._file.write_table(pa.table(columns, schema=EDIT_SCHEMA))

    def __enter__(self) -> EditWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


class Edits:
    """The edits of a shard, given out for rising rows; ``any`` is false where the stage cut nothing."""

    def __init__(self, path: Path | None) -> None:
        self.any = path is not None and path.is_file()
        self._parts: Iterator[pa.Table] = iter(())
        if path is not None and self.any:
            self._parts = (pa.Table.from_batches([part]) for part in pq.ParquetFile(path).iter_batches())
        self._held = EDIT_SCHEMA.empty_table()

    @property
    def reads(self) -> list[str]:
        """Columns that ``cut`` needs."""
        return ["text"] if self.any else []

    def cut(self, batch: pa.Table, first: int) -> dict[str, pa.Array]:
        """Return the changed columns of a batch whose first row is ``first``: text and sizes, for every row.

        Empty where the stage cut nothing in the whole shard.
        """
        if not self.any:
            return {}
        from tamis.text.spans import without_spans

        mine = self._take(first + batch.num_rows)
        rows = mine.column("row").to_numpy().astype(np.int64) - first
        spans = np.stack([mine.column(name).to_numpy() for name in ("start", "end")], axis=1)
        text = without_spans(batch.column("text"), rows, spans).cast(pa.string())
        return {"text": text, **measure(text)}

    def _take(self, stop: int) -> pa.Table:
        """Return the edits of rows below ``stop`` that were not given out yet."""
        held = [self._held]
        while not held[-1].num_rows or held[-1].column("row")[-1].as_py() < stop:
            part = next(self._parts, None)
            if part is None:
                break
            held.append(part)
        table = pa.concat_tables(held)
        count = int(np.searchsorted(table.column("row").to_numpy(), stop))
        self._held = table.slice(count)
        return table.slice(0, count)
