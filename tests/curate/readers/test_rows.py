"""Rows as pages: JSON Lines, CSV and TSV, Parquet; and files that are one document."""

import csv
import datetime
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.errors import InputError
from tamis.stage import NotPage, Page

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def test_json_fields_go_where_they_belong(read_bytes):
    row = {
        "id": 7,
        "content": "文本 text",
        "url": "http://x/",
        "date": "2026-01-02",
        "language": "zh",
        "n": None,
        "tags": ["a"],
    }
    [page] = read_bytes(json.dumps(row).encode(), "x.jsonl")
    assert page == Page(
        0, text="文本 text", url="http://x/", date="2026-01-02", language="zh", meta={"id": 7, "tags": ["a"]}
    )


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b'{"text": "a"', "bad_json"),
        (b'["text"]', "bad_json"),
        (b"nonsense", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"text": "\xff"}', "not_utf8"),
        (b'{"text": "\\ud800"}', "not_utf8"),
        (b'{"text": null}', "no_text_field"),
        (b'{"text": 7}', "no_text_field"),
        (b'{"body": "a"}', "no_text_field"),
        (b'{"text": " "}', "empty_body"),
        (b'{"text": "a", "x": NaN}', "text"),
        (b'{"text": "a", "x": 123456789012345678901234567890}', "text"),
        (b'{"text": "a", "url": 7}', "text"),
        (b'\xef\xbb\xbf{"text": "a"}', "text"),
    ],
)
def test_lines_that_are_odd(read_bytes, words, line, outcome):
    items = read_bytes(line + b'\n\n{"text": "after"}\n', "x.jsonl", kind="jsonl")
    assert words(items) == [outcome, "text"]
    assert items[1].position == len(line) + 2
    if outcome not in ("text", "empty_body"):
        assert items[0].outcome == "failed"
        assert items[0].detail


def test_a_named_text_field(read_bytes, words):
    data = b'{"text": "a", "body": "b"}\n{"text": "c"}\n'
    items = read_bytes(data, "x.jsonl", text_field="body")
    assert words(items) == ["text", "no_text_field"]
    assert (items[0].text, items[0].meta) == ("b", {"text": "a"})
    assert items[1].detail == "no body among text"


@LAWS
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=8), how=st.sampled_from(["plain", "gzip", "zstd", "bz2", "xz", "lz4"])
)
def test_json_texts_come_back(make, read_bytes, texts, how):
    data = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    assert [page.text for page in read_bytes(make.pack[how](data), "x.jsonl", kind="jsonl")] == texts


