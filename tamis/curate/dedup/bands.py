"""Buckets: the documents whose keys in a band are equal, found range by range of the key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.keys import RANGE_KEYS
from tamis.curate.dedup.layout import Layout
from tamis.curate.dedup.pairs import read_pairs

Buckets = tuple[NDArray[np.uint32], NDArray[np.int64]]
"""Documents, bucket after bucket, and where each bucket begins."""

GROUP_KEYS: Final = 2_000_000
"""Keys that make a task worth its while: below that it takes several bands."""

KEY_BYTES: Final = 40
"""Memory of a key while its range is sorted and cut into buckets."""


def range_size(share: int) -> int:
    """Return the keys of a range that fit into ``share`` bytes."""
    return min(RANGE_KEYS, max(share // KEY_BYTES, 1 << 16))


def band_groups(total: int, bands: int) -> list[tuple[int, int]]:
    """Return first and last + 1 of the bands that one task takes; few for many documents, by their number alone."""
    size = max(1, GROUP_KEYS // max(1, total))
    return [(first, min(first + size, bands)) for first in range(0, bands, size)]


def band_buckets(layout: Layout, equal: Path, which: tuple[tuple[int, int], int, int], out: Path) -> dict[str, Any]:
    """Write the buckets of two or more documents of some bands, in one range of their keys.

    Args:
        layout: The documents by number.
        equal: Folder of ``merge_pairs`` with the documents that another one stands for.
        which: Bands (first, last + 1), range, and bits of the range.
        out: Gets ``docs.npy`` (bucket after bucket, rising within) and ``bounds.npy`` (where each begins, and the end).
    """
    (first, last), part, bits = which
    docs, bounds, total = [np.empty(0, np.uint32)], [np.empty(0, np.int64)], 0
    for band in range(first, last):
        members, begins = (
            _whole(layout, equal, band, part, bits) if layout.whole else _packed(layout, equal, band, part, bits)
        )
        docs.append(members)
        bounds.append(begins + total)
        total += len(members)
    np.save(out / "docs.npy", np.concatenate(docs))
    np.save(out / "bounds.npy", np.append(np.concatenate(bounds), total))
    return {"buckets": sum(map(len, bounds)), "members": total}


def _rows_of(layout: Layout, equal: Path, position: int) -> NDArray[np.bool_]:
    """Tell which rows of a folder no other document stands for."""
    here = np.ones(layout.bases[position + 1] - layout.bases[position], np.bool_)
    here[read_pairs(equal, position)["doc"].astype(np.int64) - layout.bases[position]] = False
    return here


def _packed(layout: Layout, equal: Path, band: int, part: int, bits: int) -> Buckets:
    """Return the buckets of a range of a band: key and number in one integer, sorted in place."""
    packed = [np.empty(0, np.uint64)]
    for position, (base, keys, rows) in enumerate(layout.keys(band, part, bits)):
        stays = _rows_of(layout, equal, position)[rows]
        packed.append(keys[stays] + (rows[stays].astype(np.uint64) + np.uint64(base)))
    every = np.concatenate(packed)
    del packed
    every.sort()
    width = np.uint64(layout.numbers.width)
    docs = (every & ((np.uint64(1) << width) - np.uint64(1))).astype(np.uint32)
    every >>= width
    return _buckets(every, docs)


def _whole(layout: Layout, equal: Path, band: int, part: int, bits: int) -> Buckets:
    """Return the buckets of a range of a band by whole keys: for those who do not verify, chance must not decide."""
    found, docs = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    for position, (base, keys, rows) in enumerate(layout.keys(band, part, bits)):
        stays = _rows_of(layout, equal, position)[rows]
        found.append(keys[stays])
        docs.append((rows[stays].astype(np.int64) + base).astype(np.uint32))
    keys, numbers = np.concatenate(found), np.concatenate(docs)
    order = np.lexsort((numbers, keys))
    return _buckets(keys[order], numbers[order])


def _buckets(keys: NDArray[np.uint64], docs: NDArray[np.uint32]) -> Buckets:
    """Return the documents whose key is not alone, bucket after bucket, and where each bucket begins."""
    same = keys[1:] == keys[:-1]
    member = np.zeros(len(keys), np.bool_)
    member[1:] = same
    member[:-1] |= same
    begins = np.ones(int(member.sum()), np.bool_)
    chosen = keys[member]
    begins[1:] = chosen[1:] != chosen[:-1]
    return docs[member], np.flatnonzero(begins)


def read_buckets(folder: Path) -> Buckets:
    """Return members and bounds of the buckets of one task."""
    return np.load(folder / "docs.npy"), np.load(folder / "bounds.npy")


def bucket_files(tasks: Sequence[Any]) -> tuple[Path, ...]:
    """Return the folders of the tasks that found a bucket."""
    return tuple(done.folder for done in tasks if done.result["members"])
