"""C4's rules: lines that are sentences stay, and documents with enough of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from tamis.curate.rules.rule import Edits, Signals, Threshold, limit, take, without_blank
from tamis.curate.rules.views import DatatroveView, Family, ZhView
from tamis.text import TextBatch

if TYPE_CHECKING:
    from tamis.text import en, zh_c4


@dataclass(frozen=True)
class _C4(ABC):
    """What both dialects share: bounds on the lines that are left, and the rewriting."""

    min_sentences: int | None = 5
    """In the lines that stay."""
    min_words_per_line: int = 3
    max_word_length: int | None = 1000
    terminal_punct: bool = True
    """Drop lines that do not end like a sentence; the FineWeb recipe turns this off."""
    remove_citations: bool = True
    lorem_ipsum: bool = True
    """Drop documents with "lorem ipsum" in a line that got this far."""
    javascript: bool = True
    """Drop lines that mention it."""
    curly_bracket: bool = True
    """Drop documents with "{" in a line that got this far."""
    policy: bool = True
    """Drop lines with an English policy or cookie phrase."""

    name: ClassVar[str] = "c4"
    family: ClassVar[Family] = "c4"

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds in order; at least one line must stay whatever the switches."""
        return (
            *limit("lorem_ipsum", "lorem_ipsum", most=0),
            *limit("curly_bracket", "curly_bracket", most=0),
            *limit("sentences", "too_few_sentences", least=self.min_sentences),
            Threshold("kept_lines", "no_lines_left", minimum=1),
        )

    def edit(self, batch: TextBatch, keep: NDArray[np.bool_]) -> Edits:
        """Return the kept lines of every document in ``keep`` that loses or changes one; count the lines lost."""
        rows = np.flatnonzero(keep)
        if not len(rows):
            return Edits()
        old = batch.texts.take(rows).to_pylist()
        new = self._rewrite(batch, rows)
        texts = {
            int(row): after for row, before, after in zip(rows, old, new, strict=True) if after not in (before, None)
        }
        signals = self.signals(batch)
        notes = {name: int(signals[name][rows].sum()) for name in sorted(signals) if name.startswith("lines_")}
        lost = int((signals["lines"][rows] - signals["kept_lines"][rows]).sum())
        counts = {"documents_edited": len(texts), "lines_removed": lost, **notes}
        return Edits(texts, {name: count for name, count in counts.items() if count})

    @abstractmethod
    def signals(self, batch: TextBatch) -> Signals:
        """Measure the lines with these switches."""

    @abstractmethod
    def _rewrite(self, batch: TextBatch, rows: NDArray[np.int64]) -> list[str | None]:
        """Return the kept lines of these rows, None where the document goes."""


@dataclass(frozen=True)
class C4(DatatroveView, _C4):
    """Raffel et al. 2020 with the definitions and bounds of datatrove 0.10.1 for English (3 words, 5 sentences).

    Reasons and datatrove's names for them: lorem_ipsum, curly_bracket, too_few_sentences are the same;
    no_lines_left has none (there an empty text would stay when the sentence rule is off).
    """

    def options(self) -> en.C4Options:
        """Return the switches as the kernel takes them."""
        from tamis.text import en

        return en.C4Options(
            max_word_length=-1 if self.max_word_length is None else self.max_word_length,
            remove_citations=self.remove_citations,
            terminal_punct=self.terminal_punct,
            min_words=self.min_words_per_line,
            lorem_ipsum=self.lorem_ipsum,
            javascript=self.javascript,
            curly_bracket=self.curly_bracket,
            policy=self.policy,
        )

    def signals(self, batch: TextBatch) -> Signals:
        """Measure the lines with these switches."""
        from tamis.text import en

        return without_blank(en.en_view(batch, families=(self.family,), c4=self.options()).signals["c4"], batch)

    def _rewrite(self, batch: TextBatch, rows: NDArray[np.int64]) -> list[str | None]:
        from tamis.text import en

        return en.c4_rewrite(take(batch, rows), self.options())


@dataclass(frozen=True)
class C4Zh(ZhView, _C4):
    """The same rules with the definitions of ``tamis.text.zh_c4``.

    At least 6 word tokens a line and 5 sentences (a sample of Chinese documents had 4 at p5, 11 at p25).

    Chinese phrases have rules of their own: ``policy_zh`` (隐私政策, 使用条款 …) and ``cookie`` drop lines.
    """

    min_words_per_line: int = 6
    policy_zh: bool = True
    cookie: bool = True

    def options(self) -> zh_c4.C4Options:
        """Return the switches as the measurement takes them."""
        from tamis.text import zh_c4

        return zh_c4.C4Options(
            max_word_length=-1 if self.max_word_length is None else self.max_word_length,
            remove_citations=self.remove_citations,
            terminal_punct=self.terminal_punct,
            min_words=self.min_words_per_line,
            lorem_ipsum=self.lorem_ipsum,
            javascript=self.javascript,
            curly_bracket=self.curly_bracket,
            policy=self.policy,
            policy_zh=self.policy_zh,
            cookie=self.cookie,
        )

    def signals(self, batch: TextBatch) -> Signals:
        """Measure the lines with these switches."""
        from tamis.text import zh_c4

        return without_blank(zh_c4.c4_signals(batch, self.options()), batch)

    def _rewrite(self, batch: TextBatch, rows: NDArray[np.int64]) -> list[str | None]:
        from tamis.text import zh_c4

        return zh_c4.c4_rewrite(batch, self.options(), rows)
