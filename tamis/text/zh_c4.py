"""The C4 line rules of the ``@zh`` dialect: which lines stay, what drops a document, and the text that is left.

After Raffel et al. 2020 in the order of datatrove 0.10.1, with marks, phrases and counts that fit Chinese. A Chinese
line is one white-space chunk, so word tokens are counted instead, and a run of Han or kana is never one long word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.text.batch import TextBatch
from tamis.text.zh import Lines, Signals, measured_lines
from tamis.text.zh_kernels import BLANK, CURLY, DOTS, QUOTED, TERMINAL

CITATION: Final = re.compile(
    r"\[\d*\]|\[edit\]|\[citation needed\]|\[编辑\]|\[編輯\]|\[编辑源代码\]|\[編輯原始碼\]|\[来源请求\]|\[來源請求\]"
)
LOREM: Final = "lorem ipsum"
JAVASCRIPT: Final = "javascript"
POLICY: Final = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
POLICY_ZH: Final = ("隐私政策", "隱私政策", "隐私权政策", "隱私權政策", "使用条款", "使用條款", "服务条款", "服務條款")
COOKIE: Final = "cookie"

C4: Final = (
    "lines",  # lines (splitlines)
    "kept_lines",  # lines that pass every line rule
    "sentences",  # runs of 。！？ in the kept lines; of .!? only before white space, a closing mark or the line's end
    "lorem_ipsum",  # 1 where "lorem ipsum" is what drops the document first
    "curly_bracket",  # 1 where "{" is what drops the document first
    "lines_long_word",  # lines dropped, by the rule that came first
    "lines_no_terminal_punct",
    "lines_few_words",
    "lines_javascript",
    "lines_policy",
    "lines_policy_zh",
    "lines_cookie",
)
_PHRASES: Final = "|".join((LOREM, JAVASCRIPT, *POLICY, *POLICY_ZH, COOKIE))
_LONG, _OPEN, _FEW, _JAVASCRIPT, _POLICY, _POLICY_ZH, _COOKIE = range(1, 8)
_LINE_SIGNALS: Final = C4[5:]


@dataclass(frozen=True, slots=True)
class C4Options:
    """The switches of the line rules, applied in this order to each stripped line."""

    max_word_length: int = 1000
    """Drop a line with a longer run that holds no white space, Han or kana; -1: no limit."""
    remove_citations: bool = True
    """Take ``[12]``, ``[edit]``, ``[编辑]``, ``[来源请求]`` … out before anything else."""
    terminal_punct: bool = True
    """Drop a line that ends in "..." or in neither a terminal mark (closing marks after it allowed) nor a quote."""
    min_words: int = 6
    """Word tokens."""
    lorem_ipsum: bool = True
    javascript: bool = True
    curly_bracket: bool = True
    policy: bool = True
    """Drop a line with one of the English phrases."""
    policy_zh: bool = True
    """Drop a line with one of the Chinese phrases (隐私政策, 使用条款 …)."""
    cookie: bool = True
    """Drop a line that speaks of cookies."""


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Lines without citations and what became of them."""

    batch: TextBatch
    lines: Lines
    fate: NDArray[np.int8]
    """0 kept, else the number of the line rule that drops it."""
    reached: NDArray[np.bool_]
    """Lines before the one that drops the document; all where none does."""
    lorem: NDArray[np.bool_]
    """Documents dropped for it."""
    curly: NDArray[np.bool_]


def c4_signals(batch: TextBatch, options: C4Options | None = None) -> Signals:
    """Return the ``C4`` signals, float64 of shape (n,) each."""
    judged = _judge(batch, options or C4Options())
    lines, kept = judged.lines, judged.reached & (judged.fate == 0)
    values = [
        np.diff(lines.offsets).astype(np.float64),
        lines.sums(kept),
        lines.sums(lines.column("sentences") * kept),
        judged.lorem.astype(np.float64),
        judged.curly.astype(np.float64),
        *(lines.sums(judged.reached & (judged.fate == number)) for number in range(1, len(_LINE_SIGNALS) + 1)),
    ]
    return dict(zip(C4, values, strict=True))


def c4_rewrite(
    batch: TextBatch, options: C4Options | None = None, rows: NDArray[np.int64] | None = None
) -> list[str | None]:
    """Return the kept lines of each text (of ``rows`` only, if given), joined by newlines.

    None where the text is null or the document drops.
    """
    judged = _judge(batch, options or C4Options())
    lines = judged.lines
    kept = judged.reached & (judged.fate == 0)
    data = judged.batch.data
    start, end = lines.column("start"), lines.column("end")
    out: list[str | None] = []
    for row in range(len(batch)) if rows is None else rows:
        if not batch.valid[row] or judged.lorem[row] or judged.curly[row]:
            out.append(None)
            continue
        chosen = np.flatnonzero(kept[lines.offsets[row] : lines.offsets[row + 1]]) + lines.offsets[row]
        out.append("\n".join(data[start[line] : end[line]].tobytes().decode() for line in chosen).strip())
    return out


