"""WARC records: what becomes a page, what does not and why, and what damage costs."""

import gzip

import pytest

from tamis.curate.readers import records
from tamis.stage import NotPage, Page


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd", "lz4"])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_one_response_is_one_page(make, read_bytes, how, newline):
    data = make.pack[how](make.warc(make.http(newline=newline), newline=newline))
    [page] = read_bytes(data)
    assert page == Page(
        position=0,
        html=make.page,
        url="http://example.org/",
        date="2026-01-02T03:04:05Z",
        charset="utf-8",
        meta={"record_id": "urn:uuid:1"},
    )


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        *((kind, kind) for kind in ("request", "warcinfo", "metadata", "revisit", "continuation")),
        ("RESPONSE", "html"),
        ("\tresponse", "html"),
        ("screenshot", "other_record"),
        ("", "bad_header"),
    ],
)
def test_record_types(make, read_bytes, words, kind, outcome):
    assert words(read_bytes(make.warc(make.http(), kind))) == [outcome]


@pytest.mark.parametrize(
    ("block", "outcome", "detail"),
    [
        ({"status": "404 Not Found"}, "http_status", "404"),
        ({"status": "304 Not Modified"}, "http_status", "304"),
        ({"status": "301"}, "http_status", "301"),
        ({"Content_Type": "image/png", "body": b"\x89PNG..."}, "not_html", "image/png"),
        ({"body": b"%PDF-1.7 ..."}, "not_html", "PDF"),
        ({"body": b" \r\n"}, "empty_body", None),
        ({"Content_Type": "application/json", "body": b'{"a": "<html>"}'}, "not_html", "application/json"),
        ({"Content_Type": "", "body": b"no tag"}, "not_html", None),
    ],
)
def test_responses_that_are_no_page(make, read_bytes, block, outcome, detail):
    [item] = read_bytes(make.warc(make.http(**block)))
    assert isinstance(item, NotPage)
    assert (item.outcome, item.reason, item.detail) == ("dropped", outcome, detail)
    assert (item.url, item.date) == ("http://example.org/", "2026-01-02T03:04:05Z")


@pytest.mark.parametrize("media", ["application/octet-stream", "", "text/plain", "application/xml", "image/gif"])
def test_html_is_recognised_whatever_it_is_called(make, read_bytes, words, media):
    assert words(read_bytes(make.warc(make.http(Content_Type=media)))) == ["html"]


def test_plain_text_is_decoded(make, read_bytes):
    body = "naïve café, déjà vu — un texte français assez long pour être reconnu.".encode("cp1252")
    [page] = read_bytes(make.warc(make.http(body, Content_Type="text/plain; charset=windows-1252")))
    assert page.text == body.decode("cp1252")
    assert page.html is None


def test_wet_gives_text_and_wat_gives_nothing(make, read_bytes):
    wet = make.warc(
        "Ünïcode 中文\nline".encode(),
        "conversion",
        Content_Type="text/plain",
        WARC_Identified_Content_Language="deu,zho",
    )
    wat = make.warc(b'{"Envelope": {}}', "metadata", Content_Type="application/json")
    page, other = read_bytes(wet + wat)
    assert (page.text, page.html) == ("Ünïcode 中文\nline", None)
    assert page.meta["identified_language"] == "deu,zho"
    assert other.reason == "metadata"


def test_resource_records(make, read_bytes, words):
    assert words(
        read_bytes(
            make.warc(make.page, "resource", Content_Type="text/html")
            + make.warc(b"wget log", "resource", Content_Type="text/plain")
            + make.warc(b"\xff\xd8\xff", "resource", Content_Type="image/jpeg")
        )
    ) == ["html", "resource_not_page", "resource_not_page"]


def test_dns_and_empty_responses(make, read_bytes, words):
    dns = make.warc(
        b"20260102\nexample.org. 1 IN A 1.2.3.4", Content_Type="text/dns", WARC_Target_URI="dns:example.org"
    )
    assert words(read_bytes(dns + make.warc(b""))) == ["not_html", "no_response"]


