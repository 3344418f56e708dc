"""Runs of units as hashes with their place: what two documents, or two places of one, have in common.

A walk stops when its output is full and goes on where it stopped, within a text too: memory does not depend on the
sizes of texts.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.hashing import borrowed
from tamis.text.kinds import PARAGRAPH
from tamis.text.segments import next_unit
from tamis.text.units import S0, S1, ZERO, add_hash, next_token
from tamis.text.words import mix

_B0, _B1 = np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA24BAED4963EE407)
_ONE = np.uint64(1)


class Walk(NamedTuple):
    """Where a walk over the texts of a batch stands."""

    places: NDArray[np.int64]
    """Document, next byte (-1: at its beginning), units so far, then what the walk itself remembers."""
    ring: NDArray[np.uint64]
    """The hashes of the last units, shape (units of a run, 2)."""
    rolling: NDArray[np.uint64]

    @classmethod
    def start(cls, units: int) -> Walk:
        """Return a walk at the beginning of a batch, for runs of so many units."""
        return cls(np.array([0, -1, 0, 0, 0, 0], np.int64), np.zeros((units, 2), np.uint64), np.zeros(4, np.uint64))

    def ended(self, batch: TextBatch) -> bool:
        """Tell whether every text of the batch was walked."""
        return bool(self.places[0] >= len(batch))


class Found(NamedTuple):
    """Output of a walk, filled from the front."""

    hashes: NDArray[np.uint64]
    """Shape (room, 2)."""
    places: NDArray[np.uint32]
    """Shape (room, 2): row, and number of the unit at which the run begins."""

    @classmethod
    def empty(cls, room: int) -> Found:
        """Return output for so many runs."""
        return cls(np.empty((room, 2), np.uint64), np.empty((room, 2), np.uint32))


class Marks(NamedTuple):
    """Per text, the rising numbers of units that are marked."""

    bounds: NDArray[np.int64]
    units: NDArray[np.int64]


NO_MARKS: Final = Marks(np.zeros(1, np.int64), np.zeros(0, np.int64))


def unit_runs(batch: TextBatch, kind: int, settings: tuple[int, int, int, int], salts: Any, into: Any) -> int:
    """Write the hashes of runs of units; return how many lie in the output now.

    Args:
        batch: The texts.
        kind: LINE, PARAGRAPH or SENTENCE.
        settings: Units of a run; least characters and tokens of a unit (0: any); row number of the first text.
        salts: Shape (n, 2): texts with unlike salts have no run in common.
        into: (tables, walk, found, how many it holds).
    """
    tables, walk, found, held = into
    return int(_unit_runs(batch.data, (batch.starts, batch.ends, salts), kind, settings, tables, (walk, found, held)))


def token_runs(batch: TextBatch, settings: tuple[int, int, int], marks: Marks | None, into: Any) -> int:
    """Write runs of tokens; return how many lie in the output now.

    A run of ``tokens`` tokens holds tokens - grams + 1 grams of ``grams`` tokens; it *selects* the one with the least
    hash, the last among equals. Equal runs select equal grams (winnowing: Schleimer, Wilkerson and Aiken 2003).
    Without ``marks`` the selected grams are written, each place once. With them the runs are written whose selected
    gram is marked.

    Args:
        batch: The texts.
        settings: Tokens of a run, tokens of a gram, row number of the first text.
        marks: Marked grams of each text, or None.
        into: (tables, walk, found, how many it holds).
    """
    tables, walk, found, held = into
    known = NO_MARKS if marks is None else marks
    bounds = (batch.starts, batch.ends)
    whole = marks is not None
    return int(_token_runs(batch.data, bounds, settings, tables.points, (walk, found, held), (known, whole)))


@numba.njit(nogil=True, cache=True)
def _unit_runs(data, texts, kind, settings, tables, into):  # type: ignore[no-untyped-def]
    tables, data = borrowed(tables), borrowed(data)
    starts, ends, salts = texts
    width, min_chars, min_tokens, base = settings
    walk, found, n = into
    ring = walk.ring
    doc, at, unit = walk.places[0], walk.places[1], walk.places[2]
    room = len(found.hashes)
    while doc < len(starts):
        if at < 0:
            at, unit = starts[doc], np.int64(0)
        start, stop, at, h0, h1, size = next_unit(kind, data, at, ends[doc], tables)
        if start < 0:
            doc, at = doc + 1, np.int64(-1)
            continue
        fits = h0 != ZERO or h1 != ZERO
        if kind <= PARAGRAPH:
            fits &= size >= min_chars
            fits = fits and (min_tokens == 0 or _has_tokens(data, start, stop, tables.points, min_tokens))
        ring[unit % width, 0], ring[unit % width, 1] = h0, h1
        unit += 1
        if not fits or unit < width:
            continue
        if width > 1:
            h0, h1 = S0, S1
            for i in range(unit - width, unit):
                h0, h1 = add_hash(h0, h1 + ring[i % width, 1], ring[i % width, 0])
        found.hashes[n, 0], found.hashes[n, 1] = mix(h0 + salts[doc, 0]), mix(h1 + salts[doc, 1])
        found.places[n, 0], found.places[n, 1] = base + doc, unit - width
        n += 1
        if n == room:
            break
    walk.places[0], walk.places[1], walk.places[2] = doc, at, unit
    return n


@numba.njit(nogil=True, cache=True)
def _has_tokens(data, start, stop, points, least):  # type: ignore[no-untyped-def]
    count = 0
    i = start
    while count < least:
        first, i, _ = next_token(data, i, stop, points)
        if first < 0:
            return False
        count += 1
    return True


@numba.njit(nogil=True, cache=True)
def _power(base, n):  # type: ignore[no-untyped-def]
    value = _ONE
    for _ in range(n):
        value *= base
    return value


@numba.njit(nogil=True, cache=True)
def _token_runs(data, texts, settings, points, into, marked):  # type: ignore[no-untyped-def]  # long: one loop  # noqa: C901
    points, data = borrowed(points), borrowed(data)
    starts, ends = texts
    width, gram, base = settings
    walk, found, n = into
    marks, whole = marked
    ring = walk.ring  # column 0: tokens, column 1: hashes of grams
    doc, at, count = walk.places[0], walk.places[1], walk.places[2]
    least_at, last, k = walk.places[3], walk.places[4], walk.places[5]
    g, w0, w1, least = walk.rolling
    span = width - gram + 1
    gram_top, top0, top1 = _power(_B0, gram), _power(_B0, width), _power(_B1, width)
    room = len(found.hashes)
    while doc < len(starts):
        if at < 0:
            at, count, least_at, last = starts[doc], np.int64(0), np.int64(-1), np.int64(-1)
            g = w0 = w1 = least = ZERO
            if whole:
                k = marks.bounds[doc]
        start, at, value = next_token(data, at, ends[doc], points)
        if start < 0:
            doc, at = doc + 1, np.int64(-1)
            continue
        w0 = w0 * _B0 + value
        w1 = w1 * _B1 + value
        g = g * _B0 + value
        if count >= width:
            old = ring[count % width, 0]
            w0 -= old * top0
            w1 -= old * top1
        if count >= gram:
            g -= ring[(count - gram) % width, 0] * gram_top
        ring[count % width, 0] = value
        count += 1
        if count < gram:
            continue
        here = count - gram
        hashed = mix(g)
        ring[here % width, 1] = hashed
        if least_at < 0 or hashed <= least:
            least, least_at = hashed, here
        elif least_at <= here - span:
            least, least_at = hashed, here
            for i in range(here - 1, here - span, -1):
                if ring[i % width, 1] < least:
                    least, least_at = ring[i % width, 1], i
        if count < width:
            continue
        if whole:
            while k < marks.bounds[doc + 1] and marks.units[k] < least_at:
                k += 1
            if k == marks.bounds[doc + 1] or marks.units[k] != least_at:
                continue
            found.hashes[n, 0], found.hashes[n, 1] = mix(w0), mix(w1)
            found.places[n, 1] = count - width
        else:
            if least_at == last:
                continue
            last = least_at
            found.hashes[n, 0], found.hashes[n, 1] = least, mix(least + _B1)
            found.places[n, 1] = least_at
        found.places[n, 0] = base + doc
        n += 1
        if n == room:
            break
    places = walk.places
    places[0], places[1], places[2], places[3], places[4], places[5] = doc, at, count, least_at, last, k
    walk.rolling[0], walk.rolling[1], walk.rolling[2], walk.rolling[3] = g, w0, w1, least
    return n
