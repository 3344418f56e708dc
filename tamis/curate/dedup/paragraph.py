"""One copy of each paragraph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tamis.curate.dedup.line import LineDedup
from tamis.text.kinds import PARAGRAPH


@dataclass(frozen=True, slots=True)
class ParagraphDedup(LineDedup):
    """Keeps one copy of each paragraph: a run of lines that are not blank. Fields as ``LineDedup`` has them.

    White space at the ends of its lines does not count, nor does it matter where the lines end. (What CCNet and Dolma
    call a paragraph is a line: ``LineDedup``.)
    """

    kind: ClassVar[str] = "paragraph"
    unit: ClassVar[int] = PARAGRAPH
    reason: ClassVar[str] = "repeated_paragraphs"
