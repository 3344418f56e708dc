"""Pairs of a removed document and its keeper: from where they were found to the removal file of each shard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.curate.dedup.layout import Layout
from tamis.curate.dedup.records import read_ids
from tamis.stage import REMOVAL_SCHEMA

PAIR: Final = np.dtype([("doc", "<u4"), ("keeper", "<u4"), ("value", "<f8")])
"""A removed document, the document kept for it, and their similarity (not a number where it was not measured)."""

PAIRS: Final = "removed.bin"
"""File of pairs, by rising document number."""

_KEEPERS: Final = pa.schema([pa.field("detail", pa.string())])


def save_pairs(out: Path, docs: NDArray[Any], keepers: NDArray[Any], values: NDArray[Any]) -> None:
    """Write pairs of a document and its keeper, with their similarity, by rising document number."""
    pairs = np.empty(len(docs), PAIR)
    pairs["doc"], pairs["keeper"], pairs["value"] = docs, keepers, values
    pairs[np.argsort(pairs["doc"], kind="stable")].tofile(out / PAIRS)


def merge_pairs(folders: Sequence[Path], bases: Sequence[int], out: Path) -> dict[str, Any]:
    """Write the pairs of many folders as one ``pairs.bin`` by rising document number, and ``cuts.npy``.

    ``cuts.npy`` says where the pairs of each folder of the layout begin. Works shard by shard: memory holds the pairs
    of one at a time.
    """
    cuts = [np.searchsorted(np.fromfile(folder / PAIRS, PAIR)["doc"], bases) for folder in folders]
    starts = np.zeros(len(bases), np.int64)
    with (out / "pairs.bin").open("wb") as file:
        for position in range(len(bases) - 1):
            held = [np.empty(0, PAIR)]
            for folder, cut in zip(folders, cuts, strict=True):
                start, end = cut[position : position + 2].tolist()
                if start < end:
                    held.append(np.fromfile(folder / PAIRS, PAIR, end - start, offset=start * PAIR.itemsize))
            pairs = np.concatenate(held)
            pairs[np.argsort(pairs["doc"], kind="stable")].tofile(file)
            starts[position + 1] = starts[position] + len(pairs)
    np.save(out / "cuts.npy", starts)
    return {"removed": int(starts[-1])}


def read_pairs(folder: Path, position: int) -> NDArray[np.void]:
    """Return the pairs of one folder of the layout, by rising document number, from ``merge_pairs``."""
    start, end = np.load(folder / "cuts.npy")[position : position + 2]
    return np.fromfile(folder / "pairs.bin", PAIR, int(end - start), offset=int(start) * PAIR.itemsize)


def final_pairs(layout: Layout, equal: Path, near: Path, position: int) -> NDArray[np.void]:
    """Return the pairs of one folder, each pointing at a document that stays.

    A document that was collapsed into an equal one follows it: if that one was removed, to its keeper and with its
    similarity, since the two have the same shingles.
    """
    pairs, found = read_pairs(equal, position), read_pairs(near, position)
    for place, at, rows in layout.by_folder(pairs["keeper"]):
        other = read_pairs(near, place)
        keeper = rows + layout.bases[place]
        where = np.searchsorted(other["doc"], keeper)
        moved = where < len(other)
        moved[moved] = other["doc"][where[moved]] == keeper[moved]
        pairs["keeper"][at[moved]] = other["keeper"][where[moved]]
        pairs["value"][at[moved]] = other["value"][where[moved]]
    both = np.concatenate([pairs, found])
    ordered: NDArray[np.void] = both[np.argsort(both["doc"], kind="stable")]
    return ordered


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where the pairs of a stage lie: those of equal keys and, where there is one, those of the sieve."""

    equal: Path
    near: Path | None = None

    def pairs(self, layout: Layout, position: int) -> NDArray[np.void]:
        """Return the final pairs of one folder of the layout."""
        if self.near is None:
            return read_pairs(self.equal, position)
        return final_pairs(layout, self.equal, self.near, position)


def name_keepers(layout: Layout, resolved: Resolved, out: Path) -> dict[str, Any]:
    """Write ``keepers.npy``, every document that something was removed for, and ``details.arrow``, what names it.

    Every folder of ids is opened once, not once for each shard that points into it.
    """
    first = len(layout.numbers.fixed)
    found = [np.empty(0, np.uint32)]
    for position in range(first, len(layout.folders)):
        found.append(np.unique(resolved.pairs(layout, position)["keeper"]))
        if sum(map(len, found)) > 1 << 22:
            found = [np.unique(np.concatenate(found))]
    keepers = np.unique(np.concatenate(found))
    np.save(out / "keepers.npy", keepers)
    with pa.OSFile(str(out / "details.arrow"), "wb") as sink, pa.ipc.new_file(sink, _KEEPERS) as file:
        for position, _, rows in layout.by_folder(keepers):
            ids = read_ids(layout.folders[position], rows)
            details = [json.dumps({"keeper": one}, ensure_ascii=False) for one in ids]
            file.write_table(pa.table([pa.array(details, pa.string())], schema=_KEEPERS))
    return {"keepers": len(keepers)}


def write_removals(
    layout: Layout, resolved: Resolved, keepers: Path, position: int, why: tuple[str, float], out: Path
) -> dict[str, Any]:
    """Write the ``removed.parquet`` of one shard.

    Args:
        layout: The documents by number.
        resolved: Where the pairs lie.
        keepers: Folder of ``name_keepers``.
        position: Which folder of the layout.
        why: Reason and threshold.
        out: Where to write.
    """
    mine = resolved.pairs(layout, position)
    which = np.searchsorted(np.load(keepers / "keepers.npy", mmap_mode="r"), mine["keeper"])
    with pa.memory_map(str(keepers / "details.arrow")) as source:
        details = pa.ipc.open_file(source).read_all()["detail"].take(pa.array(which))
        n = len(mine)
        columns = {
            "row": pa.array((mine["doc"].astype(np.int64) - layout.bases[position]).astype(np.uint32)),
            "outcome": pa.repeat("dropped", n),
            "reason": pa.repeat(why[0], n),
            "rule": pa.nulls(n, pa.string()),
            "value": pa.array(mine["value"], pa.float64(), from_pandas=True),
            "threshold": pa.array(np.full(n, why[1])),
            "detail": details,
        }
        pq.write_table(pa.table(columns, schema=REMOVAL_SCHEMA), out / "removed.parquet", compression="lz4")
    return {"removed": n}
