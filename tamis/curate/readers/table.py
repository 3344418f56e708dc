"""CSV and TSV files with a header row, in UTF-8."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tamis.curate.readers import rows
from tamis.curate.readers.lines import LONGEST, lines
from tamis.curate.readers.opening import plain_head
from tamis.curate.readers.reasons import no_page
from tamis.stage import NotPage, Page, Slice, SourceFile

SUFFIXES = (".csv", ".tsv")
ROW_LINES = 10_000
"""Lines that one quoted row may span; beyond, its quote is taken for one that was never closed."""


@dataclass(frozen=True)
class TableReader:
    """Reads each row as a page; positions are byte offsets (unpacked). One piece: a quote may span lines."""

    kind: ClassVar[str] = "csv"
    text_field: str | None = None

    def sniff(self, head: bytes, name: str) -> bool:
        """Go by the name (``.csv``, ``.tsv``, also before ``.gz`` and the like) and a header that can be split."""
        stem = name.lower()
        for suffix in (".gz", ".zst", ".bz2", ".xz", ".lz4"):
            stem = stem.removesuffix(suffix)
        return stem.endswith(SUFFIXES) and b"\0" not in plain_head(head)[:4096]

    def cuts(self, file: SourceFile, target: int) -> Sequence[int]:
        """Give the two ends."""
        return (0, file.size)

    def read(self, part: Slice) -> Iterator[Page | NotPage]:
        """Yield what becomes of each row after the header."""
        if part.start:
            return
        header: list[str] | None = None
        delimiter = "\t" if ".tsv" in part.file.name.lower() else None
        source = _Lines(lines(part))
        while (line := source.peek()) is not None:
            position, data = line
            if isinstance(data, NotPage):
                source.take()
                yield data
            elif not data.strip():
                source.take()
            elif header is None:
                delimiter = delimiter or max(",;\t", key=data.decode("utf-8", "replace").count)
                header = _header(source, delimiter)
                if header is None:
                    yield no_page(position, "bad_row", "the header row cannot be read")
                    return
            else:
                yield self._page(position, _row(source, delimiter or ","), header)

    def _page(self, position: int, row: list[str] | tuple[str, str], header: list[str]) -> Page | NotPage:
        if isinstance(row, tuple):
            return no_page(position, *row)
        if len(row) != len(header):
            return no_page(position, "bad_row", f"{len(row)} fields where the header has {len(header)}")
        return rows.page(position, dict(zip(header, row, strict=True)), self.text_field)


class _Lines:
    """Lines that can be looked at again, because a quote that is never closed must not swallow the rest of the file."""

    def __init__(self, source: Iterator[tuple[int, bytes | NotPage]]) -> None:
        self._source = source
        self.ahead: list[tuple[int, bytes | NotPage]] = []

    def peek(self, index: int = 0) -> tuple[int, bytes | NotPage] | None:
        """Return the line ``index`` lines ahead, or None."""
        while len(self.ahead) <= index:
            line = next(self._source, None)
            if line is None:
                return None
            self.ahead.append(line)
        return self.ahead[index]

    def take(self, count: int = 1) -> None:
        """Go past lines."""
        del self.ahead[:count]


def _header(source: _Lines, delimiter: str) -> list[str] | None:
    row = _row(source, delimiter)
    if isinstance(row, tuple) or len(set(row)) != len(row):
        return None
    return [name.removeprefix("\ufeff").strip() for name in row]


def _row(source: _Lines, delimiter: str) -> list[str] | tuple[str, str]:
    """Return the fields of the next row, or reason and detail of the failure, and go past it."""
    csv.field_size_limit(LONGEST)  # the default refuses texts of more than 128 KiB
    used = 0

    def feed() -> Iterator[str]:
        nonlocal used
        size = 0
        while used < ROW_LINES and size <= LONGEST:
            line = source.peek(used)
            if line is None or isinstance(line[1], NotPage):
                return
            used += 1
            size += len(line[1])
            yield line[1].decode("utf-8", "surrogateescape") + "\n"

    try:
        row = next(csv.reader(feed(), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        source.take()  # only its first line: the next ones may be sound rows
        return "bad_row", str(error) or "no fields"
    source.take(used)
    for name, field in enumerate(row):
        try:
            field.encode()
        except UnicodeEncodeError:
            return "not_utf8", f"field {name + 1}"
    return row
