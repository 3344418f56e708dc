"""Signals of the ``@zh`` rule dialect: the four rule families with definitions that fit Chinese (and Japanese) text.

Tokens are those of the word view: every Han or kana character one, runs of other letters, marks and numbers one; signs
are counted apart and take no part in n-grams. Names are those of ``tamis.text.en`` where the meaning is the same.
Definitions and bounds come from own measurements on 1,175 Chinese documents. Each function returns float64 arrays,
one value per row; NaN where there is nothing to measure (null, empty or white-space text).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.codepoints import load
from tamis.text.grams import gram_chars
from tamis.text.words import char_counts, count_chars, word_tokens
from tamis.text.zh_kernels import (
    BLANK,
    BULLET,
    ELLIPSIS,
    LINE_COLUMNS,
    SEGMENT_COLUMNS,
    TERMINAL,
    WORD_COLUMNS,
    measure_lines,
    measure_words,
    repeated_segments,
    split_lines,
    trimmed_texts,
)

VERSION: Final = 1
"""Changes with any definition in this module or its kernels."""

Floats = NDArray[np.float64]
Signals = dict[str, Floats]

STOP_CHARACTERS: Final = "的了是在和不有我这他也就都一与为以而及或中对被将但从到"
"""Chinese: nearly every real text has several of them (p1 of a sample: 4.7 different ones)."""
STOP_TRADITIONAL: Final = "這與為對將從"
"""Written differently in traditional characters; each counts as the simplified one."""
STOP_KANA: Final = "のはをにがとでも"
"""Japanese particles: Japanese is judged by this dialect too."""
TERMINAL_MARKS: Final = "。！？；…．｡.!?"
CLOSING_MARKS: Final = "”’」』）】》〉〕\"')]"
"""May stand between a terminal mark and the end of a line."""
BULLETS: Final = "•-·●■◆"
TOP_GRAMS: Final = (2, 3, 4)
DUP_GRAMS: Final = (7, 8, 10, 11, 13, 14)
"""5 to 10 English words x 1.4: so many characters make a word (a segmenter found .385 words where .538 are Han)."""
SHORT_LINE: Final = 15
"""Characters; half of the English 30."""

QUALITY: Final = (
    "n_tokens",  # word tokens and signs
    "n_words",  # word tokens
    "mean_word_length",  # characters of those / n_words
    "hash_ratio",  # '#' / n_tokens
    "ellipsis_ratio",  # runs of … and of three or more . or 。 / n_tokens
    "bullet_lines",  # share of lines (splitlines) that begin with one of BULLETS
    "ellipsis_lines",  # share of lines that end with such a run
    "alpha_ratio",  # word tokens with a letter / n_tokens
    "stop_words",  # how many of the stop characters occur
)
REPETITION: Final = (
    "dup_para_frac",
    "dup_para_char_frac",
    "dup_line_frac",
    "dup_line_char_frac",
    *(f"top_{n}_gram" for n in TOP_GRAMS),
    *(f"dup_{n}_gram" for n in DUP_GRAMS),
)
FINEWEB: Final = (
    "line_punct_ratio",  # share of non-blank lines that end in a terminal mark, closing marks after it allowed
    "short_line_ratio",  # share of non-blank lines of at most SHORT_LINE characters
    "char_dup_ratio",  # characters of repeated lines / characters without newlines
    "newline_char_ratio",  # newlines / characters that are no white space
)


class Marks(NamedTuple):
    """Tables over the BMP that kernels take."""

    stops: NDArray[np.uint8]
    """Shape (65536,): number of the stop character from 1, else 0."""
    ends: NDArray[np.uint8]
    """Shape (65536,): 1 for a terminal mark, 2 for a closing one, else 0."""
    bullets: NDArray[np.int64]
    """Code points, rising."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of a batch: ``offsets[i]:offsets[i + 1]`` are those of text ``i``."""

    offsets: NDArray[np.int64]
    bounds: NDArray[np.int64]
    """Shape (lines, 2): where they lie in the batch's bytes."""
    facts: NDArray[np.int64]
    """Shape (lines, 8): ``zh_kernels.LINE_COLUMNS``."""

    def column(self, name: str) -> NDArray[np.int64]:
        """Return one fact of every line."""
        return self.facts[:, LINE_COLUMNS.index(name)]

    def has(self, flag: int) -> NDArray[np.bool_]:
        """Tell which lines carry a flag."""
        return np.asarray((self.column("flags") & flag) != 0)

    def sums(self, values: NDArray[Any]) -> Floats:
        """Return the sum over the lines of each text."""
        total = np.zeros(len(values) + 1, np.float64)
        np.cumsum(values, out=total[1:])
        return total[self.offsets[1:]] - total[self.offsets[:-1]]


