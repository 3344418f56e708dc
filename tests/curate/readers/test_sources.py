"""What is read of files, folders, patterns and URLs, and what is refused by name."""

import gzip
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.curate.readers import READERS, Rejected, plan_sources
from tamis.errors import InputError
from tamis.stage import Slice


@pytest.fixture
def tree(make, tmp_path, monkeypatch):
    """Make a folder with a file of every kind, go to where it lies, and return it."""
    folder = tmp_path / "crawl"
    (folder / "deep" / ".git").mkdir(parents=True)
    contents = {
        "a.warc.gz.open": make.pack["gzip"](make.warc(make.http())),
        "b.data": make.warc(make.http()),
        "c.arc": make.arc_start(),
        "d.bin": make.arc_start() + make.arc(make.http()),
        "deep/rows.jsonl": b'{"text": "a"}\n',
        "deep/rows": b'{"text": "a"}\n{"text": "b"}\n',
        "deep/rows.json.gz": make.pack["gzip"](b'{"text": "a"}\n'),
        "deep/page": b"<!doctype html><p>",
        "deep/page.htm": b"<p>no doctype</p>",
        "deep/page.html.gz": make.pack["gzip"](b"<html></html>"),
        "t.csv": b"text,url\na,b\n",
        "t.tsv.gz": make.pack["gzip"](b"text\turl\na\tb\n"),
        "note.txt": b"a text",
        "note.md": "标题".encode("gb18030"),
        "utf16.txt": "text".encode("utf-16"),
        "none.warc.gz": b"",
        "nothing.wet.gz": make.pack["gzip"](b""),
        # refused
        "empty.jsonl": b"",
        "blank.txt": b" \n",
        "lines.txt.gz": make.pack["gzip"](b"just text"),
        "config.json": b'{\n "a": 1\n}\n',
        "list.json": b'[{"text": "a"}]',
        "README.md": b"# about",
        "LICENSE": b"do what you want",
        "noname": b"some text",
        "image.html": b"\x89PNG\r\n",
        "nul.txt": b"a\0b",
        "bad.gz": b"\x1f\x8b\x08\0\0\0\0\0\0\xff nonsense",
        # never looked at
        ".hidden.txt": b"secret",
        "deep/.git/config.txt": b"secret",
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    pq.write_table(pa.table({"text": ["a"]}), folder / "p.dat")
    monkeypatch.chdir(tmp_path)
    return folder


KINDS = {
    "a.warc.gz.open": "warc",
    "b.data": "warc",
    "c.arc": "arc",
    "d.bin": "arc",
    "deep/page": "html",
    "deep/page.htm": "html",
    "deep/page.html.gz": "html",
    "deep/rows": "jsonl",
    "deep/rows.json.gz": "jsonl",
    "deep/rows.jsonl": "jsonl",
    "none.warc.gz": "warc",
    "note.md": "text",
    "note.txt": "text",
    "nothing.wet.gz": "warc",
    "p.dat": "parquet",
    "t.csv": "csv",
    "t.tsv.gz": "csv",
    "utf16.txt": "text",
}


def test_kinds_are_found_by_content(tree):
    files, _ = plan_sources(["crawl"])
    assert {file.name.removeprefix("crawl/"): file.kind for file in files} == KINDS
    assert [file.name for file in files] == sorted(file.name for file in files)
    assert [file.size for file in files] == [(tree.parent / file.name).stat().st_size for file in files]


def test_what_is_refused_is_named_with_the_reason(tree):
    _, rejected = plan_sources(["crawl/"])
    reasons = {one.name.removeprefix("crawl/"): one.reason for one in rejected}
    assert reasons.pop("empty.jsonl") == reasons.pop("blank.txt") == "empty"
    assert reasons.pop("lines.txt.gz").startswith("gzip-compressed, and no WARC")
    assert reasons.pop("config.json") == reasons.pop("list.json")
    assert reasons.pop("README.md") == reasons.pop("LICENSE")
    assert reasons.pop("noname").startswith("text of no known kind")
    assert reasons.pop("image.html") == "PNG is not a kind that can be read"
    assert reasons.pop("nul.txt").startswith("binary data")
    assert "cannot be unpacked" in reasons.pop("bad.gz")
    assert reasons == {}


def test_every_planned_file_can_be_read(tree):
    for file in plan_sources(["crawl"])[0]:
        list(READERS[file.kind].read(Slice(file, 0, file.size)))


def test_the_order_of_arguments_does_not_matter(tree):
    names = ["crawl/deep", "crawl/b.data", "crawl/*.gz", "crawl/README.md"]
    plan = plan_sources(names)
    assert plan_sources(names[::-1]) == plan
    assert plan_sources([*names, *names, "crawl/deep/rows"]) == plan
    assert "crawl/README.md" in {file.name for file in plan[0]}


def test_equal_files_are_numbered(tree):
    files, _ = plan_sources(["crawl"])
    same = [file for file in files if file.name in ("crawl/deep/rows.jsonl", "crawl/deep/rows.json.gz")]
    assert [file.copy for file in same] == [0, 0]
    (tree / "deep" / "z.jsonl").write_bytes((tree / "deep" / "rows.jsonl").read_bytes())
    files, _ = plan_sources(["crawl/deep/z.jsonl", "crawl"])
    by_name = {file.name.removeprefix("crawl/deep/"): file for file in files}
    assert (by_name["rows.jsonl"].copy, by_name["z.jsonl"].copy) == (0, 1)
    assert by_name["rows.jsonl"].content == by_name["z.jsonl"].content


def test_the_content_hash_knows_nothing_of_the_path(tree, monkeypatch):
    first = {file.content for file in plan_sources(["crawl"])[0]}
    monkeypatch.chdir(tree)
    assert {file.content for file in plan_sources(["."])[0]} == first
    assert plan_sources(["./b.data"])[0][0].name == "./b.data"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere.warc", "nowhere.warc: no such file or folder"),
        ("crawl/*.nope", r"crawl/\*.nope: no file matches"),
        ("crawl/deep/.git", "the folder holds no files|nothing in it"),
        ("memory://nowhere/x.warc", "memory://nowhere/x.warc: no such file or folder"),
        ("nosuch://bucket/x", "nosuch://bucket/x: cannot be reached"),
    ],
)
def test_paths_that_do_not_exist(tree, given, message):
    (tree / "deep" / ".git" / "config.txt").unlink()
    with pytest.raises(InputError, match=message):
        plan_sources(["crawl/b.data", given])