@pytest.mark.parametrize("how", ["gzip", "zstd", "bz2", "xz", "lz4"])
def test_rows_before_damage_are_kept(make, read_bytes, words, how):
    noise = "".join(chr(33 + (i * i * 7919 + i // 7) % 90) for i in range(100_000)).replace('"', "x").replace("\\", "x")
    data = b"".join(b'{"text": "%s"}\n' % noise[i : i + 50].encode() for i in range(0, 100_000, 50))
    packed = make.pack[how](data)
    items = read_bytes(packed[: len(packed) * 3 // 4], "x.jsonl", kind="jsonl")
    kinds = words(items)
    assert kinds[-1] == "damaged_compression"
    assert set(kinds[:-1]) <= {"text"}
    if how == "gzip":
        assert len(kinds) > 1000


def test_a_line_beyond_the_limit(read_bytes, words, monkeypatch):
    monkeypatch.setattr("tamis.curate.readers.lines.LONGEST", 1000)
    monkeypatch.setattr("tamis.curate.readers.opening.PIECE", 300)
    data = b'{"text": "a"}\n{"text": "%s"}\n{"text": "b"}\n' % (b"x" * 5000)
    items = read_bytes(data, "x.jsonl")
    assert words(items) == ["text", "body_too_large", "text"]
    assert [item.position for item in items] == [0, 14, 14 + 5013]
    assert words(read_bytes(data[:4000], "x.jsonl")) == ["text", "body_too_large"]


@LAWS
@given(rows=st.lists(st.tuples(TEXTS, st.text("ab,;\"\n\r\t'", max_size=9)), max_size=8), tab=st.booleans())
def test_table_texts_come_back(read_bytes, rows, tab):
    out = io.StringIO(newline="")
    writer = csv.writer(out, dialect="excel-tab" if tab else "excel", quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "note"), *rows])
    items = read_bytes(out.getvalue().encode(), "x.tsv" if tab else "x.csv", kind="csv")
    assert [(page.text, page.meta["note"]) for page in items] == rows


def test_broken_table_rows_are_counted_with_their_position(read_bytes, words):
    rows = [
        "text,url",
        "a,b",
        "too,many,fields",
        "few",
        'x,"never closed',
        "c,d",
        '"q"uote,x',
        "\xff,x",
        "e,f",
        "",
        " ,g",
    ]
    data = "\n".join(rows).encode("latin-1")
    items = read_bytes(data, "x.csv")
    assert words(items) == [
        *("text", "bad_row", "bad_row", "bad_row", "text", "bad_row", "not_utf8", "text", "empty_body"),
    ]
    assert items[3].position == data.index(b'x,"never')
    assert items[4].text == "c"


def test_a_table_cell_larger_than_the_default_limit(read_bytes):
    [page] = read_bytes(b"id,text\n1," + b"x" * 200_000 + b"\n", "x.csv")
    assert (len(page.text), page.meta) == (200_000, {"id": "1"})


def test_tables_with_semicolons_a_byte_order_mark_and_no_usable_header(read_bytes, words):
    [page] = read_bytes(b"\xef\xbb\xbftext;url\r\na, b;http://x/\r\n", "x.csv")
    assert (page.text, page.url) == ("a, b", "http://x/")
    assert words(read_bytes(b"text,text\na,b\n", "x.csv")) == ["bad_row"]
    assert words(read_bytes(b"name,url\na,b\n", "x.csv")) == ["no_text_field"]


def test_parquet_columns(read, tmp_path):
    path = tmp_path / "x.parquet"
    table = pa.table(
        {
            "id": [1, 2, 3],
            "text": pa.array(["a", None, "c"], pa.large_string()).dictionary_encode(),
            "date": [datetime.date(2026, 1, 2), None, None],
        }
    )
    pq.write_table(table, path)
    first, second, third = read(path)
    assert first == Page(0, text="a", date="2026-01-02", meta={"id": 1})
    assert (second.reason, second.position) == ("no_text_field", 1)
    assert third == Page(2, text="c", meta={"id": 3})


def test_parquet_strings_that_are_not_utf8(read, words, tmp_path):
    path = tmp_path / "x.parquet"
    texts = pa.array([b"a", b"\xff\xfe", b"c"]).cast(pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, texts.buffers())
    pq.write_table(pa.table({"text": broken}), path)
    items = read(path)
    assert words(items) == ["text", "not_utf8", "text"]
    assert items[1].detail == "column text"


def test_parquet_that_is_damaged(read, read_bytes, words, tmp_path):
    path = tmp_path / "x.parquet"
    texts = [f"{i * 7919 % 1000003} some words" * 20 for i in range(3000)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=1000, use_dictionary=False)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = b"\xff" * 200
    items = read_bytes(bytes(data), "y.parquet")
    assert words(items).count("damaged_compression") == 1
    assert words(items).count("text") >= 2000
    assert len({item.position for item in items}) == len(items)
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_bytes(bytes(data[:1000]), "z.parquet")


def test_an_html_file_is_one_page(make, read_bytes):
    assert read_bytes(make.page, "x.html") == [Page(0, html=make.page)]
    assert read_bytes(gzip.compress(make.page), "x.html.gz") == [Page(0, html=make.page)]


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_text_file_is_one_document(read_bytes, charset):
    text = "这是一个用来检查编码的中文段落，里面有足够多的字可以猜出它的编码。我们希望读出来的内容和写进去的一样。"
    [page] = read_bytes(text.encode(charset), "x.txt")
    assert page.text == text


def test_documents_that_cannot_be_used(make, read_bytes, words, monkeypatch):
    assert words(read_bytes(b" \n", "x.txt", kind="text")) == ["empty_body"]
    assert words(read_bytes(gzip.compress(make.page)[:10], "x.html.gz", kind="html")) == ["damaged_compression"]
    [page] = read_bytes(gzip.compress(make.page)[:-9], "x.html.gz", kind="html")
    assert page.meta == {"truncated": True}
    monkeypatch.setattr("tamis.curate.readers.single.MAX_BODY", 50)
    [item] = read_bytes(make.page, "x.html")
    assert isinstance(item, NotPage)
    assert (item.outcome, item.reason) == ("failed", "body_too_large")
