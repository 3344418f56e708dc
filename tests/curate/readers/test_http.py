"""HTTP bodies: codings that are there, codings that are not, and what is left of damaged ones."""

import gzip
import zlib

import pytest

from tamis.curate.readers import http

BODY = b"<!DOCTYPE html><html><body>" + b"".join(b"<p>line %d</p>" % (i * i) for i in range(3000)) + b"</body></html>"


def chunked(data: bytes, size: int = 1000) -> bytes:
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


def brotli(data: bytes) -> bytes:
    """Return the data as one Brotli stream of uncompressed blocks (RFC 7932, section 9.2)."""
    bits, n = 0b0, 1  # WBITS 16
    out = bytearray()
    for start in range(0, len(data), 65536):
        part = data[start : start + 65536]
        for value, width in (
            (0, 1),
            (0, 2),
            (len(part) - 1, 16),
            (1, 1),
        ):  # not last, MNIBBLES 4, MLEN - 1, uncompressed
            bits |= value << n
            n += width
        out += bits.to_bytes((n + 7) // 8, "little") + part
        bits, n = 0, 0
    return bytes(out) + b"\x03"


def decode(raw: bytes, limit: int = 1 << 24, **headers: str) -> tuple[bytes, bool]:
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = http.head(b"HTTP/1.1 200 OK\r\n" + fields.encode() + b"\r\n")
    return http.body(raw, head, limit)


ENCODE = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "br": brotli}


@pytest.mark.parametrize("name", ENCODE)
@pytest.mark.parametrize("chunks", [False, True])
def test_content_codings(name, chunks):
    raw = ENCODE[name](BODY)
    transfer = {"Transfer_Encoding": "Chunked"} if chunks else {}
    assert decode(chunked(raw) if chunks else raw, Content_Encoding=name.upper(), **transfer) == (BODY, False)


def test_zstd_raw_deflate_several_codings_and_several_members(make):
    assert decode(make.pack["zstd"](BODY), Content_Encoding="zstd") == (BODY, False)
    assert decode(raw_deflate(BODY), Content_Encoding="deflate") == (BODY, False)
    assert decode(zlib.compress(gzip.compress(BODY)), Content_Encoding="gzip, deflate") == (BODY, False)
    assert decode(gzip.compress(BODY) * 2, Content_Encoding="gzip") == (BODY * 2, False)
    assert decode(gzip.compress(BODY), Transfer_Encoding="gzip, chunked") == (BODY, False)


@pytest.mark.parametrize("name", [*ENCODE, "zstd", "unheard-of", "identity"])
@pytest.mark.parametrize("transfer", ["", "chunked"])
def test_codings_that_are_not_there_are_ignored(name, transfer):
    assert decode(BODY, Content_Encoding=name, Transfer_Encoding=transfer) == (BODY, False)


@pytest.mark.parametrize("name", ENCODE)
def test_what_decodes_of_a_broken_body_is_kept(name):
    raw = ENCODE[name](BODY)
    found, missing = decode(raw[: len(raw) * 3 // 4], Content_Encoding=name)
    assert missing
    assert BODY.startswith(found)
    assert len(found) > len(BODY) // 2


def test_broken_chunks_keep_what_came_before():
    found, missing = decode(chunked(BODY)[:5000], Transfer_Encoding="chunked")
    assert missing
    assert BODY.startswith(found)
    assert 4500 < len(found) < 5000


def test_a_body_shorter_than_its_content_length_is_marked():
    assert decode(BODY, Content_Length=str(len(BODY) + 1)) == (BODY, True)
    assert decode(BODY, Content_Length=str(len(BODY))) == (BODY, False)
    assert decode(BODY, Content_Length="٣") == (BODY, False)


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_bomb_is_refused_before_it_unfolds(name):
    bomb = ENCODE[name](b" " * 50_000_000)
    with pytest.raises(http.TooLarge):
        decode(bomb, 1 << 20, Content_Encoding=name)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html", ("text/html", None)),
        ("Text/HTML ; Charset = 'GB2312'", ("text/html", "GB2312")),
        ('text/html; x=y; charset="utf-8"', ("text/html", "utf-8")),
        ("", ("", None)),
        (";;;", ("", None)),
    ],
)
def test_content_type(value, expected):
    assert http.content_type(value) == expected


@pytest.mark.parametrize(
    ("start", "page"),
    [
        (b"<!doctype HTML>", True),
        (b"\xef\xbb\xbf \n<html lang=en>", True),
        (b'<?xml version="1.0"?>\n<!-- c --><html>', True),
        (b"<!-- " + b"x" * 5000 + b"--><p>", False),
        (b"<?xml?><rss>", False),
        (b"<htmlx>", False),
        (b"", False),
    ],
)
def test_looks_like_page(start, page):
    assert http.looks_like_page(start) is page


def test_header_fields():
    fields = http.Fields(b"A: 1\r\na: 2\r\nB:3\r\nC : 4\r\nD: x\r\n y\r\nnonsense\r\nE:\t\xe9\r\n")
    assert [fields.get(name) for name in "abcdef"] == ["1", "3", "4", "x y", "é", ""]
    quick = http.Fields(b"A: 1\r\na: 2\r\nB:3\r\nE:\xe9")
    assert [quick.get(name, "-") for name in "abef"] == ["1", "3", "é", "-"]
