"""Archives made by hand, and one way to read any file."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from tamis.curate.readers import plan_sources, readers
from tamis.stage import NotPage, Page, Slice, SourceFile

PAGE = b"<!DOCTYPE html><html><head><title>t</title></head><body><p>Hello, sieve.</p></body></html>"


def http(body: bytes = PAGE, status: str = "200 OK", newline: bytes = b"\r\n", **headers: str) -> bytes:
    headers = {"Content-Type": "text/html; charset=utf-8", **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items() if value), "", ""]
    return newline.join(line.encode() for line in lines) + body


def warc(
    block: bytes, kind: str = "response", newline: bytes = b"\r\n", length: int | None = None, **headers: str
) -> bytes:
    headers = {
        "WARC-Type": kind,
        "WARC-Target-URI": "http://example.org/",
        "WARC-Date": "2026-01-02T03:04:05Z",
        "WARC-Record-ID": "<urn:uuid:1>",
        "Content-Type": "application/http; msgtype=response",
        **{k.replace("_", "-"): v for k, v in headers.items()},
        "Content-Length": str(len(block) if length is None else length),
    }
    lines = ["WARC/1.0", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return newline.join(line.encode() for line in lines) + block + newline * 2


def arc(
    block: bytes, url: str = "http://example.org/a b", date: str = "20260102030405", media: str = "text/html"
) -> bytes:
    return f"{url} 127.0.0.1 {date} {media} {len(block)}\n".encode() + block + b"\n"


def arc_start() -> bytes:
    return arc(
        b"1 0 maker\nURL IP-address Archive-date Content-type Archive-length\n", "filedesc://x.arc", media="text/plain"
    )


def arrow_packed(data: bytes, codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as out:
        out.write(data)
    return sink.getvalue().to_pybytes()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": lambda data: arrow_packed(data, "zstd"),
    "lz4": lambda data: arrow_packed(data, "lz4"),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Return the builders."""
    return SimpleNamespace(http=http, warc=warc, arc=arc, arc_start=arc_start, pack=PACK, page=PAGE)


def describe(path: Path, kind: str | None = None) -> SourceFile:
    if kind is None:
        [file], _ = plan_sources([str(path)])
        return file
    return SourceFile(str(path), path.name, kind, path.stat().st_size, "")


def read_cut(path: Path, cuts: Sequence[int] | None = None, kind: str | None = None, text_field: str | None = None):
    file = describe(path, kind)
    reader = readers(text_field)[file.kind]
    cuts = reader.cuts(file, 1 << 60) if cuts is None else cuts
    return [item for start, end in pairwise(cuts) for item in reader.read(Slice(file, start, end))]


@pytest.fixture(scope="session")
def read() -> Callable[..., list[Page | NotPage]]:
    """Return a function that reads a file, whole or in slices, and gives everything the reader yields."""
    return read_cut


@pytest.fixture
def read_bytes(tmp_path: Path) -> Callable[..., list[Page | NotPage]]:
    """Return a function that reads bytes as a file of some name."""

    def read_it(data: bytes, name: str = "x.warc", **how: object) -> list[Page | NotPage]:
        path = tmp_path / name
        path.write_bytes(data)
        return read_cut(path, **how)  # type: ignore[arg-type]

    return read_it


def outcomes(items: Sequence[Page | NotPage]) -> list[str]:
    """Return one word for each item: html, text or the reason."""
    return [item.reason if isinstance(item, NotPage) else "text" if item.html is None else "html" for item in items]


@pytest.fixture(scope="session")
def words() -> Callable[[Sequence[Page | NotPage]], list[str]]:
    """Return ``outcomes``."""
    return outcomes
