"""Made-up documents of about 800 bytes, with near-copies whose similarity is known, straight into a corpus folder.

Words come from a Zipf vocabulary in set phrases, so that texts compress about as real ones do. Everything about
document i follows from (seed, documents, i): any part can be made by any process, and ``planted`` says later what was
planted without reading a text.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .folder import PART_BYTES, finish, rows_table, write_part
from .language import WIDTH, WORDS, Language, language

RATES: Final = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2)
"""Shares of words replaced, one class of copies each; at 5 words a shingle the first four stay near 0.8 and above."""

HUBS: Final = 16
"""The first documents: half of all copies are of one of these, so that a few families grow with the corpus."""

MEAN_BYTES: Final = 800
SHINGLE: Final = 5
BATCH: Final = 5_000

_G = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32, _S46 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32), np.uint64(46)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make."""

    documents: int
    copies: float = 0.3
    seed: int = 1
    rates: tuple[float, ...] = RATES
    hubs: int = HUBS
    hub_share: float = 0.5
    least_edits: int = 0
    """Words that every copy differs in at least."""


@numba.njit(nogil=True, cache=True)
def _mix(x):  # type: ignore[no-untyped-def]
    """splitmix64 (Steele, Lea and Flood, 2014)."""
    x = np.uint64(x) + _G
    x = (x ^ (x >> _S30)) * _A
    x = (x ^ (x >> _S27)) * _B
    return x ^ (x >> _S31)


@numba.njit(nogil=True, cache=True)
def _share(x):  # type: ignore[no-untyped-def]
    """Return a hash as a number from 0 to below 1."""
    return np.float64(x >> _S32) / 4294967296.0


@numba.njit(nogil=True, cache=True)
def _is_copy(doc, plan):  # type: ignore[no-untyped-def]
    _, copies, key, hubs, _ = plan
    return doc >= hubs and _share(_mix(key ^ _mix(np.uint64(doc)))) < copies


@numba.njit(nogil=True, cache=True)
def _origin(doc, plan, classes):  # type: ignore[no-untyped-def]
    """Return (original of a document, class of the copy or -1)."""
    documents, _, key, hubs, hub_share = plan
    if not _is_copy(doc, plan):
        return np.int64(doc), np.int64(-1)
    state = _mix(key + _mix(np.uint64(doc) + _A))
    kind = np.int64(state % np.uint64(classes))
    state = _mix(state)
    to_hub = _share(state) < hub_share
    while True:
        state = _mix(state)
        if to_hub:
            return np.int64(state % np.uint64(hubs)), kind
        base = np.int64(state % np.uint64(documents))
        if not _is_copy(base, plan):
            return base, kind


@numba.njit(nogil=True, cache=True)
def _write_words(base, key, lang, words):  # type: ignore[no-untyped-def]
    """Write the word numbers of an original into ``words``; return how many."""
    _, _, members, phrase_at, draw, _ = lang
    state = _mix(key * _A + np.uint64(base))
    length = np.int64(76) + np.int64(state % np.uint64(50))
    n = np.int64(0)
    while n < length:
        state = _mix(state)
        phrase = draw[state >> _S46]
        for i in range(phrase_at[phrase], phrase_at[phrase + 1]):
            words[n] = members[i]
            n += 1
    return n


@numba.njit(nogil=True, cache=True)
def _edit(doc, key, rate, least, lang, words, n):  # type: ignore[no-untyped-def]
    """Replace words at ``rate``, at least ``least`` of them; return the Jaccard similarity with the original.

    That is exact unless a replacement happens to repeat a shingle: (n - lost) / (n + lost) over n shingles.
    """
    draw_word = lang[5]
    state = _mix(key + _B * np.uint64(doc + 1))
    shingles = max(n - SHINGLE + 1, 1)
    lost = np.int64(0)
    reach = np.int64(0)  # shingles before this one are counted
    edits = np.int64(0)
    forced = np.int64(-1)
    if least > 0:
        state = _mix(state)
        forced = np.int64(state % np.uint64(n))
    for i in range(n):
        state = _mix(state)
        if i == forced or _share(state) < rate:
            edits += 1
            new = draw_word[_mix(state) >> _S46]
            words[i] = new if new != words[i] else (new + 1) % WORDS
            first, last = max(i - SHINGLE + 1, reach), min(i + 1, shingles)
            if last > first:
                lost += last - first
            reach = max(reach, last)
    return (shingles - lost) / (shingles + lost)


@numba.njit(nogil=True, cache=True)
def _spell(words, n, lang, out, at):  # type: ignore[no-untyped-def]
    """Write words as text, a full stop and a line end after every 13th; return where it ends."""
    letters, sizes, _, _, _, _ = lang
    for i in range(n):
        word = words[i]
        for k in range(WIDTH):
            out[at + k] = letters[word, k]
        at += sizes[word]
        if i % 13 == 12:
            out[at] = 46
            at += 1
            out[at] = 10
        else:
            out[at] = 32
        at += 1
    return at - 1


