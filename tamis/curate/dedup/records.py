"""Record files: what deduplication knows of every document of a shard, in row order, readable by position.

A folder holds ``records.npy`` (``RECORD``, one per row), ``tokens.npy``, ``ids.arrow`` and the key files of
``tamis.curate.dedup.keys``. Nothing in it depends on other shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.keys import KeyWriter
from tamis.text import TextBatch

RECORD: Final = np.dtype(
    [("key", "<u8", 2), ("id", "<u8"), ("source", "<u8"), ("value", "<u8"), ("length", "<u4"), ("tokens", "<u4")]
)
"""128-bit key (equal keys are equal documents), hashes of id and source, keeper value, code points, tokens."""

IDS_ROWS: Final = 50_000
"""Ids in one piece of ``ids.arrow``: batches are much smaller, and thousands of pieces are slow to look up in."""

_IDS: Final = pa.schema([pa.field("id", pa.string())])
_MOST = np.int64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a stage found out about some rows, beside their key."""

    lengths: NDArray[np.int64]
    """Code points."""
    tokens: NDArray[np.int64] | None = None
    keyed: NDArray[np.bool_] | None = None
    """False where a row has no key: equal to no other row."""
    bands: NDArray[np.uint64] | None = None
    """Band keys of shape (bands, n)."""


class RecordWriter:
    """Writes the record files of one shard, batch by batch; use as a context manager, then call ``finish``."""

    def __init__(self, out: Path, rows: int, width: int, keeper: Keeper, bands: int = 0) -> None:
        self._out = out
        self._rows = rows
        self._next = 0
        self._keeper = keeper
        self._records = np.zeros(rows, RECORD)
        self._keys = KeyWriter(out, bands + 1, width)
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
        self._keys.close()

    @property
    def columns(self) -> list[str]:
        """Columns that ``add`` needs of its table."""
        return [*dict.fromkeys(("id", "source", *self._keeper.columns))]

    def add(self, table: pa.Table, keys: NDArray[np.uint64], facts: Facts) -> None:
        """Add the next rows: a table with ``columns``, keys of shape (n, 2), and what else is known."""
        rows = slice(self._next, self._next + table.num_rows)
        if rows.stop > self._rows:
            raise ValueError(f"the shard gave more rows than the {self._rows} it announced")
        self._waiting.append(table.column("id").cast(pa.string()))
        if sum(map(len, self._waiting)) >= IDS_ROWS:
            self._flush_ids()
        at = self._records[rows]
        at["key"], at["value"] = keys, self._keeper.values(table)
        at["id"], at["source"] = hashes64(table.column("id")), hashes64(table.column("source"))
        at["length"] = np.minimum(facts.lengths, _MOST)
        if facts.tokens is not None:
            at["tokens"] = np.minimum(facts.tokens, _MOST)
        numbers = np.arange(rows.start, rows.stop, dtype=np.uint32)
        own = [keys[:, 0]] if facts.bands is None else [*facts.bands, keys[:, 0]]
        self._keys.add(numbers, own, facts.keyed)
        self._next = rows.stop

    def finish(self) -> None:
        """Write what is still held; raise ValueError if rows are missing."""
        if self._next != self._rows:
            raise ValueError(f"the shard gave {self._next} rows, but announced {self._rows}")
        self._flush_ids()
        self._keys.finish()
        np.save(self._out / "records.npy", self._records)
        np.save(self._out / "tokens.npy", np.ascontiguousarray(self._records["tokens"]))

    def _flush_ids(self) -> None:
        if self._waiting:
            chunks = [chunk for ids in self._waiting for chunk in ids.chunks]
            self._ids.write_table(pa.table([pa.chunked_array(chunks, pa.string()).combine_chunks()], schema=_IDS))
            self._waiting.clear()


def read_records(folder: Path, rows: NDArray[np.int64] | None = None) -> NDArray[np.void]:
    """Return the records of a shard, or of some of its rows; the file is mapped only while they are copied."""
    if rows is None:
        every: NDArray[np.void] = np.load(folder / "records.npy")
        return every
    mapped = np.load(folder / "records.npy", mmap_mode="r")
    some: NDArray[np.void] = np.array(mapped[rows])
    return some


def read_tokens(folder: Path) -> NDArray[np.uint32]:
    """Return the number of tokens of each row of a shard."""
    tokens: NDArray[np.uint32] = np.load(folder / "tokens.npy")
    return tokens


def read_ids(folder: Path, rows: NDArray[np.int64]) -> list[str]:
    """Return the ids of rows of a shard."""
    with pa.memory_map(str(folder / "ids.arrow")) as source:
        found: list[str] = pa.ipc.open_file(source).read_all()["id"].take(pa.array(rows)).to_pylist()
    return found


def hashes128(values: Sequence[bytes]) -> NDArray[np.uint64]:
    """Return xxh3-128 of each value, shape (n, 2)."""
    digests = b"".join([xxhash.xxh3_128_digest(value) for value in values])
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


def hashes64(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each string; that of null is that of no byte."""
    from tamis.text.hashing import hash_rows

    batch = TextBatch(column)
    hashes: NDArray[np.uint64] = hash_rows(batch.data, batch.starts, batch.ends)
    return hashes


def keeper_order(records: NDArray[np.void], fixed: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Return the positions of records from the best keeper to the worst.

    First those that are ``fixed`` (documents of an index); then by the keeper's value, the longest text in code points,
    the hash of the id, of the text, of the source; what is equal in all of these keeps its place.
    """
    ids, keys = records["id"], records["key"]
    order = [records["source"], keys[:, 1], keys[:, 0], ids, -records["length"].astype(np.int64), records["value"]]
    if fixed is not None:
        order.append(~fixed)
    return np.lexsort(order)
