"""The chunk pass: UTF-8 bytes → numbers of distinct white-space-delimited chunks, each described once in a table row.

The table is a cache: open addressing, one 64-bit word a slot (upper half of the hash, row number), rows of one cache
line (``tamis.text.layout``), tokens of chunks that have several in an arena. It belongs to one thread.
"""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.text.hashing import finish
from tamis.text.layout import HASH, MULTIPLIER, SEED
from tamis.text.rows import add_row
from tamis.text.spacy_tables import tables

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


class Table(NamedTuple):
    """The arrays of a chunk table as kernels take them."""

    slots: NDArray[np.uint64]
    rows: NDArray[np.uint64]
    arena: NDArray[np.uint64]
    used: NDArray[np.int64]
    """Rows and arena entries in use; row 0 is never used."""


class Chunks(NamedTuple):
    """The chunks of one document: row number, bounds and hash of each."""

    ids: NDArray[np.uint32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    hashes: NDArray[np.uint64]


class ChunkTable:
    """A chunk table with room for ``rows`` distinct chunks (a document needs at most one per byte)."""

    def __init__(self, rows: int = 1 << 20) -> None:
        self.tables = tables()
        self.rows = rows
        slots = 1 << (2 * rows - 1).bit_length()
        self.table = Table(
            np.zeros(slots, np.uint64),
            np.empty((rows + 1, 8), np.uint64),
            np.empty((4 * rows, 2), np.uint64),
            np.array([1, 0], np.int64),
        )

        self._room: tuple[int, Any] = (-1, None)

    def room_for(self, n_bytes: int) -> Any:
        """Return scratch arrays (``tamis.text.engine.Room``) for texts of up to so many bytes, kept between calls."""
        from tamis.text.engine import make_room_for

        if self._room[0] < n_bytes:
            n_bytes = max(2 * n_bytes, 1 << 16)
            self._room = (n_bytes, make_room_for(n_bytes))
        return self._room[1]

    @property
    def distinct(self) -> int:
        """Chunks in the table now."""
        return int(self.table.used[0]) - 1


def make_chunks(n_bytes: int) -> Chunks:
    """Return arrays for the chunks of a text of so many bytes."""
    n = n_bytes // 2 + 2
    return Chunks(np.zeros(n, np.uint32), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.uint64))


def _byte_kinds() -> NDArray[np.uint8]:
    """Return per byte: 0 part of a chunk, 1 white space (ASCII), 2 may begin white space of several bytes."""
    kinds = np.zeros(256, np.uint8)
    kinds[[*range(9, 14), *range(28, 33)]] = 1
    kinds[[0xC2, 0xE1, 0xE2, 0xE3]] = 2
    return kinds


_KINDS = _byte_kinds()


@njit(nogil=True, cache=True)
def space_at(data: Any, i: Any, end: Any) -> int:
    """Return how many bytes of white space (one character, as ``str.isspace`` has it) are at ``i``, 0 for none."""
    at, stop = np.uint64(i), np.uint64(end)
    first = data[at]
    kind = _KINDS[first]
    if kind != 2:
        return int(kind)
    if at + np.uint64(1) >= stop:
        return 0
    second = data[at + np.uint64(1)]
    if first == 0xC2:
        return 2 if second == 0x85 or second == 0xA0 else 0
    if at + np.uint64(2) >= stop:
        return 0
    third = data[at + np.uint64(2)]
    if first == 0xE2:
        if second == 0x80:
            return 3 if 0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
        return 3 if second == 0x81 and third == 0x9F else 0
    if first == 0xE1:
        return 3 if second == 0x9A and third == 0x80 else 0
    return 3 if second == 0x80 and third == 0x80 else 0


@njit(nogil=True, cache=True)
def clear(table: Any) -> None:
    """Forget every chunk."""
    table.slots[:] = 0
    table.used[0] = 1
    table.used[1] = 0


@njit(nogil=True, cache=True)
def make_room(table: Any, n_bytes: int) -> None:
    """Forget every chunk if the table might not hold those of a text of so many bytes and of its changed lines."""
    if table.used[0] + n_bytes + 2 > len(table.rows) or table.used[1] + 2 * n_bytes + 4 > len(table.arena):
        clear(table)


@njit(nogil=True, cache=True)
def scan(  # long: the innermost loops of everything  # noqa: PLR0913, C901
    data: Any, start: int, end: int, t: Any, table: Any, s: Any, out: Any, packed: Any
) -> tuple[int, int]:
    """Find the chunks of ``data[start:end]``, resolving new ones; return how many, and how many newlines.

    ``packed`` receives the bytes without white space.
    """
    i = np.uint64(start)
    stop = np.uint64(end)
    one = np.uint64(1)
    n = np.uint64(0)
    p = np.uint64(0)
    newlines = 0
    mask = np.uint64(len(table.slots) - 1)
    while True:
        while i < stop:
            size = space_at(data, i, stop)
            if size == 0:
                break
            newlines += data[i] == 10
            i += np.uint64(size)
        if i >= stop:
            break
        first = i
        state = SEED
        while i < stop:
            byte = data[i]
            kind = _KINDS[byte]
            if kind != 0 and (kind == 1 or space_at(data, i, stop) != 0):
                break
            state = (state ^ np.uint64(byte)) * MULTIPLIER
            packed[p] = byte
            p += one
            i += one
        key = finish(state)
        tag = key >> _HALF
        at = key & mask
        row = np.uint64(0)
        while True:
            slot = table.slots[at]
            if slot == 0:
                break
            if slot >> _HALF == tag and table.rows[slot & _LOW, HASH] == key:
                row = slot & _LOW
                break
            at = (at + one) & mask
        if row == 0:
            row = np.uint64(add_row(data, np.int64(first), np.int64(i), key, t, table, s))
            table.slots[at] = (tag << _HALF) | row
        out.ids[n] = row
        out.starts[n] = first
        out.ends[n] = i
        out.hashes[n] = key
        n += one
    return np.int64(n), newlines
