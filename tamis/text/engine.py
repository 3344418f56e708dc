"""Runs the kernels of the ``en-spacy`` view over a batch, one document at a time, in scratch arrays that are kept."""

# mypy: disable-error-code="no-any-return,assignment,return-value"
# (numba types the kernels; their scalars are numpy's)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.c4 import (
    BY_BRACKET,
    BY_LOREM,
    FEW_WORDS,
    IN_POLICY,
    IN_SCRIPT,
    KEPT,
    NO_TERMINAL,
    TOO_LONG,
    Cited,
    c4_lines,
)
from tamis.text.chunks import Chunks, ChunkTable, make_chunks, make_room, scan
from tamis.text.hashing import borrowed
from tamis.text.layout import BULLET, DOTS, ELLIPSIS_END
from tamis.text.ngrams import Work, make_work, repeated_ngrams, top_ngrams
from tamis.text.resolver import Scratch, make_scratch
from tamis.text.walk import (
    COUNTS,
    FW_DUP_CHARS,
    FW_LINES,
    FW_SHORT,
    FW_TERMINAL,
    N_CHARS,
    N_ELLIPSES,
    N_HASHES,
    N_LETTERS,
    N_LINES,
    N_NEWLINES,
    N_PARAS,
    N_PARTS,
    N_TOKENS,
    N_WORDS,
    PARA_DUP_CHARS,
    PARA_DUPS,
    PART_DUP_CHARS,
    PART_DUPS,
    STOPS,
    WORD_CHARS,
    Tokens,
    walk,
)

if TYPE_CHECKING:
    from tamis.text.en import Family

_SHORT_LINE = 30
_PADDING = 64


