"""Files in and out: local paths and fsspec URLs, Parquet and JSONL, written under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from tamis.errors import InputError, OutputError

FORMATS: Final = ("parquet", "jsonl", "jsonl.gz", "jsonl.zst")
ROW_GROUP_BYTES: Final = 8 << 20
"""Text bytes of one Parquet row group: small enough that a reader's memory stays flat."""

ZSTD_LEVEL: Final = 1
"""Half the time of level 3, for a seventh more bytes (English; Chinese a quarter)."""

_WRITE_ERRNO: Final = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would pass the size limit",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "not permitted",
    errno.ENOTDIR: "part of the path is a file, not a folder",
}


def is_remote(path: str) -> bool:
    """Tell whether ``path`` is an fsspec URL rather than a local path."""
    return "://" in path or "::" in path


def open_binary(path: str) -> IO[bytes]:
    """Open a local path or fsspec URL for reading; raise InputError with the path and the cause."""
    try:
        if not is_remote(path):
            return Path(path).open("rb")
        import fsspec

        handle: IO[bytes] = fsspec.open(path, "rb").open()
        return handle
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"cannot read {path}: {_cause(error)}") from None


def content_hash(path: str) -> str:
    """Return the xxh3-128 hex digest of the bytes of a file."""
    digest = xxhash.xxh3_128()
    try:
        with open_binary(path) as handle:
            while block := handle.read(1 << 22):
                digest.update(block)
    except OSError as error:
        raise InputError(f"cannot read {path}: {_cause(error)}") from None
    return digest.hexdigest()


def _cause(error: BaseException) -> str:
    """Say in a few words why an operating-system call failed."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn the operating system's refusals to write below ``path`` into one OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno in _WRITE_ERRNO:
            raise OutputError(
                f"cannot write {path}: {_WRITE_ERRNO[error.errno]}; finished work is kept: "
                "make room or choose another -o and run the same command again"
            ) from None
        raise


@contextlib.contextmanager
def fresh_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside a local ``path`` that becomes ``path`` when the block ends without an error."""
    final = Path(path)
    draft = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    try:
        with writing(final):
            yield draft
            draft.replace(final)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a small local file in one step: readers see the old content or the new, never half."""
    with fresh_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def parquet_writer(path: str | Path, schema: pa.Schema, compression: str = "zstd") -> pq.ParquetWriter:
    """Open a Parquet writer with fixed settings, so that equal rows give equal bytes.

    Dictionaries and statistics are off for long or unique columns, where they cost time and save nothing; whole numbers
    (rows, sizes) are stored as differences, which takes a fifth of the room and half the time.
    """
    repeated = [name for name in schema.names if name in {"source", "date", "language", "stage", "reason", "rule"}]
    return pq.ParquetWriter(
        path,
        schema,
        compression=compression,
        compression_level=ZSTD_LEVEL if compression == "zstd" else None,
        use_dictionary=repeated,
        column_encoding={field.name: "DELTA_BINARY_PACKED" for field in schema if pa.types.is_integer(field.type)},
        write_statistics=False,
        store_schema=True,
        version="2.6",
    )


class TableWriter:
    """Writes tables to one local file in a corpus format; row groups by text bytes, whatever the batches were.

    Use as a context manager. ``rows`` counts what was written.
    """

    def __init__(self, path: str | Path, schema: pa.Schema, form: str = "parquet", compression: str = "zstd") -> None:
        self.path, self.schema, self.form = Path(path), schema, form
        self.rows = 0
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._parquet: pq.ParquetWriter | None = None
        self._lines: Any = None
        if form == "parquet":
            self._parquet = parquet_writer(path, schema, compression)
        else:
            codec = {"jsonl": None, "jsonl.gz": "gzip", "jsonl.zst": "zstd"}[form]
            raw = pa.OSFile(str(path), "wb")
            self._lines = pa.CompressedOutputStream(raw, codec) if codec else raw

    def write(self, table: pa.Table) -> None:
        """Add rows; their columns are cast to the schema."""
        table = table.select(self.schema.names).cast(self.schema)
        self.rows += table.num_rows
        if self._parquet is None:
            self._lines.write(jsonl(table))
            return
        # Cut at every row, not at every batch: row groups then do not depend on how rows arrived.
        sizes = _row_sizes(table)
        wide, ends, start = np.flatnonzero(sizes >= ROW_GROUP_BYTES), np.cumsum(sizes), 0
        while start < table.num_rows:
            if self._held and sizes[start] >= ROW_GROUP_BYTES:
                self._flush()  # a huge row stands alone, so that nobody has to copy it to have its neighbours
            before = int(ends[start] - sizes[start])
            stop = int(np.searchsorted(ends, before + ROW_GROUP_BYTES - self._held_bytes)) + 1
            stop = min([stop, table.num_rows, *wide[wide > start][:1].tolist()])
            self._held.append(table.slice(start, stop - start))
            self._held_bytes += int(ends[stop - 1]) - before
            if self._held_bytes >= ROW_GROUP_BYTES:
                self._flush()
            start = stop

    def _flush(self) -> None:
        """Write what is held as one row group."""
        if self._held and self._parquet is not None:
            rows = pa.concat_tables(self._held).combine_chunks()  # page bounds must not show how rows arrived
            self._parquet.write_table(rows, row_group_size=max(rows.num_rows, 1))
        self._held, self._held_bytes = [], 0

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        for handle in (self._parquet, self._lines):
            if handle is not None:
                # After an error, closing may fail again (a full disk); the first error is the one to show.
                with contextlib.suppress(OSError) if kind is not None else contextlib.nullcontext():
                    handle.close()


def _row_sizes(table: pa.Table) -> NDArray[np.int64]:
    """Return about how many bytes each row has: text, and what else may be long."""
    if "text" in table.schema.names:
        rest = [byte_lengths(table.column(name)) for name in ("url", "meta") if name in table.schema.names]
        return byte_lengths(table.column("text")) + np.maximum(sum(rest, np.int64(0)), 256)
    if table.num_columns and pa.types.is_string(table.schema.types[0]):
        return byte_lengths(table.column(0)) + 256
    return np.full(table.num_rows, 64, np.int64)


def byte_lengths(texts: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the UTF-8 bytes of each text, int64 of shape (n,); a null has 0."""
    import pyarrow.compute as pc

    sizes = pc.binary_length(texts)
    return np.asarray((pc.fill_null(sizes, 0) if sizes.null_count else sizes).to_numpy(), np.int64)


