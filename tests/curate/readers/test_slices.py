"""Slices: whatever the cuts, each record comes exactly once and in order."""

import gzip
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.curate.readers import READERS, plan_sources
from tamis.stage import Slice

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(read, path: Path, cuts: list[int], kind: str | None = None) -> None:
    whole = read(path, kind=kind)
    size = path.stat().st_size
    inner = sorted({cut for cut in cuts if 0 < cut < size})
    assert read(path, [0, *inner, size], kind=kind) == whole


@pytest.fixture(scope="module")
def archives(make, tmp_path_factory):
    """Return archives of every layout, sound and damaged."""
    folder = tmp_path_factory.mktemp("archives")
    records = [
        make.warc(make.http(make.page * (1 + i % 4) + b"%d" % i), ["response", "request", "revisit"][i % 3])
        for i in range(12)
    ]
    members = [make.pack["gzip"](record) for record in records]
    hurt = bytearray(members[4])
    hurt[40] ^= 0xFF
    arc = [make.arc_start(), *(make.arc(make.http(b"<html>" + b"x" * i)) for i in range(9))]
    lies = make.warc(b"text " * 9, "conversion", Content_Type="text/plain", length=40)
    contents = {
        "plain.warc": b"".join(records),
        "bare.warc": b"".join(records).replace(b"\r\n", b"\n"),
        "members.warc.gz": b"".join(members),
        "one.warc.gz": gzip.compress(b"".join(records)),
        "joined.warc.gz": gzip.compress(b"".join(records[:4])) * 3 + b"".join(members[:3]),
        "damaged.warc.gz": b"".join([*members[:4], bytes(hurt), *members[5:8], b"garbage" * 5, *members[8:]]),
        "cut.warc.gz": b"".join(members)[:-30],
        "garbage.warc": records[0] + b"garbage\r\n" * 9 + records[1] + b"\0" * 50 + b"".join(records[2:])[:-70],
        "lies.warc": records[0] + lies * 3 + records[1],
        "stored.warc.gz": b"".join(gzip.compress(record, 0) for record in records),
        "plain.arc": b"".join(arc),
        "members.arc.gz": b"".join(map(gzip.compress, arc)),
        "whole.warc.zst": make.pack["zstd"](b"".join(records)),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


@LAWS
@given(data=st.data())
def test_any_cuts_of_any_archive_give_the_same_records(read, archives, data):
    path = data.draw(st.sampled_from(archives))
    check(read, path, data.draw(st.lists(st.integers(0, path.stat().st_size), max_size=6)))


def test_every_single_cut_of_every_archive(read, archives):
    for path in archives:
        size = path.stat().st_size
        for cut in range(1, size, max(1, size // 60)):
            check(read, path, [cut])


@LAWS
@given(
    lines=st.lists(
        st.sampled_from(['{"text": "a"}', '{"text": "中文"}', "", "{", '{"content": "b", "x": 1}']), max_size=9
    ),
    cuts=st.lists(st.integers(0, 200), max_size=5),
    end=st.sampled_from(["", "\n", "\r\n"]),
)
def test_any_cuts_of_json_lines(read, tmp_path, lines, cuts, end):
    path = tmp_path / "x.jsonl"
    path.write_text(("\r\n" if end == "\r\n" else "\n").join(lines) + end, newline="")
    check(read, path, cuts, "jsonl")


@LAWS
@given(rows=st.integers(0, 40), group=st.integers(1, 9), cuts=st.lists(st.integers(0, 40), max_size=5))
def test_any_cuts_of_parquet(read, tmp_path, rows, group, cuts):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(rows)]}), path, row_group_size=group)
    whole = read(path)
    assert [page.position for page in whole] == list(range(rows))
    inner = sorted({cut for cut in cuts if 0 < cut < rows})
    assert read(path, [0, *inner, rows]) == whole


@pytest.mark.parametrize("target", [1, 500, 1 << 30])
def test_the_cuts_a_reader_gives_are_good_cuts(read, archives, target):
    for file in plan_sources([str(path) for path in archives])[0]:
        cuts = READERS[file.kind].cuts(file, target)
        assert cuts[0] == 0
        assert cuts[-1] == file.size
        assert all(a < b for a, b in pairwise(cuts))
        if target > 1:
            assert read(Path(file.path), cuts) == read(Path(file.path))


def test_cuts_of_parquet_lie_between_row_groups(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["a" * 100] * 10}), path, row_group_size=3)
    [file], _ = plan_sources([str(path)])
    assert list(READERS["parquet"].cuts(file, 1)) == [0, 3, 6, 9, 10]
    assert list(READERS["parquet"].cuts(file, 1 << 30)) == [0, 10]


def test_compressed_rows_are_one_piece(make, read, tmp_path):
    for how in ("gzip", "zstd", "bz2", "xz", "lz4"):
        path = tmp_path / f"x.jsonl.{how}"
        path.write_bytes(make.pack[how](b'{"text": "a"}\n{"text": "b"}\n'))
        [file], _ = plan_sources([str(path)])
        assert list(READERS["jsonl"].cuts(file, 1)) == [0, file.size]
        assert [page.position for page in READERS["jsonl"].read(Slice(file, 0, file.size))] == [0, 14]
        assert list(READERS["jsonl"].read(Slice(file, 5, file.size))) == []


def test_real_archives_in_slices(shared_data, read):
    for path in sorted(shared_data("crawl/warc").rglob("*")):
        size = path.stat().st_size
        files = plan_sources([str(path)])[0] if path.is_file() else []
        if files and files[0].kind in ("warc", "arc"):
            step = max(1, size // 5)
            check(read, path, [step - 7, 2 * step, 3 * step + 1, 4 * step], files[0].kind)