def test_no_paths_at_all():
    with pytest.raises(InputError, match="no input"):
        plan_sources([])


def test_a_folder_with_nothing_readable_says_what_was_found(tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.json").write_text(json.dumps({"a": i}, indent=1))
    with pytest.raises(InputError, match=r"nothing in it can be read: .*0\.json: JSON but not JSON Lines.*and 2 more"):
        plan_sources([str(tmp_path)])


def test_a_single_refused_file_is_not_an_error(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[]")
    assert plan_sources([str(path)]) == (
        [],
        [Rejected(str(path), "JSON but not JSON Lines (one object a line is expected)")],
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("x")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be opened"):
        plan_sources([str(path)])


def test_remote_files_folders_and_patterns(make):
    import fsspec

    system = fsspec.filesystem("memory")
    contents = {
        "/bucket/in/a.warc.gz": make.pack["gzip"](make.warc(make.http())) * 3,
        "/bucket/in/deep/b.jsonl": b'{"text": "a"}\n' * 5,
        "/bucket/in/deep/c.arc": make.arc_start() + make.arc(make.http()),
        "/bucket/in/.hidden/d.txt": b"x",
    }
    for name, data in contents.items():
        system.pipe_file(name, data)
    table = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": ["a", "b"]}), table)
    system.pipe_file("/bucket/in/p.parquet", table.getvalue().to_pybytes())
    try:
        files, rejected = plan_sources(["memory://bucket/in"])
        assert rejected == []
        assert [file.name for file in files] == [
            f"memory://bucket/in/{name}" for name in ("a.warc.gz", "deep/b.jsonl", "deep/c.arc", "p.parquet")
        ]
        counts = [len(list(READERS[file.kind].read(Slice(file, 0, file.size)))) for file in files]
        assert counts == [3, 5, 2, 2]
        [one], _ = plan_sources(["memory://bucket/in/a.warc.gz"])
        assert (one.name, one.kind, one.content) == (files[0].name, files[0].kind, files[0].content)
        found, _ = plan_sources(["memory://bucket/in/**/*.jsonl"])
        assert [file.kind for file in found] == ["jsonl"]
    finally:
        system.rm("/bucket", recursive=True)


def test_a_large_compressed_head_is_enough(tmp_path):
    rows = b"".join(b'{"text": "%d", "n": %d}\n' % (i * 7919, i) for i in range(200_000))
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(rows))
    assert path.stat().st_size > 1 << 16
    assert plan_sources([str(path)])[0][0].kind == "jsonl"


def test_a_first_line_longer_than_the_head(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"text": "word " * 50_000}) + "\n")
    [file], _ = plan_sources([str(path)])
    assert file.kind == "jsonl"
    [page] = READERS["jsonl"].read(Slice(file, 0, file.size))
    assert len(page.text) == 250_000