@numba.njit(nogil=True, cache=True)
def _documents(first, last, plan, key, rates, least, lang, space, ends):  # type: ignore[no-untyped-def]
    """Write documents first to last - 1 into ``out``, their ends into ``ends``; return the bytes."""
    out, words = space
    at = np.int64(0)
    for doc in range(first, last):
        base, kind = _origin(doc, plan, len(rates))
        n = _write_words(base, key, lang, words)
        if kind >= 0:
            _edit(doc, key, rates[kind], least, lang, words, n)
        at = _spell(words, n, lang, out, at)
        ends[doc - first] = at
    return at


@numba.njit(nogil=True, cache=True)
def _planted(first, last, plan, key, rates, least, lang, found):  # type: ignore[no-untyped-def]
    """Fill (original, class, similarity) of documents first to last - 1."""
    originals, kinds, values = found
    words = np.empty(200, np.int32)
    for doc in range(first, last):
        base, kind = _origin(doc, plan, len(rates))
        originals[doc - first], kinds[doc - first], values[doc - first] = base, kind, 1.0
        if kind >= 0:
            n = _write_words(base, key, lang, words)
            values[doc - first] = _edit(doc, key, rates[kind], least, lang, words, n)


@numba.njit(nogil=True, cache=True)
def _hex_ids(first, n, key, out):  # type: ignore[no-untyped-def]
    """Write 32 hexadecimal digits per document."""
    for i in range(n):
        for half in range(2):
            value = _mix(key ^ _mix(np.uint64(2 * (first + i) + half)))
            for k in range(16):
                digit = np.uint8((value >> np.uint64(4 * k)) & np.uint64(15))
                out[i * 32 + half * 16 + k] = digit + (48 if digit < 10 else 87)


def _arguments(plan: Plan) -> tuple[Any, ...]:
    key = np.uint64((plan.seed * int(_G) + int(_B)) % (1 << 64))
    return (np.int64(plan.documents), plan.copies, key, np.int64(plan.hubs), plan.hub_share), key, np.array(plan.rates)


class Planted(NamedTuple):
    """What was planted, one value per document."""

    originals: NDArray[np.int64]
    kinds: NDArray[np.int64]
    """Index into the rates; -1 for an original."""
    values: NDArray[np.float64]
    """Jaccard similarity with the original."""


def planted(plan: Plan, first: int = 0, last: int | None = None) -> Planted:
    """Return what documents first to last - 1 are."""
    last = plan.documents if last is None else last
    found = Planted(*(np.empty(last - first, kind) for kind in (np.int64, np.int64, np.float64)))
    shape, key, rates = _arguments(plan)
    _planted(first, last, shape, key, rates, plan.least_edits, language(plan.seed), tuple(found))
    return found


def tables(plan: Plan, first: int, last: int, lang: Language) -> Iterator[pa.Table]:
    """Yield documents first to last - 1 as corpus rows."""
    shape, key, rates = _arguments(plan)
    words = np.empty(200, np.int32)
    for start in range(first, last, BATCH):
        stop = min(start + BATCH, last)
        out = np.empty((stop - start) * 3000, np.uint8)
        ends = np.zeros(stop - start + 1, np.int32)
        size = _documents(start, stop, shape, key, rates, plan.least_edits, lang, (out, words), ends[1:])
        digits = np.empty((stop - start) * 32, np.uint8)
        _hex_ids(start, stop - start, key, digits)
        places = np.arange(0, len(digits) + 1, 32, dtype=np.int32)
        texts, ids = (
            pa.StringArray.from_buffers(stop - start, pa.py_buffer(offsets), pa.py_buffer(data))
            for offsets, data in ((ends, out[:size].copy()), (places, digits))
        )
        yield rows_table(ids, texts, "made", start)


def _part(plan: Plan, folder: str, size: int, index: int) -> list[dict[str, Any]]:
    first, last = index * size, min((index + 1) * size, plan.documents)
    return write_part(Path(folder), index, tables(plan, first, last, language(plan.seed)))


def generate(plan: Plan, folder: Path, workers: int = 2) -> int:
    """Write the corpus folder; return its size on disk in bytes."""
    size = PART_BYTES // MEAN_BYTES
    parts = -(-plan.documents // size)
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    planted(plan, 0, min(plan.documents, 1))  # compile once, here
    with multiprocessing.get_context("spawn").Pool(min(workers, parts)) as pool:
        for made in pool.imap(partial(_part, plan, str(folder), size), range(parts)):
            entries += made
    finish(folder, entries, {"benchmark": {"documents": plan.documents, "copies": plan.copies, "seed": plan.seed}})
    return sum(int(entry["bytes"]) for entry in entries)