class Room(NamedTuple):
    """Scratch arrays for one document at a time."""

    chunks: Chunks
    packed: NDArray[np.uint8]
    tokens: Tokens
    line_ends: NDArray[np.int64]
    keys: NDArray[np.uint64]
    work: Work
    scratch: Scratch
    cited: Cited
    counts: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Signals of one batch as rows of a matrix per family, and the rewritten texts where asked for."""

    signals: dict[Family, NDArray[np.float64]]
    rewritten: pa.Array | None = None


def make_room_for(n_bytes: int) -> Room:
    """Return scratch arrays for documents of up to so many bytes (address space; touched as needed)."""
    n = n_bytes + _PADDING
    keys = 16
    while keys < 4 * n:
        keys *= 2
    return Room(
        make_chunks(n),
        np.zeros(n, np.uint8),
        Tokens(np.zeros(n, np.uint64), np.zeros(n, np.uint64)),
        np.zeros(n, np.int64),
        np.zeros(keys, np.uint64),
        make_work(n),
        make_scratch(n),
        Cited(make_chunks(n), np.zeros(n, np.uint8), np.zeros(n, np.uint8), np.zeros(6, np.int64)),
        (np.zeros(COUNTS, np.int64), np.zeros(9, np.int64), np.zeros(9, np.int64)),
    )


def measure(
    batch: TextBatch, families: frozenset[Family], switches: NDArray[np.int64], table: ChunkTable, rewrite: bool = False
) -> Measured:
    """Measure the families over every text of the batch; with ``rewrite`` also what the C4 line rules leave of it.

    ``table`` is read and filled, but no value depends on what it holds.
    """
    longest = int(batch.n_bytes.max()) if len(batch) else 0
    if longest + 2 > table.rows:
        table = ChunkTable(longest + 2)  # a text that could overflow the table gets one of its own
    room = table.room_for(longest)
    n = len(batch)
    quality, repetition = np.full((9, n), np.nan), np.full((13, n), np.nan)
    fineweb, c4 = np.full((4, n), np.nan), np.full((10, n), np.nan)
    texts = np.zeros(int(batch.n_bytes.sum()) + n if rewrite else 0, np.uint8)
    bounds = np.zeros(n + 1 if rewrite else 0, np.int64)
    _measure(
        batch.data,
        (batch.starts, batch.ends, batch.valid),
        ("repetition" in families, "c4" in families, rewrite),
        switches,
        table.tables,
        table.table,
        room,
        (quality, repetition, fineweb, c4),
        texts,
        bounds,
    )
    out: dict[Family, NDArray[np.float64]] = {"quality": quality, "fineweb": fineweb}
    if "repetition" in families:
        out["repetition"] = repetition
    if "c4" in families:
        out["c4"] = c4
    return Measured(out, _texts(texts, bounds, batch.valid & ~((c4[3] > 0) | (c4[4] > 0))) if rewrite else None)


def _texts(texts: NDArray[np.uint8], bounds: NDArray[np.int64], valid: NDArray[np.bool_]) -> pa.Array:
    """Return the rewritten texts as an Arrow array."""
    n = len(valid)
    buffers = [pa.py_buffer(np.packbits(valid, bitorder="little").tobytes()), pa.py_buffer(bounds), pa.py_buffer(texts)]
    made = pa.Array.from_buffers(pa.large_string(), n, buffers)
    return made.cast(pa.string()) if len(bounds) and bounds[-1] < 2**31 else made


@njit(nogil=True, cache=True)
def _measure(  # noqa: PLR0913
    data: Any, rows: Any, want: Any, switches: Any, t: Any, table: Any, room: Any, out: Any, texts: Any, bounds: Any
) -> None:
    """Run every kernel over every text; the arrays of ``out`` receive one column a text, where there is a value."""
    data, switches, texts, bounds = borrowed(data), borrowed(switches), borrowed(texts), borrowed(bounds)
    t, table, room, out = borrowed(t), borrowed(table), borrowed(room), borrowed(out)
    starts, ends, valid = borrowed(rows)
    repetition, c4, rewrite = want
    c, lines, grams = room.counts
    written = 0
    for i in range(len(starts)):
        if rewrite:
            bounds[i] = bounds[i + 1] = written
        if not valid[i]:
            continue
        start, end = starts[i], ends[i]
        make_room(table, end - start)
        n, newlines = scan(data, start, end, t, table, room.scratch, room.chunks, room.packed)
        c[:] = 0
        c[N_NEWLINES] = newlines
        walk(data, start, end, room.chunks, n, table, room.keys, room.tokens, room.line_ends, c, _SHORT_LINE)
        _quality(c, table, room, i, out[0])
        _fineweb(c, i, out[2])
        if repetition and end > start:
            top_ngrams(room.tokens, c[N_TOKENS], room.work, grams)
            repeated_ngrams(room.packed, room.tokens, c[N_TOKENS], room.work, grams[3:])
            _repetition(c, grams, i, out[1])
        if c4:
            size = c4_lines(
                data,
                room.chunks,
                c[N_LINES],
                room.line_ends,
                t,
                table,
                room.scratch,
                room.cited,
                switches,
                lines,
                texts[written:],
            )
            _c4(c, lines, i, out[3])
            if rewrite:
                written += size
                bounds[i + 1] = written


@njit(nogil=True, cache=True)
def _share(part: Any, whole: Any) -> float:
    """Return ``part / whole``, NaN if there is no whole."""
    return np.float64(part) / np.float64(whole) if whole else np.nan


@njit(nogil=True, cache=True)
def _quality(c: Any, table: Any, room: Any, i: int, out: Any) -> None:
    """Write the signals of the Gopher quality rules."""
    bullets = dotted = 0
    first = 0
    for j in range(c[N_LINES]):
        last = room.line_ends[j]
        if last > first:
            flags = table.rows[np.uint64(room.chunks.ids[first]), DOTS] >> np.uint64(32)
            bullets += (flags & np.uint64(BULLET)) != 0
            flags = table.rows[np.uint64(room.chunks.ids[last - 1]), DOTS] >> np.uint64(32)
            dotted += (flags & np.uint64(ELLIPSIS_END)) != 0
        first = last
    stops = 0
    for bit in range(8):
        stops += (c[STOPS] >> bit) & 1
    out[0, i] = c[N_TOKENS]
    out[1, i] = c[N_WORDS]
    out[2, i] = _share(c[WORD_CHARS], c[N_WORDS])
    out[3, i] = _share(c[N_HASHES], c[N_TOKENS])
    out[4, i] = _share(c[N_ELLIPSES], c[N_TOKENS])
    out[5, i] = _share(bullets, c[N_LINES])
    out[6, i] = _share(dotted, c[N_LINES])
    out[7, i] = _share(c[N_LETTERS], c[N_TOKENS])
    out[8, i] = stops


@njit(nogil=True, cache=True)
def _fineweb(c: Any, i: int, out: Any) -> None:
    """Write the signals of the FineWeb rules."""
    if c[FW_LINES]:
        out[0, i] = _share(c[FW_TERMINAL], c[FW_LINES])
        out[1, i] = _share(c[FW_SHORT], c[FW_LINES])
        out[2, i] = _share(c[FW_DUP_CHARS], c[N_CHARS] - c[N_NEWLINES])
        out[3, i] = _share(c[N_NEWLINES], c[N_TOKENS])


@njit(nogil=True, cache=True)
def _repetition(c: Any, grams: Any, i: int, out: Any) -> None:
    """Write the signals of the Gopher repetition rules for a text that is not empty."""
    out[0, i] = _share(c[PARA_DUPS], c[N_PARAS])
    out[1, i] = _share(c[PARA_DUP_CHARS], c[N_CHARS])
    out[2, i] = _share(c[PART_DUPS], c[N_PARTS])
    out[3, i] = _share(c[PART_DUP_CHARS], c[N_CHARS])
    for k in range(9):
        out[4 + k, i] = _share(grams[k], c[N_CHARS]) if grams[k] >= 0 else np.nan


@njit(nogil=True, cache=True)
def _c4(c: Any, lines: Any, i: int, out: Any) -> None:
    """Write the signals of the C4 rules."""
    out[0, i] = c[N_LINES]
    out[1, i] = lines[KEPT]
    out[2, i] = lines[8]
    out[3, i] = lines[BY_LOREM] > 0
    out[4, i] = lines[BY_BRACKET] > 0
    out[5, i] = lines[TOO_LONG]
    out[6, i] = lines[NO_TERMINAL]
    out[7, i] = lines[FEW_WORDS]
    out[8, i] = lines[IN_SCRIPT]
    out[9, i] = lines[IN_POLICY]
