"""Key files: the band keys of a shard, sorted, in runs; a range of a band is read in few pieces.

``keys.bin`` holds run after run, in a run band after band, in a band the keys rising. Packed keys hold the row in their
low ``width`` bits: sorting one integer is several times as fast as sorting keys with an index, for half the memory.
What of the key is cut off for it can only make two keys equal by chance, and verification tells those apart. With
``width`` 0 keys are whole and ``rows.bin`` has the rows. ``sections.npy``, of shape (runs, bands, 257), says where the
keys of each leading byte begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

RUN_ROWS: Final = 131_072
"""Rows of a run: 22 MB of keys for 21 bands."""

PARTS: Final = 256
"""Ranges a band can be read by: its leading byte."""

RANGE_KEYS: Final = 16_000_000
"""Keys one range of a band should hold, 8 bytes each and as many again while they are sorted."""

MOST_BITS: Final = 8


def row_width(total: int) -> int:
    """Return the low bits of a packed key that hold a document number; a step function, so that few totals differ."""
    return max(16, -(-max(1, total - 1).bit_length() // 4) * 4)


def range_bits(total: int, size: int = RANGE_KEYS) -> int:
    """Return how many leading bits of a key name its range, for ranges of about ``size`` keys."""
    return min(MOST_BITS, max(0, -(-total // size) - 1).bit_length())


class KeyWriter:
    """Collects the keys of rows and writes them as sorted runs."""

    def __init__(self, out: Path, bands: int, width: int) -> None:
        self._out, self._bands, self._width = out, bands, np.uint64(width)
        self._keys = (out / "keys.bin").open("wb")
        self._rows = None if width else (out / "rows.bin").open("wb")
        self._held: list[tuple[NDArray[np.uint32], list[NDArray[np.uint64]]]] = []
        self._count = 0
        self._sections: list[NDArray[np.int64]] = []

    def add(
        self, rows: NDArray[np.uint32], bands: Sequence[NDArray[np.uint64]], keyed: NDArray[np.bool_] | None
    ) -> None:
        """Add the keys of some rows, one array per band; rows where ``keyed`` is false have none."""
        if keyed is not None:
            rows, bands = rows[keyed], [band[keyed] for band in bands]
        if self._width:
            bands = [band >> self._width << self._width | rows for band in bands]
        self._held.append((rows, list(bands)))
        self._count += len(rows)
        if self._count >= RUN_ROWS:
            self._flush()

    def finish(self) -> None:
        """Write the last run and the sections."""
        self._flush()
        table = np.array(self._sections, np.int64).reshape(-1, self._bands, PARTS + 1)
        np.save(self._out / "sections.npy", table)

    def close(self) -> None:
        """Close the files."""
        self._keys.close()
        if self._rows:
            self._rows.close()

    def _flush(self) -> None:
        if not self._count:
            return
        edges = np.arange(PARTS, dtype=np.uint64) << np.uint64(56)
        numbers = np.concatenate([rows for rows, _ in self._held])
        sections = np.empty((self._bands, PARTS + 1), np.int64)
        for band in range(self._bands):
            keys = np.concatenate([bands[band] for _, bands in self._held])
            if self._rows:
                order = np.argsort(keys, kind="stable")
                keys = keys[order]
                numbers[order].tofile(self._rows)
            else:
                keys.sort()
            sections[band, :PARTS] = np.searchsorted(keys, edges)
            sections[band, PARTS] = len(keys)
            keys.tofile(self._keys)
        self._sections.append(sections)
        self._held, self._count = [], 0


def read_keys(
    folder: Path, band: int, part: int, bits: int, whole: bool = False
) -> tuple[NDArray[np.uint64], NDArray[np.uint32] | None]:
    """Return the keys of a band in one range of the leading ``bits``, and their rows where keys are ``whole``."""
    sections = np.load(folder / "sections.npy")
    step = PARTS >> bits
    keys: list[NDArray[np.uint64]] = []
    rows: list[NDArray[np.uint32]] = []
    at = 0
    for run in sections:
        first = at + int(run[:band, PARTS].sum())
        start, end = int(run[band, part * step]), int(run[band, (part + 1) * step])
        at += int(run[:, PARTS].sum())
        if start == end:
            continue
        keys.append(np.fromfile(folder / "keys.bin", np.uint64, end - start, offset=8 * (first + start)))
        if whole:
            rows.append(np.fromfile(folder / "rows.bin", np.uint32, end - start, offset=4 * (first + start)))
    found = np.concatenate(keys) if keys else np.empty(0, np.uint64)
    if not whole:
        return found, None
    return found, np.concatenate(rows) if rows else np.empty(0, np.uint32)