def _judge(batch: TextBatch, options: C4Options) -> _Judged:
    """Apply the line rules; kept on the batch for the same options."""
    cached = batch.__dict__.get("_zh_c4")
    if cached and cached[0] == options:
        judged: _Judged = cached[1]
        return judged
    judged = _apply(_without_citations(batch) if options.remove_citations else batch, options)
    batch.__dict__["_zh_c4"] = (replace(options), judged)
    return judged


def _apply(batch: TextBatch, options: C4Options) -> _Judged:
    lines = measured_lines(batch, every=True)
    fate = np.zeros(len(lines.bounds), np.int8)
    phrases = _phrases(batch, lines)
    fit = np.ones(len(fate), np.bool_)

    def drop(number: int, which: NDArray[np.bool_]) -> None:
        fate[fit & which] = number
        fit[which] = False

    if options.max_word_length >= 0:
        drop(_LONG, lines.column("longest") > options.max_word_length)
    if options.terminal_punct:
        drop(_OPEN, ~lines.has(TERMINAL | QUOTED) | lines.has(DOTS))
    drop(_FEW, (lines.column("words") < options.min_words) | lines.has(BLANK))
    lorem = fit & phrases[0] if options.lorem_ipsum else np.zeros(len(fate), np.bool_)
    if options.javascript:
        drop(_JAVASCRIPT, phrases[1] & ~lorem)
    curly = fit & lines.has(CURLY) & ~lorem if options.curly_bracket else np.zeros(len(fate), np.bool_)
    for number, wanted, found in (
        (_POLICY, options.policy, phrases[2]),
        (_POLICY_ZH, options.policy_zh, phrases[3]),
        (_COOKIE, options.cookie, phrases[4]),
    ):
        if wanted:
            drop(number, found & ~lorem & ~curly)
    return _stop(batch, lines, fate, lorem, curly)


def _stop(
    batch: TextBatch, lines: Lines, fate: NDArray[np.int8], lorem: NDArray[np.bool_], curly: NDArray[np.bool_]
) -> _Judged:
    """Let the first line that drops its document end the reading of it."""
    reached = np.ones(len(fate), np.bool_)
    by_lorem, by_curly = np.zeros(len(batch), np.bool_), np.zeros(len(batch), np.bool_)
    fatal = np.flatnonzero(lorem | curly)
    rows = np.searchsorted(lines.offsets, fatal, side="right") - 1
    for row, first in zip(*np.unique(rows, return_index=True), strict=True):
        line = fatal[first]
        by_lorem[row], by_curly[row] = lorem[line], curly[line]
        reached[line : lines.offsets[row + 1]] = False
    return _Judged(batch, lines, fate, reached, by_lorem, by_curly)


def _phrases(batch: TextBatch, lines: Lines) -> NDArray[np.bool_]:
    """Tell which lines hold each kind of phrase; shape (5, lines): lorem, javascript, policy, policy_zh, cookie."""
    found = np.zeros((5, len(lines.bounds)), np.bool_)
    for row in _rows_with(batch, _PHRASES):
        for line in range(lines.offsets[row], lines.offsets[row + 1]):
            first, last = lines.bounds[line]
            text = batch.data[first:last].tobytes().decode(errors="replace").lower()
            found[:, line] = (
                LOREM in text,
                JAVASCRIPT in text,
                any(phrase in text for phrase in POLICY),
                any(phrase in text for phrase in POLICY_ZH),
                COOKIE in text,
            )
    return found


def _without_citations(batch: TextBatch) -> TextBatch:
    """Return the batch with citation marks taken out of its texts."""
    rows = _rows_with(batch, CITATION.pattern)
    if not len(rows):
        return batch
    texts = batch.texts.to_pylist()
    for row in rows:
        texts[row] = CITATION.sub("", texts[row])
    return TextBatch(pa.array(texts, type=pa.large_string()))


def _rows_with(batch: TextBatch, pattern: str) -> NDArray[np.int64]:
    """Return the rows in which a pattern occurs in any case; Arrow searches them all at once."""
    hits = pc.match_substring_regex(batch.texts, pattern, ignore_case=True)
    return np.flatnonzero(hits.fill_null(False).to_numpy(zero_copy_only=False))
