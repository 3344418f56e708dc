"""Lines of a text file with their byte offsets, from anywhere in it, compressed or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tamis.curate.readers.opening import Damaged, Stored, compression, unpacked
from tamis.curate.readers.reasons import no_page
from tamis.curate.readers.records import MAX_BODY
from tamis.stage import NotPage, Slice

LONGEST: Final = 2 * MAX_BODY
"""Bytes of a line beyond which it is not kept."""


def lines(part: Slice) -> Iterator[tuple[int, bytes | NotPage]]:
    """Yield ``(offset, line)`` for each line that starts in the slice, without its end; offsets of unpacked bytes.

    A compressed file is one piece: its lines all belong to the slice that starts at 0. A line that is too long, or the
    place where compression is damaged, comes as a NotPage.
    """
    with Stored(part.file.path) as stored:
        how = compression(stored.at(0, 8))
        if how is not None:
            if part.start == 0:
                yield from _split(unpacked(stored.pieces, how), 0, None)
            return
        start = part.start
        if start:
            start = _line_start(stored, start)
        yield from _split(stored.pieces(start), start, part.end)


def _line_start(stored: Stored, at: int) -> int:
    """Return where the first line starts at or after ``at``."""
    at -= 1
    for piece in stored.pieces(at):
        found = piece.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(piece)
    return stored.size


def _split(pieces: Iterator[bytes], at: int, end: int | None) -> Iterator[tuple[int, bytes | NotPage]]:
    """Yield the lines that start before ``end``."""
    rest, skipped = bytearray(), 0
    damage: str | None = None
    while end is None or at < end:
        try:
            piece = next(pieces, None)
        except Damaged as damaged:
            piece, damage = None, str(damaged)
        if piece is None:
            break
        rest += piece
        done = 0
        while (found := rest.find(b"\n", done)) >= 0 and (end is None or at < end):
            length = skipped + found - done
            yield at, _too_long(at, length) if length > LONGEST else bytes(rest[done:found])
            at, done, skipped = at + length + 1, found + 1, 0
        del rest[:done]
        if len(rest) + skipped > LONGEST:
            skipped += len(rest)
            rest.clear()
    if (rest or skipped) and damage is None and (end is None or at < end):
        yield at, _too_long(at, skipped) if skipped else bytes(rest)
    if damage is not None:
        yield at, no_page(at, "damaged_compression", damage)


def _too_long(at: int, length: int) -> NotPage:
    return no_page(at, "body_too_large", f"a line of {length} bytes")