def test_angle_brackets_and_folded_values_are_understood(make, read_bytes):
    record = make.warc(make.http(), WARC_Target_URI="<https://example.org/x>").replace(
        b"WARC-Date: 2026", b"wArC-dAtE:\r\n\t2026"
    )
    [page] = read_bytes(record)
    assert (page.url, page.date) == ("https://example.org/x", "2026-01-02T03:04:05Z")


def test_records_without_headers_do_not_stop_the_reader(make, read_bytes, words):
    lonely = b"".join(b"WARC/1.0\r\nWARC-Type: %s\r\n\r\n\r\n\r\n" % kind for kind in (b"response", b"revisit"))
    assert words(read_bytes(lonely + make.warc(make.http()))) == ["no_response", "revisit", "html"]


def test_positions_are_offsets_of_members(make, read_bytes):
    members = [make.pack["gzip"](make.warc(make.http(), kind)) for kind in ("response", "request", "response")]
    items = read_bytes(b"".join(members), "x.warc.gz")
    assert [item.position for item in items] == [0, len(members[0]), len(members[0]) + len(members[1])]


def test_positions_in_one_member_are_offsets_unpacked(make, read_bytes):
    one = make.warc(make.http())
    items = read_bytes(make.pack["gzip"](one * 3), "x.warc.gz")
    assert [item.position for item in items] == [0, len(one), 2 * len(one)]


def test_joined_files_never_share_a_position(make, read_bytes):
    one = make.warc(make.http())
    stacked, single = make.pack["gzip"](one * 3), make.pack["gzip"](one)
    items = read_bytes(stacked * 2 + single * 2 + stacked, "x.warc.gz")
    assert len(items) == len({item.position for item in items}) == 11


def test_garbage_between_plain_records_is_counted_once(make, read_bytes, words):
    one = make.warc(make.http())
    items = read_bytes(one + b"\0garbage, all of it\r\n\r\n" + one)
    assert words(items) == ["html", "damaged_record", "html"]
    assert items[1].outcome == "failed"
    assert items[1].position == len(one) + 1


def test_garbage_between_members_is_counted_once(make, read_bytes, words):
    one = make.pack["gzip"](make.warc(make.http()))
    items = read_bytes(one + b"garbage" * 9 + one, "x.warc.gz")
    assert words(items) == ["html", "damaged_compression", "html"]
    assert [item.position for item in items] == [0, len(one), len(one) + 63]


@pytest.mark.parametrize("hurt", [12, 40, -6])
def test_a_damaged_member_costs_one_record_at_most(make, read_bytes, words, hurt):
    bodies = [make.page + b"%d" % i for i in range(3)]
    members = [bytearray(make.pack["gzip"](make.warc(make.http(body)))) for body in bodies]
    members[1][hurt] ^= 0xFF
    items = read_bytes(b"".join(map(bytes, members)), "x.warc.gz")
    kinds = words(items)
    assert kinds[0] == kinds[-1] == "html"
    assert kinds.count("damaged_compression") == 1
    assert items[0].html == bodies[0]
    assert items[-1].html == bodies[2]
    assert len({item.position for item in items}) == len(items)


def test_a_record_with_a_wrong_checksum_is_failed_and_the_next_is_read(make, read_bytes, words):
    member = bytearray(make.pack["gzip"](make.warc(make.http())))
    member[-6] ^= 1
    assert words(read_bytes(bytes(member) * 2, "x.warc.gz")) == ["damaged_compression"] * 2


@pytest.mark.parametrize("how", ["plain", "gzip"])
def test_a_record_cut_short_at_the_end_is_a_page_marked_truncated(make, read_bytes, words, how):
    whole = make.warc(make.http(make.page + bytes(range(256)) * 40))
    data = whole[:-9000] if how == "plain" else make.pack[how](whole)[:-200]
    items = read_bytes(make.pack[how](make.warc(make.http())) + data)
    assert words(items) == ["html", "html"]
    assert items[1].meta["truncated"] is True
    assert items[1].html.startswith(make.page)
    assert "truncated" not in items[0].meta


def test_a_cut_record_without_use_is_a_failure(make, read_bytes):
    one = make.warc(make.http(Content_Type="image/png", body=b"\x89PNG" * 99))
    [item] = read_bytes(one[:-100])
    assert (item.outcome, item.reason, item.detail) == ("failed", "truncated_record", "not_html")


