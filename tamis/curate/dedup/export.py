"""An index in forms that others read: signatures as Parquet, or datasketch's own LSH."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.curate.dedup.index import Index, Stored
from tamis.curate.dedup.records import read_ids
from tamis.errors import MissingExtra, UsageError
from tamis.storage import TableWriter, fresh_file


def stored(index: Index) -> list[Stored]:
    """Return all shards of all generations."""
    return [
        Stored(index.folder / one["key"] / shard["folder"], shard["rows"], shard["key"])
        for one in index.generations
        for shard in one["shards"]
    ]


def signatures(index: Index) -> Iterator[tuple[list[str], NDArray[np.uint32]]]:
    """Yield ids and signatures, uint32 of shape (n, permutations), shard by shard."""
    for one in stored(index):
        values = np.fromfile(one.folder / "signatures.bin", np.uint32)
        yield read_ids(one.folder, np.arange(one.rows)), values.reshape(one.rows, -1)


def to_datasketch(index: Index) -> Any:
    """Return a ``datasketch.MinHashLSH`` with the bands of the index that holds its documents by id.

    A document whose id repeats is in it once: keys of that class are unique. Raises MissingExtra without datasketch.
    """
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        raise MissingExtra("exporting to datasketch", "datasketch") from None
    made = index.identity
    lsh = MinHashLSH(num_perm=made["permutations"], params=(made["bands"], made["rows"]))
    for ids, rows in signatures(index):
        for name, values in zip(ids, rows, strict=True):
            if name not in lsh:
                minhash = MinHash(
                    made["permutations"], seed=made["seed"], scheme=made["scheme"], hashvalues=values.copy()
                )
                lsh.insert(name, minhash)
    return lsh


def export_index(index: Index, target: str) -> int:
    """Write the signatures of an index to a .parquet or .pickle file; return how many."""
    if target.endswith(".pickle"):
        lsh = to_datasketch(index)
        with fresh_file(target) as draft:
            draft.write_bytes(pickle.dumps(lsh))
        return len(lsh.keys)
    if not target.endswith(".parquet"):
        raise UsageError(f"--export {target}: expected a name that ends in .pickle or .parquet")
    width = index.identity["permutations"]
    schema = pa.schema([pa.field("id", pa.string()), pa.field("signature", pa.list_(pa.uint32(), width))])
    with fresh_file(target) as draft, TableWriter(draft, schema) as out:
        for ids, rows in signatures(index):
            values = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), width)
            out.write(pa.table([pa.array(ids, pa.string()), values], schema=schema))
        count = out.rows
    return count
