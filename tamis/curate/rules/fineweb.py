"""FineWeb's own rules: lines that end like sentences, short lines, repeated lines, lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tamis.curate.rules.rule import Threshold, limit
from tamis.curate.rules.views import DatatroveView, Family, ZhView


@dataclass(frozen=True)
class FineWeb(DatatroveView):
    """Penedo et al. 2024 (arXiv 2406.17557, section 3.6) with the definitions of datatrove 0.10.1 for English.

    Reasons and datatrove's names for them: few_terminal_lines (line_punct_ratio), short_lines (short_line_ratio; at
    most 30 characters), dup_line_chars (char_dup_ratio), many_newlines (list_ratio; newlines per token). Bounds in
    datatrove's order.
    """

    name: ClassVar[str] = "fineweb"
    family: ClassVar[Family] = "fineweb"

    min_terminal_lines: float | None = 0.12
    max_short_lines: float | None = 0.67
    max_dup_line_chars: float | None = 0.01
    max_newlines: float | None = 0.3

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds in order."""
        return (
            *limit("line_punct_ratio", "few_terminal_lines", least=self.min_terminal_lines),
            *limit("short_line_ratio", "short_lines", most=self.max_short_lines),
            *limit("char_dup_ratio", "dup_line_chars", most=self.max_dup_line_chars),
            *limit("newline_ratio", "many_newlines", most=self.max_newlines),
        )


@dataclass(frozen=True)
class FineWebZh(ZhView):
    """The same rules with the definitions of ``tamis.text.zh``.

    A short line has at most 15 characters, a mark before a closing quote ends a line too, newlines are counted per
    character that is no white space (many_newlines; not per token). Sample percentiles 5/50/95 of 1,175 Chinese
    documents: terminal lines .08/.33/.75; newlines per character p50 .049, p95 .119, p99 .168.
    ``max_dup_line_chars`` is for web text; .05 suits manuals better.
    """

    name: ClassVar[str] = "fineweb"
    family: ClassVar[Family] = "fineweb"

    min_terminal_lines: float | None = 0.12
    max_short_lines: float | None = 0.67
    max_dup_line_chars: float | None = 0.01
    max_newlines: float | None = 0.15

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds in order."""
        return (
            *limit("line_punct_ratio", "few_terminal_lines", least=self.min_terminal_lines),
            *limit("short_line_ratio", "short_lines", most=self.max_short_lines),
            *limit("char_dup_ratio", "dup_line_chars", most=self.max_dup_line_chars),
            *limit("newline_char_ratio", "many_newlines", most=self.max_newlines),
        )
