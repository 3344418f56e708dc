"""Gopher's quality rules: length, word length, symbols, bullets, ellipses, letters, stop words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tamis.curate.rules.rule import Threshold, limit
from tamis.curate.rules.views import DatatroveView, Family, ZhView


@dataclass(frozen=True)
class GopherQuality(DatatroveView):
    """Rae et al. 2021 (arXiv 2112.11446, section A.1) with the definitions of datatrove 0.10.1 for English.

    Reasons and datatrove's names for them: too_few_words (gopher_short_doc), too_many_words (gopher_long_doc),
    short_words and long_words (gopher_below_avg_threshold, gopher_above_avg_threshold), too_many_hashes
    (gopher_too_many_hashes), too_many_ellipses (gopher_too_many_ellipsis), too_many_bullets
    (gopher_too_many_bullets), ellipsis_lines (gopher_too_many_end_ellipsis), too_few_alpha
    (gopher_below_alpha_threshold), too_few_stop_words (gopher_enough_stop_words). Bounds in datatrove's order.
    """

    name: ClassVar[str] = "gopher-quality"
    family: ClassVar[Family] = "quality"

    min_words: int | None = 50
    """Tokens that are more than punctuation."""
    max_words: int | None = 100_000
    min_mean_word_length: float | None = 3.0
    max_mean_word_length: float | None = 10.0
    max_hash_ratio: float | None = 0.1
    max_ellipsis_ratio: float | None = 0.1
    max_bullet_lines: float | None = 0.9
    max_ellipsis_lines: float | None = 0.3
    min_alpha_ratio: float | None = 0.8
    min_stop_words: int | None = 2

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds in order."""
        return (
            *limit("n_words", "too_few_words", least=self.min_words),
            *limit("n_words", "too_many_words", most=self.max_words),
            *limit("mean_word_length", "short_words", least=self.min_mean_word_length),
            *limit("mean_word_length", "long_words", most=self.max_mean_word_length),
            *limit("hash_ratio", "too_many_hashes", most=self.max_hash_ratio),
            *limit("ellipsis_ratio", "too_many_ellipses", most=self.max_ellipsis_ratio),
            *limit("bullet_lines", "too_many_bullets", most=self.max_bullet_lines),
            *limit("ellipsis_lines", "ellipsis_lines", most=self.max_ellipsis_lines),
            *limit("alpha_ratio", "too_few_alpha", least=self.min_alpha_ratio),
            *limit("stop_words", "too_few_stop_words", least=self.min_stop_words),
        )


@dataclass(frozen=True)
class GopherQualityZh(ZhView, GopherQuality):
    """The same rules with the definitions of ``tamis.text.zh``; bounds from 1,175 real Chinese documents.

    Sample percentiles 1/5/50/95/99 behind them: words 103/144/619/4,029/6,572; mean length 1/1.06/1.6/2.1/2.4 (so no
    lower bound); share of tokens with a letter .57/.65/.80/.91/.92; stop characters 4.7/7/18/26/27.
    """

    min_words: int | None = 100
    max_words: int | None = 150_000
    min_mean_word_length: float | None = None
    max_mean_word_length: float | None = 4.0
    min_alpha_ratio: float | None = 0.55