def signature() -> dict[str, str]:
    """Return what the values depend on besides the text: the view, its tables and the version of the definitions."""
    return {"view": load("word").identity, "definitions": str(VERSION)}


def quality_signals(batch: TextBatch) -> Signals:
    """Return the ``QUALITY`` signals (after Gopher's quality rules: Rae et al. 2021, section A.1)."""
    return _kept(batch, "quality", _quality)


def repetition_signals(batch: TextBatch) -> Signals:
    """Return the ``REPETITION`` signals: shares of the text's characters, or of its lines and paragraphs.

    Lines and paragraphs as datatrove cuts them; n-grams of word tokens, characters counted without separators.
    """
    return _kept(batch, "repetition", _repetition)


def fineweb_signals(batch: TextBatch) -> Signals:
    """Return the ``FINEWEB`` signals (after Penedo et al. 2024); white space around a line does not count."""
    return _kept(batch, "fineweb", _fineweb)


def measured_lines(batch: TextBatch, every: bool) -> Lines:
    r"""Return the lines cut at ``\n``, or with ``every`` where ``str.splitlines`` cuts; kept on the batch."""
    key = f"_zh_lines_{every}"
    if key not in batch.__dict__:
        batch.__dict__[key] = _lines(batch, every)
    lines: Lines = batch.__dict__[key]
    return lines


