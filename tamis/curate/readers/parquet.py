"""Parquet files: a row a page; positions are row numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.curate.readers import rows
from tamis.curate.readers.opening import is_remote
from tamis.curate.readers.reasons import no_page
from tamis.errors import InputError
from tamis.stage import NotPage, Page, Slice, SourceFile

BATCH = 1024


@dataclass(frozen=True)
class ParquetReader:
    """Reads each row as a page: text, url, date and language by column name, all other columns into ``meta``."""

    kind: ClassVar[str] = "parquet"
    text_field: str | None = None

    def sniff(self, head: bytes, name: str) -> bool:
        """Look for the signature."""
        return head.startswith(b"PAR1")

    def cuts(self, file: SourceFile, target: int) -> Sequence[int]:
        """Cut between row groups; positions are row numbers."""
        with _open(file) as parquet:
            return _group_cuts(parquet.metadata, target)

    def read(self, part: Slice) -> Iterator[Page | NotPage]:
        """Yield what becomes of each row; a row group that cannot be read is one failure."""
        with _open(part.file) as parquet:
            first = 0
            for group in range(parquet.num_row_groups):
                behind = first + parquet.metadata.row_group(group).num_rows
                if first < part.end and behind > part.start:
                    yield from self._group(parquet, group, first, part)
                first = behind

    def _group(self, parquet: pq.ParquetFile, group: int, first: int, part: Slice) -> Iterator[Page | NotPage]:
        position = first
        batches = parquet.iter_batches(batch_size=BATCH, row_groups=[group], use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except (OSError, pa.ArrowException) as error:
                if part.start <= max(position, part.start) < part.end:
                    message = f"row group {group}: {str(error).splitlines()[0]}"
                    yield no_page(max(position, part.start), "damaged_compression", message[:200])
                return
            if batch is None:
                return
            low, high = max(0, part.start - position), min(batch.num_rows, part.end - position)
            if low < high:
                wanted = batch.slice(low, high - low)
                for offset, row in enumerate(_rows(wanted)):
                    yield self._page(position + low + offset, row)
            position += batch.num_rows

    def _page(self, position: int, row: dict[str, Any] | str) -> Page | NotPage:
        return no_page(position, "not_utf8", row) if isinstance(row, str) else rows.page(position, row, self.text_field)


def _open(file: SourceFile) -> pq.ParquetFile:
    try:
        if is_remote(file.path):
            import fsspec

            return pq.ParquetFile(fsspec.open(file.path, "rb").open())
        return pq.ParquetFile(file.path)
    except (OSError, pa.ArrowException) as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{file.name}: not a readable Parquet file: {message}") from None


def _group_cuts(metadata: pq.FileMetaData, target: int) -> Sequence[int]:
    cuts, row, taken = [0], 0, 0
    for group in range(metadata.num_row_groups):
        info = metadata.row_group(group)
        row += info.num_rows
        taken += info.total_byte_size
        if taken >= target and row > cuts[-1]:
            cuts.append(row)
            taken = 0
    if cuts[-1] != metadata.num_rows or len(cuts) == 1:
        cuts.append(metadata.num_rows)
    return cuts


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """Yield rows as dicts, or the name of the column whose bytes are not UTF-8 (Parquet does not check)."""
    try:
        batch.validate(full=True)
        yield from batch.to_pylist()
        return
    except (pa.ArrowInvalid, UnicodeDecodeError, ValueError):
        pass
    for i in range(batch.num_rows):
        row: dict[str, Any] | str = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                value = column[i].as_py()
            except (UnicodeDecodeError, ValueError):
                row = f"column {name}"
                break
            row[name] = value  # type: ignore[index]
        yield row
