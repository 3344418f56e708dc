"""From units to cut to byte spans that leave a clean seam, and texts without such spans."""

from __future__ import annotations

from typing import Final, NamedTuple

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.hashing import borrowed
from tamis.text.kinds import SENTENCE
from tamis.text.segments import next_unit
from tamis.text.units import Tables, next_token

COUNTED: Final = ("units", "cut_units", "chars", "cut_chars", "tokens_left", "spans", "cut_bytes")


class Cuts(NamedTuple):
    """Runs of units to cut, text after text: units ``first[k]`` to ``last[k]`` - 1; in each text rising by ``first``.

    Runs may overlap. ``bounds``, shape (n + 1,), says where the runs of each text begin.
    """

    bounds: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


class Spans(NamedTuple):
    """What to cut from each text, and counts of it."""

    text: NDArray[np.int64]
    start: NDArray[np.int64]
    """Byte from the start of the text."""
    end: NDArray[np.int64]
    counts: NDArray[np.int64]
    """Shape (n, len(COUNTED)): units and those cut, their code points, tokens in the units left, spans, their bytes."""

    def counted(self, name: str) -> NDArray[np.int64]:
        """Return one of ``COUNTED`` for every text."""
        return self.counts[:, COUNTED.index(name)]


def unit_spans(batch: TextBatch, kind: int, tables: Tables, cuts: Cuts, tokens: bool = False) -> Spans:
    """Return the byte spans to cut so that the units in ``cuts`` go and the seams are clean.

    Between two units that stay, one of the gaps there were stays: the gap with the most line ends; of several, the
    first that is not empty. Before the first unit that stays: what stood before the first unit of the text; behind the
    last one: what stood behind the last unit of the text. A text that keeps no unit has one span over all of it.

    Args:
        batch: The texts.
        kind: Kind of unit.
        tables: Of ``unit_tables``.
        cuts: Units to cut.
        tokens: Whether to count the tokens that are left (lines and paragraphs; sentences and tokens know theirs).
    """
    room = 2 * len(cuts.first) + len(batch)
    found = Spans(
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.zeros((len(batch), len(COUNTED)), np.int64),
    )
    n = int(_unit_spans(batch.data, (batch.starts, batch.ends), (kind, tokens), tables, cuts, found))
    return Spans(found.text[:n], found.start[:n], found.end[:n], found.counts)


def without_spans(texts: pa.Array | pa.ChunkedArray, rows: NDArray[np.int64], spans: NDArray[np.int64]) -> pa.Array:
    """Return the texts without the given spans.

    Args:
        texts: The texts; a null stays null.
        rows: The text of each span, rising.
        spans: Shape (spans, 2): first byte and last + 1 in the text; within a text rising, none touching the next.
    """
    batch = TextBatch(texts)
    gone = np.zeros(len(batch), np.int64)
    np.add.at(gone, rows, spans[:, 1] - spans[:, 0])
    offsets = np.zeros(len(batch) + 1, np.int64)
    np.cumsum(batch.n_bytes - gone, out=offsets[1:])
    data = np.empty(int(offsets[-1]), np.uint8)
    _copy_rest(batch.data, (batch.starts, batch.ends), rows, spans, data)
    large = offsets[-1] >= 1 << 31
    kind = pa.large_string() if large else pa.string()
    bounds = offsets if large else offsets.astype(np.int32)
    nulls = None if batch.valid.all() else pa.array(batch.valid).buffers()[1]
    return pa.Array.from_buffers(kind, len(batch), [nulls, pa.py_buffer(bounds), pa.py_buffer(data)])


@numba.njit(nogil=True, cache=True)
def _unit_spans(data, texts, what, tables, cuts, out):  # type: ignore[no-untyped-def]  # long: one loop  # noqa: C901
    tables, data = borrowed(tables), borrowed(data)
    starts, ends = texts
    kind, tokens = what
    n = np.int64(0)
    for doc in range(len(starts)):
        base, end = starts[doc], ends[doc]
        counts = out.counts[doc]
        k, k_end = cuts.bounds[doc], cuts.bounds[doc + 1]
        reach = np.int64(0)  # units before this one are cut
        at = last_end = base  # end of the last unit
        kept = False  # a unit was kept before
        cutting = False
        from_byte = gap = gap_end = base
        lines = np.int64(0)  # line ends in the gap chosen so far
        first = n
        while True:
            start, stop, at, _, _, size = next_unit(kind, data, at, end, tables)
            if start < 0:
                break
            unit = counts[0]
            while k < k_end and cuts.first[k] <= unit:
                reach = max(reach, cuts.last[k])
                k += 1
            cut = unit < reach
            chars = _leads(data, start, stop)
            counts[0] += 1
            counts[2] += chars
            if cut:
                counts[1] += 1
                counts[3] += chars
            elif kind >= SENTENCE:
                counts[4] += size
            elif tokens:
                counts[4] += _tokens(data, start, stop, tables.points)
            if cut and not cutting:
                cutting, from_byte = True, last_end
                gap, gap_end, lines = last_end, start, _line_ends(data, last_end, start)
            elif cutting:
                here = _line_ends(data, last_end, start)
                if kept and (here > lines or (here == lines and gap == gap_end)):
                    gap, gap_end, lines = last_end, start, here
                if not cut:
                    cutting = False
                    if gap == gap_end:
                        gap = gap_end = from_byte
                    n = _add(out, n, doc, from_byte - base, gap - base)
                    n = _add(out, n, doc, gap_end - base, start - base)
            kept |= not cut
            last_end = stop
        if cutting:
            n = _add(out, n, doc, from_byte - base, (last_end if kept else end) - base)
        counts[5] = n - first
        for i in range(first, n):
            counts[6] += out.end[i] - out.start[i]
    return n


@numba.njit(nogil=True, cache=True)
def _add(out, n, doc, start, end):  # type: ignore[no-untyped-def]
    """Add a span unless it is empty; return how many there are."""
    if start < end:
        out.text[n], out.start[n], out.end[n] = doc, start, end
        n += 1
    return n


@numba.njit(nogil=True, cache=True)
def _leads(data, start, stop):  # type: ignore[no-untyped-def]
    count = np.int64(0)
    for i in range(start, stop):
        count += np.int64((data[i] & 0xC0) != 0x80)
    return count


@numba.njit(nogil=True, cache=True)
def _line_ends(data, start, stop):  # type: ignore[no-untyped-def]
    count = np.int64(0)
    for i in range(start, stop):
        count += np.int64(data[i] == 10)
    return count


@numba.njit(nogil=True, cache=True)
def _tokens(data, start, stop, points):  # type: ignore[no-untyped-def]
    count = np.int64(0)
    while True:
        first, start, _ = next_token(data, start, stop, points)
        if first < 0:
            return count
        count += 1


@numba.njit(nogil=True, cache=True)
def _copy_rest(data, texts, rows, spans, out):  # type: ignore[no-untyped-def]
    starts, ends = texts
    k = np.int64(0)
    n = np.int64(0)
    for doc in range(len(starts)):
        at = starts[doc]
        while k < len(rows) and rows[k] == doc:
            upto = starts[doc] + spans[k, 0]
            out[n : n + upto - at] = data[at:upto]
            n += upto - at
            at = starts[doc] + spans[k, 1]
            k += 1
        out[n : n + ends[doc] - at] = data[at : ends[doc]]
        n += ends[doc] - at