def jsonl(table: pa.Table) -> bytes:
    """Return rows as JSON lines, keys in column order, nulls left out."""
    import orjson

    lines = [
        orjson.dumps({key: value for key, value in row.items() if value is not None}, option=orjson.OPT_APPEND_NEWLINE)
        for row in table.to_pylist()
    ]
    return b"".join(lines)


def row_groups(path: str | Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a local Parquet file row group by row group; an empty file gives one empty table.

    A whole group at a time, in one thread: what the reader decodes from is free again before the rows are looked at.
    """
    with pq.ParquetFile(path, pre_buffer=False) as file:
        names = None if columns is None else list(columns)
        if not file.num_row_groups:
            yield file.schema_arrow.empty_table().select(names or file.schema_arrow.names)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, names, use_threads=False)


def write_table(path: str | Path, table: pa.Table, compression: str = "lz4") -> None:
    """Write one small local Parquet file."""
    with TableWriter(path, table.schema, compression=compression) as out:
        out.write(table)


def read_jsonl(path: str, schema: pa.Schema, rows: int = 1024) -> Iterator[pa.Table]:
    """Yield the rows of a JSONL corpus part as tables of ``schema``; raise InputError at the first bad line."""
    import orjson

    held: list[dict[str, Any]] = []
    for number, line in enumerate(_lines(path), 1):
        try:
            held.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise InputError(f"{path}:{number}: not a JSON line: {error}") from None
        if len(held) >= rows:
            yield pa.Table.from_pylist(held, schema=schema)
            held = []
    if held:
        yield pa.Table.from_pylist(held, schema=schema)


def _lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a plain, gzip or zstd file."""
    codec = {"gz": "gzip", "zst": "zstd"}.get(path.rsplit(".", 1)[-1])
    with open_binary(path) as raw:
        source: Iterable[bytes] = pa.CompressedInputStream(raw, codec) if codec else raw
        rest = b""
        if codec is None:
            yield from source
            return
        while block := source.read(1 << 20):  # type: ignore[attr-defined]
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
        if rest:
            yield rest


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` hold the bytes of ``source`` in one step, without copying where the file system can link."""
    if target.exists() and target.samefile(source):
        return
    with fresh_file(target) as draft:
        draft.unlink(missing_ok=True)
        try:
            os.link(source, draft)
        except OSError:
            shutil.copyfile(source, draft)


def upload(folder: Path, url: str) -> None:
    """Copy the files of a local folder (hidden ones left out) to an fsspec URL; each appears when it is whole."""
    import fsspec

    try:
        remote, root = fsspec.core.url_to_fs(url)
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(".") for part in relative.parts):
                target = f"{root.rstrip('/')}/{relative.as_posix()}"
                remote.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
                remote.put_file(str(path), target + ".tmp")
                remote.mv(target + ".tmp", target)
    except (OSError, ImportError, ValueError) as error:
        raise OutputError(f"cannot write {url}: {_cause(error)}") from None
