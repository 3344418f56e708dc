"""Members of gzip files: unpacked fast where they are sound, and as far as it goes where they are damaged."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Generator, Iterator
from typing import Final

from tamis.curate.readers.opening import GZIP, PIECE, Stored

MEMBER: Final = re.compile(re.escape(GZIP))
MANY: Final = 1 << 26
"""Unpacked bytes that a piece of small members may have; beyond, members are unpacked one by one, in parts."""
STEP: Final = 1 << 16
"""Compressed bytes given to inflate at a time: what is left over at the end of a member is copied."""


class Break(Exception):
    """A run ends before its file does.

    ``at`` is the stored offset of the damaged member or the stray bytes, None where stored offsets are not known;
    ``stray`` tells the two apart; ``early`` tells a file that just stops.
    """

    def __init__(self, message: str, at: int | None, early: bool = False, stray: bool = False) -> None:
        super().__init__(message)
        self.at = at
        self.early = early
        self.stray = stray


class _Input:
    """The stored bytes from a moving offset on, read ahead one piece."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._bytes = b""
        self._piece = memoryview(b"")
        self._start = -1

    def at(self, offset: int) -> memoryview:
        """Return some bytes from ``offset``, at most ``STEP``; none at the end of the file."""
        inside = offset - self._start
        if not 0 <= inside <= len(self._piece) - 64:
            self._load(offset)
            inside = 0
        return self._piece[inside : inside + STEP]

    def all(self, offset: int) -> bytes:
        """Return a full piece from ``offset``, or what there is up to the end of the file."""
        if offset != self._start:
            self._load(offset)
        return self._bytes

    def _load(self, offset: int) -> None:
        self._start = offset
        self._bytes = self._stored.at(offset, PIECE)
        self._piece = memoryview(self._bytes)


def inflated(stored: Stored, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield the members of a gzip file from the one at ``at`` on, as ``Run`` takes them; raises Break on damage."""
    source, by_the_book = _Input(stored), 0
    while True:
        head = source.at(at)
        if not len(head):
            return
        if bytes(head[:3]) != GZIP:
            padding = len(head) - len(bytes(head).lstrip(b"\0\r\n"))
            if not padding:
                raise Break("bytes that are no gzip member", at, stray=True)
            at += padding
            continue
        if at >= by_the_book:
            data = source.all(at)
            members, behind = _many(data, at)
            yield from members
            if members:
                at = behind
                continue
            by_the_book = at + len(data)  # one odd member spoils the guess for the whole piece: do not try again in it
        at = yield from _one(source, stored, at)


def _many(data: bytes, at: int) -> tuple[list[tuple[int, bytes]], int]:
    """Inflate all complete members in ``data``, which starts with one, and tell where they end.

    FastWARC's inflate is faster than Python's but does not say where members end. So they are guessed from their
    magic number, and the guess is right if what comes out is as long as the trailers of all members say; the checksums
    of gzip see to the rest.
    Returns nothing where that fails: ``_one`` then goes through the members by the book.
    """
    starts = [found.start() for found in MEMBER.finditer(data)]
    lengths = [int.from_bytes(data[end - 4 : end], "little") for end in starts[1:]]
    total = sum(lengths)
    if not lengths or total > MANY:
        return [], at
    from fastwarc.stream_io import GzipReader

    try:
        out = GzipReader(io.BytesIO(data[: starts[-1]]), 1 << 17, False, False).read()
    except OSError:
        return [], at
    if len(out) != total:
        return [], at
    members, here = [], 0
    for start, length in zip(starts, lengths, strict=False):
        members.append((at + start, out[here : here + length]))
        here += length
    return members, at + starts[-1]


def _one(source: _Input, stored: Stored, at: int) -> Generator[tuple[int, bytes], None, int]:
    """Yield the member at ``at`` in parts and return where it ends."""
    inflate, origin, here = zlib.decompressobj(31), at, at
    given = 0
    while not inflate.eof:
        data: bytes | memoryview = inflate.unconsumed_tail
        if not data:
            data = source.at(here)
            here += len(data)
        try:
            out = inflate.decompress(data, 1 << 22)
        except zlib.error as error:
            yield origin, _saved(stored, at, given)
            raise Break(str(error), at) from None
        given += len(out)
        if out:
            yield origin, out
            origin = -1
        elif not len(data):
            raise Break("the last gzip member ends too early", at, early=True)
    return here - len(inflate.unused_data)


def _saved(stored: Stored, at: int, given: int) -> bytes:
    """Return what can be inflated of the damaged member at ``at`` beyond the first ``given`` bytes.

    inflate gives nothing back from a call that fails, so the member is gone through again in ever smaller steps.
    """
    inflate, out, step = zlib.decompressobj(31), bytearray(), 4096
    here = at
    while step:
        before = inflate.copy()
        try:
            piece = inflate.decompress(stored.at(here, step), 1 << 22)
            while inflate.unconsumed_tail:
                piece += inflate.decompress(inflate.unconsumed_tail, 1 << 22)
        except zlib.error:
            inflate, step = before, 0 if step == 1 else step // 16 or 1
            continue
        here += step
        skip = min(len(piece), given)
        given -= skip
        out += piece[skip:]
        if len(out) > PIECE * 64 or here >= stored.size or inflate.eof:
            break
    return bytes(out)
