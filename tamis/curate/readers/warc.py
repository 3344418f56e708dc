"""WARC files (also WET and WAT): plain, gzip per record or as a whole, zstd, lz4."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from tamis.curate.readers import http, reading
from tamis.curate.readers.opening import Stored, compression, plain_head
from tamis.curate.readers.pages import from_content, from_http
from tamis.curate.readers.reasons import no_page
from tamis.curate.readers.records import HEADER, Head, Record
from tamis.curate.readers.runs import Run, Whole
from tamis.stage import NotPage, Page, Slice, SourceFile

VERSION = re.compile(rb"WARC/\d+\.\d+[ \t]*\r?\n", re.IGNORECASE)
MINOR = frozenset({"request", "warcinfo", "metadata"})
"""Records about another record: nothing but their type is read."""


def cut_points(file: SourceFile, target: int, head: bytes) -> Sequence[int]:
    """Return cuts every ``target`` bytes where the compression lets a reader start anywhere, else the two ends."""
    if compression(head) not in (None, "gzip") or file.size <= target:
        return (0, file.size)
    return (*range(0, file.size, max(1, target)), file.size)


class WarcReader:
    """Reads WARC records, in their order, each as a page or as the reason why it is none.

    FastWARC is not used to find records: it stops at the first damage, gives no offsets inside a gzip member, and calls
    legal records (folded or padded header values) invalid.
    """

    kind: ClassVar[str] = "warc"
    candidate = re.compile(rb"WARC/[01]\.\d+[ \t]*\r?\n[A-Za-z][A-Za-z-]*:", re.IGNORECASE)

    trailer = b"\r\n\r\n"

    def sniff(self, head: bytes, name: str) -> bool:
        """Look for the WARC signature in the first unpacked bytes."""
        return VERSION.match(plain_head(head).lstrip(b"\r\n")) is not None

    def cuts(self, file: SourceFile, target: int) -> Sequence[int]:
        """Cut anywhere: a slice has the records, or gzip members, that start in it."""
        with Stored(file.path) as stored:
            return cut_points(file, target, stored.at(0, 8))

    def read(self, part: Slice) -> Iterator[Page | NotPage]:
        """Yield what becomes of each record that starts in the slice."""
        return reading.read(part, self)

    def begins(self, head: bytes) -> bool:
        """A record begins with ``WARC/`` and its version."""
        return VERSION.match(head) is not None

    def parse(self, run: Run | Whole, at: int) -> Head | str:
        """Read the named fields up to the blank line; a record without a length is empty."""
        block = run.view(at, 1024)
        stop, size = http.head_end(block)
        if stop < 0:
            block = run.view(at, HEADER)
            stop, size = http.head_end(block)
            if stop < 0:
                return "the header has no end"
        found = http.Fields(block[block.index(b"\n") + 1 : stop])
        kind = found.get("warc-type").lower()
        if not kind:
            return "no WARC-Type"
        length = found.get("content-length", "0")
        if not length.isascii() or not length.isdecimal() or len(length) > 15:
            return f"Content-Length is {length[:40]!r}, not a number"
        return Head(size, int(length), found, kind)

    def judge(self, record: Record) -> Page | NotPage:
        """Make a page of responses, HTML resources and conversions (WET)."""
        found = record.fields
        kind = record.kind
        if kind in MINOR:
            return no_page(record.position, kind)
        url = found.get("warc-target-uri").strip("<>") or None
        date = found.get("warc-date") or None
        if kind in ("revisit", "continuation"):
            return no_page(record.position, kind, url=url, date=date)
        how = JUDGES.get(kind)
        if how is None:
            return no_page(record.position, "other_record", kind[:40], url=url, date=date)
        return how(record, url, date)


def _response(record: Record, url: str | None, date: str | None) -> Page | NotPage:
    if http.STATUS.match(record.content(0, 64)):
        return from_http(record, url, date)
    media, charset = http.content_type(record.fields.get("content-type"))
    if media == "text/dns" or (url or "").startswith("dns:"):
        return no_page(record.position, "not_html", "dns", url=url, date=date)
    if media in ("", "application/http"):
        return from_http(record, url, date)
    return from_content(record, url, date, media, charset, "no_response")


def _resource(record: Record, url: str | None, date: str | None) -> Page | NotPage:
    media, charset = http.content_type(record.fields.get("content-type"))
    return from_content(record, url, date, media, charset, "resource_not_page")


def _conversion(record: Record, url: str | None, date: str | None) -> Page | NotPage:
    media, charset = http.content_type(record.fields.get("content-type", "text/plain"))
    languages = record.fields.get("warc-identified-content-language")
    if languages:
        record.note("identified_language", languages)
    return from_content(record, url, date, media, charset or "utf-8")


JUDGES: dict[str, Callable[[Record, str | None, str | None], Page | NotPage]] = {
    "response": _response,
    "resource": _resource,
    "conversion": _conversion,
}
