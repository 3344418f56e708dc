"""What the three stages share: document numbers, task keys, ranges, removal files."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.curate.dedup.records import PAIR, Records
from tamis.errors import TamisError, UsageError
from tamis.stage import REMOVAL_SCHEMA, Done, ShardView

RANGE_ROWS: Final = 2_000_000
"""Documents that one range of an exact reduction should hold, about 120 bytes each."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """Document numbers over all shards: position of the shard's first row plus row.

    Shards are put in the order of their content keys first, so that not even file names or arrival decide between
    two documents that differ in nothing. Numbers never order keepers before that.
    """

    order: tuple[int, ...]
    """Which of the given shards comes 0th, 1st …"""
    bases: tuple[int, ...]
    """Number of the first document of each shard in this order, and the total at the end."""

    @classmethod
    def of(cls, shards: Sequence[ShardView]) -> Numbering:
        """Number the documents of these shards."""
        order = tuple(sorted(range(len(shards)), key=lambda i: (shards[i].key, shards[i].index)))
        bases = tuple(accumulate((shards[i].rows for i in order), initial=0))
        if bases[-1] > 1 << 32:
            raise TamisError(
                f"{bases[-1]} documents in one deduplication, expected at most {1 << 32}; split the corpus"
            )
        return cls(order, bases)

    @property
    def total(self) -> int:
        """Documents in all shards."""
        return self.bases[-1]

    def given(self, done: Sequence[Done]) -> list[Done]:
        """Put results of the shards in this order back into the order in which the shards were given."""
        back: list[Done | None] = [None] * len(self.order)
        for position, one in zip(self.order, done, strict=True):
            back[position] = one
        return [one for one in back if one is not None]


def range_bits(total: int, size: int = RANGE_ROWS) -> int:
    """Return how many leading bits of a key name its range; depends on the number of documents alone."""
    return max(0, -(-total // size) - 1).bit_length()


def check_keeper(keeper: str) -> None:
    """Raise UsageError unless the keeper policy is known."""
    if keeper != "longest":
        raise UsageError(f"keeper {keeper!r} is not known; use longest")


def write_removals(
    resolved: Path, position: int, bases: Sequence[int], folders: Sequence[Path], why: tuple[str, float], out: Path
) -> dict[str, Any]:
    """Write the ``removed.parquet`` of one shard: its rows among all resolved pairs, with the ids of their keepers.

    Args:
        resolved: Folder with ``removed.npy``, pairs by rising document number.
        position: Which shard, in the order of the document numbers.
        bases: Number of the first document of each shard, and the total.
        folders: The record folder of each shard, for the ids.
        why: Reason and threshold.
        out: Where to write.
    """
    pairs: NDArray[np.void] = np.load(resolved / "removed.npy", mmap_mode="r")
    # bisect reads a few pages of the file; searchsorted would load and widen all of it.
    start, end = (bisect_left(pairs["doc"], base) for base in bases[position : position + 2])
    mine = np.array(pairs[start:end])
    # Many rows may share a keeper: look each up once.
    keepers, which = np.unique(mine["keeper"], return_inverse=True)
    details = [json.dumps({"keeper": one}, ensure_ascii=False) for one in ids_of(keepers, bases, folders)]
    n = len(mine)
    columns = {
        "row": pa.array((mine["doc"].astype(np.int64) - bases[position]).astype(np.uint32)),
        "outcome": pa.repeat("dropped", n),
        "reason": pa.repeat(why[0], n),
        "rule": pa.nulls(n, pa.string()),
        "value": pa.array(mine["value"]),
        "threshold": pa.array(np.full(n, why[1])),
        "detail": pa.array(details, pa.string()).take(pa.array(which)),
    }
    table = pa.table(columns, schema=REMOVAL_SCHEMA)
    pq.write_table(table, out / "removed.parquet", compression="zstd")
    return {"removed": n}


def ids_of(docs: NDArray[np.uint32], bases: Sequence[int], folders: Sequence[Path]) -> list[str]:
    """Return the ids of documents by number; files are mapped, so only the pages in question are read."""
    shard = np.searchsorted(np.array(bases[1:], np.int64), docs, side="right")
    found: list[str] = [""] * len(docs)
    for position in np.unique(shard).tolist():
        at = np.flatnonzero(shard == position)
        rows = docs[at].astype(np.int64) - bases[position]
        ids = Records(folders[position]).ids(rows)
        for i, one in zip(at.tolist(), ids, strict=True):
            found[i] = one
    return found


def save_pairs(out: Path, docs: NDArray[Any], keepers: NDArray[Any], values: NDArray[Any]) -> None:
    """Write ``removed.npy``: (document, its keeper, similarity) by rising document number."""
    pairs = np.empty(len(docs), PAIR)
    pairs["doc"], pairs["keeper"], pairs["value"] = docs, keepers, values
    np.save(out / "removed.npy", pairs[np.argsort(pairs["doc"], kind="stable")])


def load_pairs(folders: Sequence[Path]) -> NDArray[np.void]:
    """Return the pairs of all these folders, by rising document number."""
    loaded = [np.load(folder / "removed.npy") for folder in folders]
    pairs: NDArray[np.void] = np.concatenate([np.empty(0, PAIR), *loaded])
    return pairs[np.argsort(pairs["doc"], kind="stable")]
