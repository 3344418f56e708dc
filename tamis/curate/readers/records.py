"""Walking an archive record by record: what a header says, what is really there, and where to go on after damage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from tamis.curate.readers.reasons import no_page
from tamis.curate.readers.runs import Archive, Run, Whole
from tamis.stage import NotPage, Page

MAX_BODY: Final = 32 << 20
"""Bytes of a body, unpacked, beyond which a record is refused: a guard against decompression bombs."""
HELD: Final = MAX_BODY + (1 << 20)
"""Bytes of a record that are looked at; longer records are walked past without holding them."""
HEADER: Final = 1 << 16
BLANK: Final = b"\r\n\0 \t"


class Fields(Protocol):
    """Header fields by lower-case name."""

    def get(self, name: str, default: str = "", /) -> str:
        """Return a value, or ``default`` where the header has no such field."""


@dataclass(slots=True)
class Head:
    """A record header: how long it is, how long it says the content is, and its fields by lower-case name."""

    size: int
    length: int
    fields: Fields
    kind: str = ""
    """Record type in lower case, for formats that have types."""


@dataclass(slots=True)
class Record:
    """One record of an archive. ``length`` is what is really there, up to ``HELD``."""

    position: int
    fields: Fields
    length: int
    cut: bool
    """Whether the archive ends, or breaks, before the record does."""
    large: bool
    _run: Run | Whole
    _at: int
    kind: str = ""
    notes: dict[str, object] | None = None

    def note(self, name: str, value: object) -> None:
        """Say something about the record that its page carries in ``meta``."""
        self.notes = {**(self.notes or {}), name: value}

    def content(self, start: int = 0, length: int = HELD) -> bytes:
        """Return the bytes of the record block in ``[start, start + length)``."""
        return self._run.view(self._at + start, max(0, min(length, self.length - start)))


class Grammar(Protocol):
    """What tells one archive format from another."""

    candidate: re.Pattern[bytes]
    """Matches where a record may start in plain bytes, with its first line."""

    trailer: bytes
    """What stands between records."""

    def begins(self, head: bytes) -> bool:
        """Tell from up to 1 KiB whether a record starts right there."""

    def parse(self, run: Run | Whole, at: int) -> Head | str:
        """Read the header at ``at``, where ``begins`` holds; or say what is wrong with it."""

    def judge(self, record: Record) -> Page | NotPage:
        """Make a page of a record, or say why it is none."""


class Walk:
    """One run, record by record."""

    def __init__(self, archive: Archive, run: Run, grammar: Grammar, end: int) -> None:
        self._archive = archive
        self._run = run
        self._grammar = grammar
        self._end = end
        self._packed = archive.how == "gzip"
        self.stopped = False
        """Whether the next record belongs to the next slice."""
        self.cut = False
        """Whether the last record ends early."""
        self.member = 0
        """Stored offset of the member in which the last record starts."""
        self.position = -1
        """Position of the last item."""

    def outcomes(self) -> Iterator[Page | NotPage]:
        """Yield what becomes of each record."""
        for item in self.records():
            self.position = item.position
            if isinstance(item, NotPage):
                yield item
                continue
            outcome = self._grammar.judge(item)
            if item.cut and isinstance(outcome, NotPage):
                outcome = no_page(item.position, "truncated_record", outcome.reason, url=outcome.url, date=outcome.date)
            yield outcome

    def records(self) -> Iterator[Record | NotPage]:
        """Yield each record, and each stretch of bytes that is none."""
        run, at = self._run, 0
        while True:
            if self._packed and (member := run.member(at)) and (record := self._whole(*member)):
                if member[0] >= self._end:
                    self.stopped = True
                    return
                self.cut = False
                self.member = member[0]
                yield record
                at = run.pass_member(at)
                continue
            at = self._past_blank(at)
            if not run.have(at, 1):
                return
            if sum(run.origin(at)) >= self._end and self._owned_by_next(at):
                self.stopped = True
                return
            self.member = run.origin(at)[0]
            if not self._grammar.begins(run.view(at, 1024)):
                position = run.position(at)
                stray, at = at, self._next_start(at + 1)
                yield no_page(position, "damaged_record", f"{at - stray} bytes that are no record")
                continue
            head = self._grammar.parse(run, at)
            if isinstance(head, str):
                position = run.position(at)
                at = self._next_start(at + 1)
                self.cut = not run.have(at, 1)
                yield no_page(position, "bad_header", head)
                continue
            record, behind = self._record(at, head)
            self.cut = record.cut
            yield record
            at = behind
            run.release(at)

    def _whole(self, origin: int, data: bytes) -> Record | None:
        """Return the record that fills a member, the usual case, without a look at what is around it."""
        whole = Whole(data)
        if not self._grammar.begins(data[:1024]):
            return None
        head = self._grammar.parse(whole, 0)
        if isinstance(head, str) or head.size + head.length + len(self._grammar.trailer) != len(data):
            return None
        if not data.endswith(self._grammar.trailer):
            return None
        position = self._run.number(origin, 0)
        return Record(position, head.fields, head.length, False, head.length > HELD, whole, head.size, head.kind)

    def _owned_by_next(self, at: int) -> bool:
        member, _ = self._run.origin(at)
        if self._archive.how == "gzip" and member < self._end:
            return False
        return self._archive.how in ("gzip", None) and self._archive.starts(self._run, at)

    def _past_blank(self, at: int) -> int:
        run, step = self._run, 64
        while True:
            piece = run.view(at, step)
            size = len(piece) - len(piece.lstrip(BLANK))
            at += size
            if size < len(piece) or not piece:
                return at
            run.release(at)
            step = 1 << 16

    def _next_start(self, at: int) -> int:
        """Return where the next record starts, or the end of the run."""
        run, span = self._run, 1 << 20
        while True:
            found = run.search(self._grammar.candidate, at, span)
            if found:
                start = run.offset(found.start())
                if self._readable(start):
                    return start
                at = start + 1
            elif run.have(at, span) < span:
                return run.end
            else:
                at += span - 4096
            run.release(at)

    def _readable(self, at: int) -> bool:
        """Tell whether a candidate has a header that can be read."""
        return not isinstance(self._grammar.parse(self._run, at), str)

    def _record(self, at: int, head: Head) -> tuple[Record, int]:
        """Return the record and where the bytes behind it start."""
        run, start = self._run, at + head.size
        held = min(head.length, HELD)
        length = run.have(start, held)
        record = Record(run.position(at), head.fields, length, length < held, head.length > HELD, run, start, head.kind)
        end = start + head.length
        if self._far(record, start, end) if record.large else self._sound(end):
            return record, end
        # The length may lie, or the record may be cut short in the middle: look for a record inside.
        look, stop = start, start + min(length + 1024, HELD)
        while found := run.search(self._grammar.candidate, look, stop - look):
            inner = run.offset(found.start())
            if inner >= end:
                break
            if self._readable(inner):
                record.length, record.cut = inner - start, False
                record.note("wrong_length", True)
                return record, inner
            look = inner + 1
        return self._longer(record, start, end)

    def _far(self, record: Record, start: int, end: int) -> bool:
        """Tell whether a length beyond what is held can be believed."""
        if self._archive.how is None:
            return sum(self._run.origin(start)) + end - start <= self._archive.stored.size
        inside = [mark for mark in self._run.marks(start + 1) if mark < start + record.length]
        return not any(self._grammar.begins(self._run.view(mark, 1024)) for mark in inside)

    def _longer(self, record: Record, start: int, end: int) -> tuple[Record, int]:
        """Take in what follows in the middle of a line: a length counted in characters is too short."""
        run, room = self._run, min(record.length + 1024, HELD - record.length)
        if record.cut or run.view(end, 1) in (b"", b"\r", b"\n"):
            return record, end
        found = run.search(self._grammar.candidate, end, room)
        if found is None and run.have(end, room) == room:
            return record, end
        behind = run.offset(found.start()) if found else run.end
        record.length = behind - start
        record.note("wrong_length", True)
        return record, behind

    def _sound(self, end: int) -> bool:
        """Tell whether a record that ends here is followed by a new line with another, or by the end of the file."""
        trailer = self._grammar.trailer
        if self._packed and self._run.view(end, len(trailer)) == trailer and self._run.member(end + len(trailer)):
            return True
        found = self._run.view(end, 1024)
        behind = found.lstrip(BLANK)
        if not behind:
            return self._run.end >= end
        return b"\n" in found[: len(found) - len(behind)] and self._grammar.begins(behind)
