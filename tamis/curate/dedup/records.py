"""Record files: what deduplication knows of every document of a shard, in row order, readable by position.

A folder holds ``records.npy`` (``RECORD``, one per row), ``order.npy`` and ``ranges.npy`` (the rows that have a key,
grouped by the leading bits of the key), and ``ids.arrow``. Nothing in it depends on other shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

RECORD: Final = np.dtype([("key", "<u8", 2), ("id", "<u8", 2), ("length", "<i8"), ("tokens", "<i8")])
"""128-bit key (equal keys are equal documents), 128-bit hash of the id, code points and tokens of the text."""

PAIR: Final = np.dtype([("doc", "<u4"), ("keeper", "<u4"), ("value", "<f8")])
"""A removed document, the document kept for it, and their similarity."""

IDS_ROWS: Final = 50_000
"""Ids in one piece of ``ids.arrow``: batches are much smaller, and thousands of pieces are slow to look up in."""

_IDS: Final = pa.schema([pa.field("id", pa.string())])


class RecordWriter:
    """Writes the record files of one shard, batch by batch."""

    def __init__(self, out: Path, rows: int) -> None:
        self._out = out
        self._rows = rows
        self._next = 0
        self._keyed = np.ones(rows, np.bool_)
        self._records = np.lib.format.open_memmap(out / "records.npy", "w+", RECORD, (rows,))
        self._sink = pa.OSFile(str(out / "ids.arrow"), "wb")
        self._ids = pa.ipc.new_file(self._sink, _IDS)
        self._waiting: list[pa.ChunkedArray] = []

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ids.close()
        self._sink.close()

    def add(
        self,
        ids: pa.ChunkedArray,
        keys: NDArray[np.uint64],
        lengths: NDArray[np.int64],
        tokens: NDArray[np.int64] | None = None,
        keyed: NDArray[np.bool_] | None = None,
    ) -> slice:
        """Add the next rows; return which they are. Rows where ``keyed`` is false are equal to no other row."""
        rows = slice(self._next, self._next + len(ids))
        if rows.stop > self._rows:
            raise ValueError(f"the shard gave more rows than the {self._rows} it announced")
        self._waiting.append(ids.cast(pa.string()))
        if sum(map(len, self._waiting)) >= IDS_ROWS:
            self._flush_ids()
        at = self._records[rows]
        at["key"], at["id"], at["length"] = keys, hashes128([one.encode() for one in ids.to_pylist()]), lengths
        at["tokens"] = 0 if tokens is None else tokens
        if keyed is not None:
            self._keyed[rows] = keyed
        self._next = rows.stop
        return rows

    def finish(self, bits: int) -> None:
        """Group the rows by the leading ``bits`` of their key."""
        if self._next != self._rows:
            raise ValueError(f"the shard gave {self._next} rows, but announced {self._rows}")
        self._flush_ids()
        rows = np.flatnonzero(self._keyed)
        part = leading(self._records["key"][:, 0][rows], bits)
        np.save(self._out / "order.npy", rows[np.argsort(part, kind="stable")].astype(np.uint32))
        np.save(self._out / "ranges.npy", np.searchsorted(np.sort(part), np.arange((1 << bits) + 1)))
        self._records.flush()

    def _flush_ids(self) -> None:
        if self._waiting:
            chunks = [chunk for ids in self._waiting for chunk in ids.chunks]
            self._ids.write_table(pa.table([pa.chunked_array(chunks, pa.string()).combine_chunks()], schema=_IDS))
            self._waiting.clear()


class Records:
    """Reads the record files of one shard; files are mapped, not loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def all(self) -> NDArray[np.void]:
        """Every record, by row."""
        records: NDArray[np.void] = np.load(self._folder / "records.npy", mmap_mode="r")
        return records

    def rows_in(self, part: int) -> NDArray[np.int64]:
        """Return the rows whose key lies in this range, rising."""
        ranges = np.load(self._folder / "ranges.npy")
        order = np.load(self._folder / "order.npy", mmap_mode="r")
        return np.asarray(order[ranges[part] : ranges[part + 1]], dtype=np.int64)

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the ids of rows."""
        with pa.memory_map(str(self._folder / "ids.arrow")) as source:
            found: list[str] = pa.ipc.open_file(source).read_all()["id"].take(pa.array(rows)).to_pylist()
        return found


def leading(keys: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Return the leading bits of keys, 0 where there are none."""
    if not bits:
        return np.zeros(len(keys), np.int64)
    return (keys >> np.uint64(64 - bits)).astype(np.int64)


def hashes128(values: Sequence[bytes]) -> NDArray[np.uint64]:
    """Return xxh3-128 of each value, shape (n, 2)."""
    digests = b"".join([xxhash.xxh3_128_digest(value) for value in values])
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


def keeper_order(records: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the positions of records from the best keeper to the worst.

    Longest text in code points, then the hash of the id, then the key of the text; what is equal in all of these
    keeps its place. An id's hash has 128 bits: unlike ids do not meet.
    """
    ids, keys = records["id"], records["key"]
    return np.lexsort((keys[:, 1], keys[:, 0], ids[:, 1], ids[:, 0], -records["length"]))
