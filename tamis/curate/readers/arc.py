"""ARC files, the format before WARC (http://archive.org/web/researcher/ArcFileFormat.php): plain or gzip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from tamis.curate.readers import reading
from tamis.curate.readers.opening import Stored, plain_head
from tamis.curate.readers.pages import from_http
from tamis.curate.readers.reasons import no_page
from tamis.curate.readers.records import Head, Record
from tamis.curate.readers.runs import Run, Whole
from tamis.curate.readers.warc import cut_points
from tamis.stage import NotPage, Page, Slice, SourceFile

LINE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{1,30}:[^\r\n]{0,8000}(?: [^ \r\n]+){4}[ \t]*\r?\n")
"""Header line: URL (which may hold spaces), IP address, date, content type, …, length."""
LONGEST = 1 << 13


class _Fields(dict[str, str]):
    """The parts of the header line, looked up as header fields are."""

    def get(self, name: str, default: str = "", /) -> str:  # type: ignore[override]
        return super().get(name, default)


class ArcReader:
    """Reads ARC records of version 1 and 2, in their order, each as a page or as the reason why it is none."""

    kind: ClassVar[str] = "arc"
    candidate = re.compile(  # at the start of a line or behind a byte that no text has: anywhere would be slow
        rb"(?:^|(?<=[\0-\x1f\x7f-\xff]))[A-Za-z][A-Za-z0-9+.-]{1,30}:[^\r\n]{0,3000} [0-9A-Fa-f.:-]{1,45}"
        rb" \d{8,20} [^ \r\n]{1,200}(?: [^ \r\n]{1,100}){0,5} \d{1,12}[ \t]*\r?\n",
        re.MULTILINE,
    )

    trailer = b"\n"

    def sniff(self, head: bytes, name: str) -> bool:
        """Look for a file description or a record line that is complete, date and length included."""
        plain = plain_head(head).lstrip(b"\r\n")
        return plain.startswith(b"filedesc://") or self.candidate.match(plain) is not None

    def cuts(self, file: SourceFile, target: int) -> Sequence[int]:
        """Cut anywhere: a slice has the records, or gzip members, that start in it."""
        with Stored(file.path) as stored:
            return cut_points(file, target, stored.at(0, 8))

    def read(self, part: Slice) -> Iterator[Page | NotPage]:
        """Yield what becomes of each record that starts in the slice."""
        return reading.read(part, self)

    def begins(self, head: bytes) -> bool:
        """A record begins with a URL and at least four more fields in one line."""
        return LINE.match(head) is not None or (len(head) >= 1000 and b"\n" not in head and b":" in head[:32])

    def parse(self, run: Run | Whole, at: int) -> Head | str:
        """Split the header line from the right, because URLs may hold spaces."""
        line, newline, _ = run.view(at, LONGEST).partition(b"\n")
        if not newline:
            return "the header line has no end"
        text = line.decode("utf-8", "replace").strip()
        parts = text.rsplit(" ", 4)
        if len(parts) == 5 and not _is_date(parts[2]):
            longer = text.rsplit(" ", 9)  # version 2 has result code, checksum, location, offset, file name as well
            parts = [*longer[:4], longer[9]] if len(longer) == 10 and _is_date(longer[2]) else parts
        if len(parts) != 5 or not (parts[4].isascii() and parts[4].isdecimal() and len(parts[4]) <= 15):
            return f"the header line does not end with a length: {text[-40:]!r}"
        url, _, date, media, length = parts
        return Head(len(line) + 1, int(length), _Fields(url=url, date=date, media=media))

    def judge(self, record: Record) -> Page | NotPage:
        """Make a page of what was answered over HTTP."""
        url, date = record.fields.get("url"), _iso(record.fields.get("date"))
        if url.startswith("filedesc:"):
            return no_page(record.position, "warcinfo")
        media = record.fields.get("media").lower()
        if url.startswith("dns:") or media == "text/dns":
            return no_page(record.position, "not_html", "dns", url=url, date=date)
        return from_http(record, url, date, "" if media in ("-", "no-type", "unknown") else media)


def _is_date(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) >= 8


def _iso(date: str) -> str | None:
    """Return ``YYYYMMDDhhmmss`` as ISO 8601; what is missing at the end is left out."""
    if not _is_date(date):
        return None
    day = f"{date[:4]}-{date[4:6]}-{date[6:8]}"
    return f"{day}T{date[8:10]}:{date[10:12]}:{date[12:14]}Z" if len(date) >= 14 else day
