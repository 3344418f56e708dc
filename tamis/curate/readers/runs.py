"""Archives as runs of unpacked bytes without a gap, in which every byte knows where it is stored."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final

from tamis.curate.readers.members import MEMBER, Break, inflated
from tamis.curate.readers.opening import PIECE, Damaged, Stored, compression, unpacked

FAR: Final = 1 << 48
"""Beyond any file size; see ``Run.position``."""


class Whole:
    """The bytes of one member, where a run is asked for."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def view(self, at: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``at``."""
        return self.data[at : at + length]


class Run:
    """Unpacked bytes from one stored offset to the end of the file or the first damage, seen through a window.

    Offsets count unpacked bytes from the start of the run. ``pieces`` gives ``(origin, data)``: the stored offset where
    the member starts whose first bytes ``data`` are, or -1 for the bytes that go on in the same one. What lies before
    the last ``release`` is forgotten. ``broken`` is set once the end is reached and was no good one.
    """

    def __init__(self, pieces: Iterator[tuple[int, bytes]], stacked: bool, plain: bool) -> None:
        self._pieces = pieces
        self._stacked = stacked
        self._plain = plain
        self._buffer = bytearray()
        self._base = 0
        self._marks: list[int] = []
        self._origins: list[int] = []
        self._next: tuple[int, bytes] | None = None
        self._done = False
        self.broken: Break | None = None

    def _pull(self) -> tuple[int, bytes] | None:
        """Return the next piece without taking it in."""
        if self._next is None and not self._done:
            try:
                self._next = next(self._pieces)
            except StopIteration:
                self._done = True
            except Break as broken:
                self._done, self.broken = True, broken
        return self._next

    def _more(self) -> bool:
        piece = self._pull()
        if piece is None:
            return False
        origin, data = piece
        if origin >= 0:
            self._marks.append(self._base + len(self._buffer))
            self._origins.append(origin)
        self._buffer += data
        self._next = None
        return True

    def member(self, at: int) -> tuple[int, bytes] | None:
        """Return stored offset and bytes of the piece that starts a member exactly at ``at``, if one does."""
        if at == self._base + len(self._buffer):
            piece = self._pull()
            return piece if piece and piece[0] >= 0 else None
        if self._marks and self._marks[-1] == at:
            return self._origins[-1], bytes(self._buffer[at - self._base :])
        return None

    def pass_member(self, at: int) -> int:
        """Go past the piece that ``member`` returned, without a copy where none was made; return where it ends."""
        if self._next is None or at != self._base + len(self._buffer):
            end = self.end
            self.release(end)
            return end
        origin, data = self._next
        self._next = None
        self._buffer.clear()
        self._marks, self._origins = [at], [origin]
        self._base = at + len(data)
        return self._base

    @property
    def end(self) -> int:
        """Run offset up to which bytes were read so far."""
        return self._base + len(self._buffer)

    def have(self, at: int, length: int) -> int:
        """Return how many of the ``length`` bytes from ``at`` exist, reading as far as it takes."""
        end = at + length
        while self._base + len(self._buffer) < end and self._more():
            pass
        return max(0, min(length, self._base + len(self._buffer) - at))

    def view(self, at: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``at``; fewer only where the run ends."""
        buffer, begin = self._buffer, at - self._base
        if len(buffer) < begin + length:
            self.have(at, length)
        return bytes(buffer[begin : begin + length])

    def search(self, pattern: re.Pattern[bytes], at: int, length: int) -> re.Match[bytes] | None:
        """Find ``pattern`` within the next ``length`` bytes, reading no further than needed."""
        step = min(length, 1024)
        while True:
            have = self.have(at, step)
            begin = at - self._base
            found = pattern.search(self._buffer, begin, begin + have)
            if found or have < step or step == length:
                return found
            step = min(length, step * 4)

    def offset(self, buffered: int) -> int:
        """Return the run offset of a place in a match that ``search`` found."""
        return self._base + buffered

    def release(self, at: int) -> None:
        """Forget what lies before ``at``, reading past it if it is still to come."""
        while self._base + len(self._buffer) < at:
            self._base += len(self._buffer)
            self._buffer.clear()
            if not self._more():
                break
        known = max(0, min(at - self._base, len(self._buffer)))
        del self._buffer[:known]
        self._base += known
        keep = bisect_right(self._marks, at) - 1
        if keep > 64:
            del self._marks[:keep], self._origins[:keep]

    def origin(self, at: int) -> tuple[int, int]:
        """Return the stored offset of the member that holds ``at``, and how many unpacked bytes into it that is."""
        i = bisect_right(self._marks, at) - 1
        return self._origins[i], at - self._marks[i]

    def position(self, at: int) -> int:
        """Return the record position of ``at``: where it is stored; the same number however the file is cut.

        A record that starts a member has the stored offset of the member. Further records of the first member have
        their offset in the unpacked bytes. For those of later members (files joined from several such members) both
        numbers go into one, beyond the size of any file, so that no two records of a file share a position.
        """
        return self.number(*self.origin(at))

    def marks(self, at: int) -> list[int]:
        """Return where members start from ``at`` on, as far as was read."""
        return self._marks[bisect_left(self._marks, at) :]

    def number(self, member: int, inside: int) -> int:
        """Return the position of what is ``inside`` bytes into the member at ``member``."""
        if self._plain:
            return member + inside
        if member and (inside or self._stacked):
            return member * FAR + inside
        return member + inside


class Archive:
    """One archive file cut into runs, for a record format that can tell where a record starts.

    ``begins`` says of the first 1 KiB of a member, or of plain bytes, whether a record starts there; ``candidate``
    finds such places in plain bytes; ``chained(offset)`` makes sure of one there by looking at its far end.
    """

    def __init__(
        self,
        stored: Stored,
        begins: Callable[[bytes], bool],
        candidate: re.Pattern[bytes],
        chained: Callable[[Stored, int], bool],
    ) -> None:
        self.stored = stored
        self.how = compression(stored.at(0, 8))
        self.stacked = False
        """Whether the first gzip member holds more than one record; the reader finds out."""
        self._begins = begins
        self._candidate = candidate
        self._chained = chained

    def after(self, run: Run) -> int | None:
        """Return the stored offset of the first record behind the break that ended a run, if there is one."""
        if run.broken is None or run.broken.at is None:
            return None
        return self.first(run.broken.at + 1, self.stored.size)

    def break_position(self, run: Run, last: int) -> int:
        """Return a position for what broke a run, other than that of any record; ``last`` is that of the last one.

        Stray bytes have a place of their own. A damaged member may have given a record, which has its offset: so the
        damage gets the next number, where no member can start. Within a first member of many records positions count
        unpacked bytes, and the damage is where they end.
        """
        broken = run.broken
        if broken is None or broken.at is None:
            return run.end
        if not self.stacked:
            place = broken.at + (not broken.stray)
            return place + (place == last)
        member, inside = run.origin(run.end) if run.end else (broken.at, 0)
        if not member:
            return inside
        return broken.at * FAR + (0 if broken.stray else FAR - 1)

    def run(self, at: int) -> Run:
        """Return the run that starts at a stored offset."""
        if self.how == "gzip":
            return Run(inflated(self.stored, at), self.stacked, False)
        if self.how is None:
            return Run(_plain(self.stored, at), False, True)
        return Run(_unpacked(self.stored, self.how), False, False)

    def starts(self, run: Run, at: int) -> bool:
        """Tell whether a slice may start with the record at ``at``: the rule by which slices agree without talking."""
        member, inside = run.origin(at)
        if self.how is None:
            return self._chained(self.stored, member + inside)
        return not inside and self._begins(run.view(at, 1024))

    def first(self, start: int, end: int) -> int | None:
        """Return the stored offset of the first record that a slice ``[start, end)`` owns, if there is one."""
        if start == 0:
            return 0
        if self.how == "gzip":
            return self._first_member(start, end)
        return self._first_plain(start, end) if self.how is None else None

    def _first_member(self, start: int, end: int) -> int | None:
        for at in _places(self.stored, MEMBER, start, end):
            head = b""
            try:
                for _, data in inflated(self.stored, at):
                    head += data
                    if len(head) >= 1024:
                        break
            except Break:
                pass
            if self._begins(head[:1024]):
                return at
        return None

    def _first_plain(self, start: int, end: int) -> int | None:
        places = _places(self.stored, self._candidate, start, end)
        return next((at for at in places if self._chained(self.stored, at)), None)


def _places(stored: Stored, pattern: re.Pattern[bytes], start: int, end: int) -> Iterator[int]:
    """Yield where ``pattern`` (no longer than 4 KiB) starts in ``[start, end)``."""
    overlap = 4096
    while start < min(end, stored.size):
        stop = min(start + PIECE, end)
        data = stored.at(start, stop - start + overlap)
        for found in pattern.finditer(data):
            if found.start() < stop - start:
                yield start + found.start()
        start = stop


def _plain(stored: Stored, at: int) -> Iterator[tuple[int, bytes]]:
    origin = at
    for piece in stored.pieces(at):
        yield origin, piece
        origin = -1


def _unpacked(stored: Stored, how: str) -> Iterator[tuple[int, bytes]]:
    origin = 0
    try:
        for piece in unpacked(stored.pieces, how):
            yield origin, piece
            origin = -1
    except Damaged as damage:
        raise Break(str(damage), None) from None
