"""JSON Lines: one object a line, plain or compressed (gzip, zstd, bz2, xz, lz4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from tamis.curate.readers import rows
from tamis.curate.readers.lines import lines
from tamis.curate.readers.opening import HEAD, Stored, compression, plain_head
from tamis.curate.readers.reasons import no_page
from tamis.stage import NotPage, Page, Slice, SourceFile

SUFFIXES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class JsonlReader:
    """Reads each line as a page: text, url, date and language by field name, all other fields into ``meta``."""

    kind: ClassVar[str] = "jsonl"
    text_field: str | None = None

    def sniff(self, head: bytes, name: str) -> bool:
        """Look for a first line that is a JSON object, or for the suffix if that line is broken or very long."""
        plain = plain_head(head).lstrip(b"\xef\xbb\xbf \t\r\n")
        if not plain:
            return False
        line, newline, _ = plain.partition(b"\n")
        named = any(suffix in name.lower() for suffix in SUFFIXES[:2])
        if not newline and len(plain) >= HEAD - 64:
            return line.startswith((b'{"', b'{ "')) and any(suffix in name.lower() for suffix in SUFFIXES)
        return _object(line) is not None or named

    def cuts(self, file: SourceFile, target: int) -> Sequence[int]:
        """Cut plain files anywhere: a slice has the lines that start in it."""
        with Stored(file.path) as stored:
            if compression(stored.at(0, 8)) is not None or file.size <= target:
                return (0, file.size)
        return (*range(0, file.size, max(1, target)), file.size)

    def read(self, part: Slice) -> Iterator[Page | NotPage]:
        """Yield what becomes of each line; blank lines are nothing."""
        for position, line in lines(part):
            if isinstance(line, NotPage):
                yield line
                continue
            line = line.removeprefix(b"\xef\xbb\xbf") if not position else line
            if line.strip():
                yield self._page(position, line)

    def _page(self, position: int, line: bytes) -> Page | NotPage:
        row = _object(line)
        if row is None:
            return no_page(position, *_wrong(line))
        return rows.page(position, row, self.text_field)


def _object(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line, or None; NaN, lone surrogates and huge numbers are let through."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return row if isinstance(row, dict) else None


def _wrong(line: bytes) -> tuple[str, str]:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return "not_utf8", f"byte {error.start} of the line"
    try:
        return "bad_json", f"{type(json.loads(line)).__name__}, not an object"
    except RecursionError:
        return "bad_json", "nested too deeply"
    except json.JSONDecodeError as error:
        return "bad_json", f"{error.msg} at character {error.pos} of the line"
    except ValueError as error:
        return "bad_json", str(error)[:200]