def share(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Return part / whole; NaN where the whole is 0."""
    out = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return out


@cache
def marks() -> Marks:
    """Return the tables; made once per process."""
    stops = np.zeros(0x10000, np.uint8)
    simplified = dict(zip(STOP_TRADITIONAL, "这与为对将从", strict=True))
    for number, character in enumerate(STOP_CHARACTERS + STOP_KANA, 1):
        stops[ord(character)] = number
    for traditional, character in simplified.items():
        stops[ord(traditional)] = stops[ord(character)]
    ends = np.zeros(0x10000, np.uint8)
    ends[[ord(character) for character in CLOSING_MARKS]] = 2
    ends[[ord(character) for character in TERMINAL_MARKS]] = 1
    bullets = np.array(sorted(map(ord, BULLETS)), np.int64)
    return Marks(stops, ends, bullets)


def warm() -> None:
    """Compile every kernel of this module, or load it from numba's cache."""
    import pyarrow as pa

    batch = TextBatch(pa.array(["中文。\n\nab c", None, ""]))
    quality_signals(batch)
    repetition_signals(batch)
    fineweb_signals(batch)


def _kept(batch: TextBatch, family: str, measure: Callable[[TextBatch], Signals]) -> Signals:
    """Measure a family once per batch."""
    view: dict[str, Signals] = batch.__dict__.setdefault("_zh_view", {})
    if family not in view:
        view[family] = measure(batch)
    return view[family]


def _lines(batch: TextBatch, every: bool) -> Lines:
    points = load("word").arrays
    offsets = np.zeros(len(batch) + 1, np.int64)
    none = np.zeros((0, 2), np.int64)
    count = split_lines(batch.data, batch.starts, batch.ends, every, offsets, none)
    bounds = np.zeros((count, 2), np.int64)
    split_lines(batch.data, batch.starts, batch.ends, every, offsets, bounds)
    facts = np.zeros((count, len(LINE_COLUMNS)), np.int64)
    measure_lines(batch.data, bounds, points, marks().ends, marks().bullets, facts)
    return Lines(offsets, bounds, facts)


def _quality(batch: TextBatch) -> Signals:
    points = load("word").arrays
    counts = np.zeros((len(batch), len(WORD_COLUMNS)), np.int64)
    measure_words(batch.data, batch.starts, batch.ends, points, marks().stops, counts)
    words, word_chars, alpha, signs, hashes, ellipses, stops = counts.T
    tokens = words + signs
    lines = measured_lines(batch, every=True)
    n_lines = np.diff(lines.offsets)
    values = (
        np.where(tokens > 0, tokens, np.nan),
        np.where(tokens > 0, words, np.nan),
        share(word_chars, words),
        share(hashes, tokens),
        share(ellipses, tokens),
        share(lines.sums(lines.has(BULLET)), np.where(tokens > 0, n_lines, 0)),
        share(lines.sums(lines.has(ELLIPSIS)), np.where(tokens > 0, n_lines, 0)),
        share(alpha, tokens),
        np.where(tokens > 0, np.bitwise_count(stops.astype(np.uint64)), np.nan),
    )
    return dict(zip(QUALITY, values, strict=True))


def _repetition(batch: TextBatch) -> Signals:
    points = load("word").arrays
    counted = count_chars(batch)
    classes = char_counts(batch)
    chars = np.where(classes["whitespace"] < counted, counted, 0)
    most = int(classes["newlines"].max(initial=0)) + 1
    starts, ends = trimmed_texts(batch.data, batch.starts, batch.ends, points)
    paragraphs = _segments(batch, (starts, ends), 2, most)
    lines = _segments(batch, (batch.starts, batch.ends), 1, most)
    top, dup = gram_chars(word_tokens(batch), TOP_GRAMS, DUP_GRAMS)
    values = [
        np.where(chars > 0, share(paragraphs[:, 1], paragraphs[:, 0]), np.nan),
        share(paragraphs[:, 2], chars),
        np.where(chars > 0, share(lines[:, 1], lines[:, 0]), np.nan),
        share(lines[:, 2], chars),
        *(share(column, chars) for column in (*top.T, *dup.T)),
    ]
    return dict(zip(REPETITION, values, strict=True))


def _segments(
    batch: TextBatch, bounds: tuple[NDArray[np.int64], NDArray[np.int64]], least: int, most: int
) -> NDArray[np.int64]:
    """Count the segments of each text (``most`` at most), the copies among them and their characters."""
    size = 1 << (2 * most + 16).bit_length()
    out = np.zeros((len(batch), len(SEGMENT_COLUMNS)), np.int64)
    scratch = (np.zeros(size, np.uint64), np.zeros(size, np.int64))
    repeated_segments(batch.data, *bounds, least, scratch, out)
    return out


def _fineweb(batch: TextBatch) -> Signals:
    lines = measured_lines(batch, every=False)
    filled = ~lines.has(BLANK)
    n_lines = lines.sums(filled)
    classes = char_counts(batch)
    chars = count_chars(batch)
    # Only non-blank lines take part; equal ones are found by (text, hash of the line without white space around it).
    rows = np.repeat(np.arange(len(batch)), np.diff(lines.offsets))
    order = np.flatnonzero(filled)
    pairs = np.stack([rows[order].astype(np.int64), lines.column("hash")[order]], axis=1)
    copies = np.zeros(len(filled), np.bool_)
    if len(order):
        _, first = np.unique(pairs, axis=0, return_index=True)
        repeated = np.ones(len(order), np.bool_)
        repeated[first] = False
        copies[order] = repeated
    values = (
        share(lines.sums(filled & lines.has(TERMINAL)), n_lines),
        share(lines.sums(filled & (lines.column("chars") <= SHORT_LINE)), n_lines),
        np.where(n_lines > 0, share(lines.sums(copies * lines.column("chars")), chars - classes["newlines"]), np.nan),
        np.where(n_lines > 0, share(classes["newlines"], chars - classes["whitespace"]), np.nan),
    )
    return dict(zip(FINEWEB, values, strict=True))
