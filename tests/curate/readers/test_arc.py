"""ARC records, version 1 and 2."""

import pytest

from tamis.stage import Page


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
def test_pages_of_an_arc_file(make, read_bytes, words, how):
    parts = [
        make.arc_start(),
        make.arc(make.http()),
        make.arc(make.http(Content_Type="")),
        make.arc(make.http(status="404 Not Found")),
        make.arc(b"20260102\nexample.org. 1 IN A 1.2.3.4", "dns:example.org", media="text/dns"),
        make.arc(make.http(b"plain text", Content_Type="text/plain")),
        make.arc(b"", "http://example.org/nothing"),
    ]
    data = b"".join(map(make.pack[how], parts)) if how == "gzip" else make.pack[how](b"".join(parts))
    items = read_bytes(data, "x.arc")
    assert words(items) == ["warcinfo", "html", "html", "http_status", "not_html", "text", "no_response"]
    assert items[1] == Page(
        position=items[1].position,
        html=make.page,
        url="http://example.org/a b",
        date="2026-01-02T03:04:05Z",
        charset="utf-8",
    )
    if how == "gzip":
        assert items[1].position == len(make.pack[how](parts[0]))
    else:
        assert items[1].position == len(parts[0])


def test_a_second_member_that_begins_with_the_newline_of_the_first(make, read_bytes, words):
    members = [make.arc_start().removesuffix(b"\n"), b"\n" + make.arc(make.http()).removesuffix(b"\n")]
    assert words(read_bytes(b"".join(map(make.pack["gzip"], members)), "x.arc.gz")) == ["warcinfo", "html"]


def test_version_2_lines(make, read_bytes):
    block = make.http()
    line = f"http://example.org/a b 127.0.0.1 20260102 text/html 200 - - 1234 x.arc {len(block)}\n".encode()
    _, page = read_bytes(make.arc_start() + line + block + b"\n", "x.arc")
    assert (page.url, page.date, page.html) == ("http://example.org/a b", "2026-01-02", make.page)


def test_an_arc_file_without_its_first_record(make, read_bytes, words):
    assert words(read_bytes(make.arc(make.http()) * 2, "x.arc")) == ["html", "html"]


def test_garbage_between_records(make, read_bytes, words):
    one = make.arc(make.http())
    items = read_bytes(make.arc_start() + one + b"GARBAGE GARBAGE\n\x01\x02" + one, "x.arc")
    assert words(items) == ["warcinfo", "html", "damaged_record", "html"]


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 30])
def test_lengths_that_are_no_number(make, read_bytes, words, length):
    one = make.arc(make.http())
    bad = one.replace(b"text/html %d\n" % len(make.http()), f"text/html {length}\n".encode())
    kinds = words(read_bytes(make.arc_start() + bad + one, "x.arc"))
    assert kinds[0] == "warcinfo"
    assert kinds[-1] == "html"
    assert {"bad_header"} & set(kinds)


def test_a_record_cut_short(make, read_bytes, words):
    data = make.arc_start() + make.arc(make.http(make.page * 9))
    items = read_bytes(data[:-300], "x.arc")
    assert words(items) == ["warcinfo", "html"]
    assert items[1].meta == {"truncated": True, "damaged": True}
