"""Gopher's repetition rules: repeated lines, paragraphs and n-grams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tamis.curate.rules.rule import Threshold, limit
from tamis.curate.rules.views import DatatroveView, Family, ZhView


@dataclass(frozen=True)
class _Segments:
    """Bounds on lines, paragraphs and the most frequent n-grams, which both dialects share (Rae et al., table A1)."""

    max_dup_paragraphs: float | None = 0.3
    max_dup_paragraph_chars: float | None = 0.2
    max_dup_lines: float | None = 0.3
    max_dup_line_chars: float | None = 0.2
    max_top_2_gram: float | None = 0.2
    max_top_3_gram: float | None = 0.18
    max_top_4_gram: float | None = 0.16

    name: ClassVar[str] = "gopher-repetition"
    family: ClassVar[Family] = "repetition"
    heavy: ClassVar[bool] = True
    """Worth measuring only what earlier rules have left."""

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds in order."""
        grams = sorted(
            int(field.removeprefix("max_dup_").removesuffix("_gram"))
            for field in self.__dataclass_fields__
            if field.endswith("_gram") and field.startswith("max_dup_")
        )
        return (
            *limit("dup_para_frac", "dup_paragraphs", most=self.max_dup_paragraphs),
            *limit("dup_para_char_frac", "dup_paragraph_chars", most=self.max_dup_paragraph_chars),
            *limit("dup_line_frac", "dup_lines", most=self.max_dup_lines),
            *limit("dup_line_char_frac", "dup_line_chars", most=self.max_dup_line_chars),
            *limit("top_2_gram", "top_2_gram", most=self.max_top_2_gram),
            *limit("top_3_gram", "top_3_gram", most=self.max_top_3_gram),
            *limit("top_4_gram", "top_4_gram", most=self.max_top_4_gram),
            *(
                bound
                for n in grams
                for bound in limit(f"dup_{n}_gram", f"dup_{n}_gram", most=getattr(self, f"max_dup_{n}_gram"))
            ),
        )


@dataclass(frozen=True)
class GopherRepetition(DatatroveView, _Segments):
    """Rae et al. 2021 (arXiv 2112.11446, table A1) with the definitions of datatrove 0.10.1 for English.

    Reasons and datatrove's names for them: dup_paragraphs (dup_para_frac), dup_paragraph_chars (dup_para_char_frac),
    dup_lines (dup_line_frac), dup_line_chars (dup_line_char_frac), top_2_gram … top_4_gram (the same), dup_5_gram …
    dup_10_gram (duplicated_5_n_grams …). Bounds in datatrove's order.
    """

    max_dup_5_gram: float | None = 0.15
    max_dup_6_gram: float | None = 0.14
    max_dup_7_gram: float | None = 0.13
    max_dup_8_gram: float | None = 0.12
    max_dup_9_gram: float | None = 0.11
    max_dup_10_gram: float | None = 0.10


@dataclass(frozen=True)
class GopherRepetitionZh(ZhView, _Segments):
    """The same rules on the word tokens of ``tamis.text.zh``, signs left out.

    Repeated n-grams at 1.4 times the English n (a Chinese word is about 1.4 characters longer in tokens), with the
    English bounds: dropped 6.4 % of 1,175 real Chinese documents, where n = 5 … 10 would have dropped 13.5 %.
    """

    max_dup_7_gram: float | None = 0.15
    max_dup_8_gram: float | None = 0.14
    max_dup_10_gram: float | None = 0.13
    max_dup_11_gram: float | None = 0.12
    max_dup_13_gram: float | None = 0.11
    max_dup_14_gram: float | None = 0.10
