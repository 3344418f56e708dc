"""HTTP messages as archives keep them: heads that are sloppy, and bodies whose headers lie."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

STATUS: Final = re.compile(rb"\s*HTTP/\S*[ \t]+(\d{3})\b", re.IGNORECASE)
CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]+)", re.IGNORECASE)
CHUNK: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1024})?\r?\n")
PAGE_START: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:(?><\?xml[^>]{0,200}>\s*)|(?><!--.{0,2000}?-->\s*)){0,4}<(?:!doctype\s+html|html)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
BINARY: Final = (
    (b"%PDF-", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"PK\x03\x04", "ZIP"),
    (b"RIFF", "RIFF"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x00asm", "WebAssembly"),
    (b"wOF", "font"),
)


class TooLarge(Exception):
    """A body is larger than allowed once unpacked."""


@dataclass(frozen=True, slots=True)
class Head:
    """Head of an HTTP response. ``size``: bytes up to the body."""

    status: int
    fields: Fields
    size: int


class Fields:
    """Header fields looked up by lower-case name; the first of each name counts, folded lines are joined.

    Most fields of most records are never asked for, so a block is searched instead of split.
    """

    __slots__ = ("_block", "_lower", "_split")

    def __init__(self, block: bytes) -> None:
        self._block = block = b"\n" + block + b"\n"
        self._lower = block.lower()
        self._split: dict[str, str] | None = None

    def get(self, name: str, default: str = "") -> str:
        """Return the value without white space around it, or ``default`` if there is no such field."""
        if self._split is not None:
            return self._split.get(name, default)
        needle = _NEEDLES.get(name) or _NEEDLES.setdefault(name, b"\n%s:" % name.encode())
        block, start = self._block, self._lower.find(needle)
        if start < 0:
            if b" :" not in block and b"\t:" not in block:
                return default
        else:
            start += len(needle)
            end = block.find(b"\n", start)
            if block[end + 1 : end + 2] not in (b" ", b"\t"):
                value = block[start:end]
                return value.decode().strip() if value.isascii() else _text(value)
        self._split = _split(block)  # folded lines, or white space before colons
        return self._split.get(name, default)


_NEEDLES: Final[dict[str, bytes]] = {}


def _text(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def _split(block: bytes) -> dict[str, str]:
    """Return all fields of a block with folded lines or with white space before a colon."""
    found: dict[str, str] = {}
    name = ""
    for line in block.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if name:
                found[name] = f"{found[name]} {_text(line)}".strip()
            continue
        key, colon, value = line.partition(b":")
        name = _text(key).lower() if colon else ""
        if name in found:
            name = ""
        elif name:
            found[name] = _text(value)
    return found


def head_end(block: bytes, start: int = 0) -> tuple[int, int]:
    """Return where the header fields end and where what follows the blank line starts; (-1, -1) without one."""
    strict = block.find(b"\n\r\n", start)
    bare = block.find(b"\n\n", start, strict if strict >= 0 else len(block))
    if bare >= 0:
        return bare + 1, bare + 2
    return (strict + 1, strict + 3) if strict >= 0 else (-1, -1)


def head(block: bytes) -> Head | None:
    """Return the head of a response, None where the block does not begin with a status line."""
    status = STATUS.match(block)
    if status is None:
        return None
    line = block.find(b"\n", status.end())
    stop, size = head_end(block, status.end())
    if stop < 0:
        stop = size = len(block)
    return Head(int(status[1]), Fields(block[line + 1 : stop] if line >= 0 else b""), size)


def looks_like_page(body: bytes) -> bool:
    """Tell from the first bytes whether a body is HTML, whatever its headers say."""
    return PAGE_START.match(body, 0, 10_000) is not None


def binary(body: bytes) -> str | None:
    """Return what binary format a body is, judged by its first bytes, or None."""
    return next((name for magic, name in BINARY if body.startswith(magic)), None)


@lru_cache(maxsize=256)
def content_type(value: str) -> tuple[str, str | None]:
    """Return media type (lower case) and declared charset of a ``Content-Type`` value."""
    media, _, rest = value.partition(";")
    found = CHARSET.search(rest)
    return media.strip().strip("\"'").lower(), found[1] if found else None


def body(raw: bytes, head: Head, limit: int) -> tuple[bytes, bool]:
    """Return the body without transfer and content codings, and whether some of it is missing.

    A coding that is declared but not there is ignored (crawlers store unpacked bodies under the original headers); what
    decodes of a damaged body is kept. Raises TooLarge beyond ``limit`` bytes.
    """
    missing = False
    if "chunked" in head.fields.get("transfer-encoding").lower():
        raw, missing = dechunked(raw)
    elif (length := head.fields.get("content-length")).isascii() and length.isdecimal():
        missing = int(length[:18]) > len(raw) > 0
    named = f"{head.fields.get('content-encoding')},{head.fields.get('transfer-encoding')}".lower()
    for coding in reversed([name.strip() for name in named.split(",")]):
        if decode := CODINGS.get(coding):
            raw, damaged = decode(raw, limit)
            missing = missing or damaged
    if len(raw) > limit:
        raise TooLarge
    return raw, missing


def dechunked(raw: bytes) -> tuple[bytes, bool]:
    """Return a chunked body joined, and whether it breaks off; bytes that are not chunked come back as they are."""
    at, out = 0, bytearray()
    while True:
        size = CHUNK.match(raw, at)
        if size is None:
            if at == 0:
                return raw, False
            return bytes(out), True
        length = int(size[1], 16)
        if length == 0:
            return bytes(out), False
        start = size.end()
        if at == 0 and start + length > len(raw) and looks_like_page(raw):
            return raw, False
        out += raw[start : start + length]
        at = start + length
        if at >= len(raw):
            return bytes(out), True
        at += 2 if raw.startswith(b"\r\n", at) else raw.startswith(b"\n", at)


def _inflated(raw: bytes, wbits: int, limit: int) -> tuple[bytes, bool]:
    """Inflate as far as it goes; second value: whether it broke off."""
    out = bytearray()
    data = raw
    while data:
        inflate = zlib.decompressobj(wbits)
        at, step = 0, 1 << 16
        while at < len(data) and not inflate.eof:
            before = inflate.copy() if step > 1 else inflate
            try:
                piece = inflate.decompress(data[at : at + step], limit + 1)
            except zlib.error:
                if step == 1:
                    return bytes(out), True
                inflate, step = before, step // 16 or 1
                continue
            out += piece
            if len(out) > limit or inflate.unconsumed_tail:
                raise TooLarge
            at += step
        if not inflate.eof:
            return bytes(out), True
        data = inflate.unused_data + data[at:]
        if wbits != 31 or not data.startswith(b"\x1f\x8b\x08"):
            break
    return bytes(out), False


def _gunzip(raw: bytes, limit: int) -> tuple[bytes, bool]:
    return _inflated(raw, 31, limit) if raw.startswith(b"\x1f\x8b\x08") else (raw, False)


def _deflate(raw: bytes, limit: int) -> tuple[bytes, bool]:
    """Undo ``deflate``: with zlib header as the standard has it, or raw as some servers send it."""
    if raw.startswith(b"\x1f\x8b\x08"):
        return _gunzip(raw, limit)
    for wbits in (15, -15):
        out, broken = _inflated(raw, wbits, limit)
        if not broken or len(out) > len(raw):
            return out, broken
    return raw, False


def _streamed(open_reader: Callable[[io.BytesIO], Any], raw: bytes, limit: int) -> tuple[bytes, bool]:
    """Unpack with one of FastWARC's readers, in small steps because a step that fails gives nothing."""
    reader, out = open_reader(io.BytesIO(raw)), bytearray()
    while True:
        try:
            piece = reader.read(1024)
        except OSError:
            return (bytes(out), True) if out else (raw, False)
        if not piece:
            return bytes(out), False
        out += piece
        if len(out) > limit:
            raise TooLarge


def _unbrotli(raw: bytes, limit: int) -> tuple[bytes, bool]:
    if not raw or looks_like_page(raw):  # brotli has no magic number: the page itself tells that it is not packed
        return raw, False
    from fastwarc.stream_io import BrotliReader

    return _streamed(BrotliReader, raw, limit)


def _unzstd(raw: bytes, limit: int) -> tuple[bytes, bool]:
    if not raw.startswith(b"\x28\xb5\x2f\xfd"):
        return raw, False
    from fastwarc.stream_io import ZstdReader

    return _streamed(ZstdReader, raw, limit)


CODINGS: Final[dict[str, Callable[[bytes, int], tuple[bytes, bool]]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
