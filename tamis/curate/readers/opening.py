"""Bytes of input files: local or remote, stored or compressed, always in pieces of bounded size."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

from tamis.errors import InputError

PIECE: Final = 1 << 20
"""Bytes read at a time."""
HEAD: Final = 1 << 16
"""Bytes of a file that sniffing looks at."""
STEP: Final = 1 << 14
"""Compressed bytes unpacked at a time."""
GZIP: Final = b"\x1f\x8b\x08"
MAGIC: Final = {
    "gzip": b"\x1f\x8b",
    "zstd": b"\x28\xb5\x2f\xfd",
    "lz4": b"\x04\x22\x4d\x18",
    "bz2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
}


class Damaged(Exception):
    """Compressed data stopped making sense; what could be unpacked before has been given out."""


class Stored:
    """A file as stored: reads at any offset; ``size`` is its length in bytes.

    Raises InputError where the file cannot be opened or read (never OSError, which decompressors use for damage).
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = _open(path)
            self.size: int = self._file.seek(0, io.SEEK_END)
        except (OSError, ValueError, ImportError) as error:
            raise InputError(f"{path}: cannot be opened: {error}") from None

    def at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``; fewer only at the end of the file."""
        try:
            self._file.seek(offset)
            data: bytes = self._file.read(length)
            while len(data) < min(length, self.size - offset):
                more = self._file.read(length - len(data))
                if not more:
                    break
                data += more
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path}: cannot be read at byte {offset}: {error}") from None
        return data

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of ``[start, end)`` in pieces."""
        end = self.size if end is None else end
        while start < end:
            data = self.at(start, min(PIECE, end - start))
            if not data:
                return
            yield data
            start += len(data)

    def __enter__(self) -> Stored:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def is_remote(path: str) -> bool:
    """Tell an fsspec URL (``s3://…``) from a local path."""
    return "://" in path


def _open(path: str) -> Any:
    if is_remote(path):
        import fsspec

        return fsspec.open(path, "rb").open()
    return open(path, "rb", buffering=0)  # noqa: PTH123 — a Path has no unbuffered open of its own


class _Source:
    """What FastWARC's readers take: something to read from, over an iterator of pieces (and no seek: they would)."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self._given = 0

    def tell(self) -> int:
        return self._given

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        size = len(self._rest) if size is None or size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        self._given += len(data)
        return data


def compression(head: bytes) -> str | None:
    """Return the compression a file's first bytes show (a key of ``MAGIC``), or None."""
    return next((name for name, magic in MAGIC.items() if head.startswith(magic)), None)


def unpacked(pieces: Callable[[], Iterator[bytes]], how: str | None) -> Iterator[bytes]:
    """Yield the unpacked bytes of a stored stream; raises Damaged after the last byte that could be saved.

    ``pieces`` opens the stream, again if need be.
    """
    if how is None:
        return pieces()
    if how in ("zstd", "lz4"):
        return _frames(pieces, how)
    return _members(pieces(), how)


def _decompressor(how: str) -> Any:
    if how == "gzip":
        return zlib.decompressobj(31)
    return bz2.BZ2Decompressor() if how == "bz2" else lzma.LZMADecompressor()


def _members(pieces: Iterator[bytes], how: str) -> Iterator[bytes]:
    """Unpack members one after another, in steps so that damage costs little of what came before it."""
    inflate, fresh, step = _decompressor(how), True, STEP
    for piece in pieces:
        at = 0
        while at < len(piece):
            if fresh and piece[at] == 0:  # padding behind a member
                at += 1
                continue
            before = inflate.copy() if how == "gzip" and step > 1 else None
            given = piece[at : at + step]
            try:
                out = inflate.decompress(given)
            except (zlib.error, OSError, lzma.LZMAError) as error:
                if before is None:
                    raise Damaged(str(error)) from None
                inflate, step = before, max(1, step // 16)  # a call that fails gives nothing: go closer step by step
                continue
            at += len(given)
            fresh = inflate.eof
            if fresh:
                at -= len(inflate.unused_data)
                inflate = _decompressor(how)
            if out:
                yield out
    if not fresh:
        raise Damaged("the compressed data ends too early")


def _frames(pieces: Callable[[], Iterator[bytes]], how: str) -> Iterator[bytes]:
    """Unpack with FastWARC. A call that fails gives nothing, so after damage what came before is read byte by byte."""
    given = 0
    for size in (1 << 14, 1 << 6, 1):
        reader, skip = _frame_reader(pieces(), how), given
        try:
            while skip and (data := reader.read(min(skip, 1 << 14))):
                skip -= len(data)
            while data := reader.read(size):
                given += len(data)
                yield data
            return
        except OSError as error:
            damage = str(error)
    raise Damaged(damage)


def _frame_reader(pieces: Iterator[bytes], how: str) -> Any:
    from fastwarc import stream_io

    return {"zstd": stream_io.ZstdReader, "lz4": stream_io.Lz4Reader}[how](_Source(pieces))


def plain_head(head: bytes) -> bytes:
    """Return the first unpacked bytes (up to 64 KiB) of a file whose first stored bytes these are."""
    return unpacked_head(head)[0]


@lru_cache(maxsize=4)
def unpacked_head(head: bytes) -> tuple[bytes, bool]:
    """Return what ``plain_head`` does, and whether unpacking came to an end without trouble.

    A head that is not the whole file ends inside a member: that is no damage as long as something came out.
    """
    how = compression(head)
    if how is None:
        return head, True
    found = b""
    try:
        for piece in unpacked(lambda: iter((head,)), how):
            found += piece
            if len(found) >= HEAD:
                break
    except Damaged:
        return found[:HEAD], False
    return found[:HEAD], True


def whole(stored: Stored, limit: int) -> tuple[bytes, str | None] | None:
    """Return a file unpacked and what damaged it, if anything; None if it is larger than ``limit`` bytes."""
    found = bytearray()
    try:
        for piece in unpacked(stored.pieces, compression(stored.at(0, 8))):
            found += piece
            if len(found) > limit:
                return None
    except Damaged as damage:
        return bytes(found), str(damage)
    return bytes(found), None