def test_a_header_cut_short_is_a_failure(make, read_bytes, words):
    one = make.warc(make.http())
    assert words(read_bytes(one + one[:60])) == ["html", "bad_header"]


@pytest.mark.parametrize("length", [-30, -3, 40])
@pytest.mark.parametrize("how", ["plain", "gzip"])
def test_a_length_that_lies_costs_no_neighbour(make, read_bytes, words, how, length):
    block = "中文 text of a page with some length".encode()
    wrong = make.warc(block, "conversion", Content_Type="text/plain", length=len(block) + length)
    right = make.warc(block, "conversion", Content_Type="text/plain")
    items = read_bytes(make.pack[how](right + wrong + right))
    assert [item.text.strip() for item in items if isinstance(item, Page)] == [block.decode()] * 3
    assert [item.meta.get("wrong_length") for item in items] == [None, True, None]


@pytest.mark.parametrize("length", ["", "many", "-1", "9" * 40, "٣"])
def test_lengths_that_are_no_number(make, read_bytes, words, length):
    one = make.warc(make.http())
    bad = one.replace(b"Content-Length: %d" % (len(make.http())), b"Content-Length: " + length.encode())
    kinds = words(read_bytes(bad + one))
    assert kinds[-1] == "html"
    assert "bad_header" in kinds


def test_a_body_beyond_the_limit_is_refused(make, read_bytes, words, monkeypatch):
    monkeypatch.setattr("tamis.curate.readers.pages.MAX_BODY", 1000)
    bomb = gzip.compress(make.page + b" " * 5000)
    small = make.warc(make.http())
    items = read_bytes(make.warc(make.http(bomb, Content_Encoding="gzip")) + small)
    assert words(items) == ["body_too_large", "html"]
    assert items[0].outcome == "failed"


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
def test_records_longer_than_what_is_held_are_walked_past(make, read_bytes, words, monkeypatch, how):
    monkeypatch.setattr(records, "HELD", 3000)
    monkeypatch.setattr("tamis.curate.readers.opening.PIECE", 4096)
    long = bytes(range(256)) * 100
    data = (
        make.warc(make.http(make.page + long))
        + make.warc(make.http(long, Content_Type="video/mp4"))
        + make.warc(make.http())
    )
    assert words(read_bytes(make.pack[how](data))) == ["body_too_large", "not_html", "html"]


@pytest.mark.parametrize("how", ["plain", "gzip"])
def test_a_huge_length_that_lies_does_not_swallow_the_file(make, read_bytes, words, how):
    bad, good = make.warc(make.http(), length=10**13), make.warc(make.http())
    items = read_bytes(b"".join(map(make.pack[how], (good, bad, good, good))))
    assert words(items)[0] == "html"
    assert words(items)[-2:] == ["html", "html"]
    assert len(items) == 4


def test_a_record_that_holds_an_archive_stays_one_record(make, read_bytes, words):
    inner = make.warc(make.http()) * 2
    outer = make.warc(make.http(inner, Content_Type="application/warc"))
    assert words(read_bytes(outer + make.warc(make.http()))) == ["not_html", "html"]


def test_members_unpacked_fast_and_by_the_book_are_the_same(make, read_bytes, monkeypatch):
    data = b"".join(make.pack["gzip"](make.warc(make.http(make.page * (i % 7) + b"%d" % i))) for i in range(60))
    fast = read_bytes(data)
    monkeypatch.setattr("tamis.curate.readers.members._many", lambda data, at: ([], at))
    assert read_bytes(data) == fast


def test_stored_gzip_data_inside_a_member_does_not_confuse_it(make, read_bytes, words):
    inner = make.pack["gzip"](b"an archived archive " * 50) * 30
    record = make.warc(make.http(inner, Content_Type="application/gzip"))
    member = gzip.compress(record, compresslevel=0, mtime=0)
    page = make.pack["gzip"](make.warc(make.http()))
    assert words(read_bytes(page + member + page, "x.warc.gz")) == ["html", "not_html", "html"]


def test_empty_archives_give_nothing(make, read_bytes):
    assert read_bytes(b"", kind="warc") == []
    assert read_bytes(make.pack["gzip"](b""), kind="warc") == []
