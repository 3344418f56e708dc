"""Files that are one document each: HTML pages and plain texts."""

from __future__ import annotations

import codecs
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import ClassVar

from tamis.curate.readers import http
from tamis.curate.readers.opening import Stored, plain_head, whole
from tamis.curate.readers.reasons import no_page
from tamis.curate.readers.records import MAX_BODY
from tamis.stage import NotPage, Page, Slice, SourceFile

HTML_NAMES = (".html", ".htm", ".xhtml", ".shtml", ".html.gz", ".htm.gz", ".xhtml.gz")
TEXT_NAMES = (".txt", ".md", ".rst")
TAG = re.compile(rb"<(?:html|head|body|title|meta|link|div|p|h1|table|article|section|!--|!doctype)\b", re.IGNORECASE)
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _OneDocument(ABC):
    """What both kinds share: position 0, one piece, a size limit."""

    def cuts(self, file: SourceFile, target: int) -> Sequence[int]:
        """Give the two ends."""
        return (0, file.size)

    def read(self, part: Slice) -> Iterator[Page | NotPage]:
        """Yield the document, or why there is none."""
        if part.start:
            return
        with Stored(part.file.path) as stored:
            found = whole(stored, MAX_BODY)
        if found is None:
            yield no_page(0, "body_too_large", f"more than {MAX_BODY} bytes")
            return
        data, damage = found
        if not data.strip():
            yield no_page(0, "damaged_compression", damage) if damage else no_page(0, "empty_body")
            return
        yield self.page(data, {"truncated": True} if damage else {})

    @abstractmethod
    def page(self, data: bytes, meta: dict[str, object]) -> Page:
        """Make the page."""


class HtmlReader(_OneDocument):
    """Reads an HTML file as one page still to be extracted."""

    kind: ClassVar[str] = "html"

    def sniff(self, head: bytes, name: str) -> bool:
        """Look for a doctype or an ``html`` tag at the start; with an HTML name any tag will do."""
        plain = plain_head(head)
        if http.looks_like_page(plain):
            return True
        named = name.lower().endswith(HTML_NAMES)
        return named and (plain.startswith(WIDE) or TAG.search(plain) is not None)

    def page(self, data: bytes, meta: dict[str, object]) -> Page:
        """Leave the charset to the extractor."""
        return Page(0, html=data, meta=meta)


class TextReader(_OneDocument):
    """Reads a text file as one document; the charset is found out."""

    kind: ClassVar[str] = "text"

    def sniff(self, head: bytes, name: str) -> bool:
        """Go by the name and by what bytes a text has; compressed text is not taken for a document."""
        if PurePosixPath(name).suffix.lower() not in TEXT_NAMES or head.startswith(b"\x1f\x8b"):
            return False
        return head.startswith(WIDE) or (b"\0" not in head and http.binary(head) is None)

    def page(self, data: bytes, meta: dict[str, object]) -> Page:
        """Decode the text."""
        from tamis.curate.extract.charset import decode

        return Page(0, text=decode(data, None), meta=meta)
