import gzip
import itertools
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.document import SCHEMA
from tamis.errors import InputError, OutputError
from tamis.storage import (
    FORMATS,
    ROW_GROUP_BYTES,
    TableWriter,
    content_hash,
    fresh_file,
    link_or_copy,
    open_binary,
    read_jsonl,
    row_groups,
    upload,
    write_text,
    writing,
)


def rows(number: int, size: int = 10) -> pa.Table:
    return pa.table(
        {
            "id": [f"{i:032x}" for i in range(number)],
            "text": [f"{i} 汉字 " + "x" * size for i in range(number)],
            "url": [None] * number,
            "source": [f"a#{i}" for i in range(number)],
            "date": [None] * number,
            "language": ["en"] * number,
            "language_score": pa.array([0.5] * number, pa.float32()),
            "meta": [None] * number,
        },
        schema=SCHEMA,
    )


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_bytes_do_not_depend_on_how_rows_arrive(cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("w")
    table = rows(300, 60_000)  # more than two row groups
    bounds = [0, *sorted(cuts), 300]
    with TableWriter(folder / "one.parquet", SCHEMA) as one:
        one.write(table)
    with TableWriter(folder / "many.parquet", SCHEMA) as many:
        for start, end in itertools.pairwise(bounds):
            many.write(table.slice(start, end - start))
    assert (folder / "one.parquet").read_bytes() == (folder / "many.parquet").read_bytes()
    metadata = pq.ParquetFile(folder / "one.parquet").metadata
    assert metadata.num_row_groups > 1
    assert metadata.row_group(0).total_byte_size < 2 * ROW_GROUP_BYTES
    assert pq.read_table(folder / "one.parquet").equals(table)


def test_a_huge_row_stands_alone(tmp_path: Path) -> None:
    huge, small = rows(1, ROW_GROUP_BYTES), rows(3)
    table = pa.concat_tables([small, huge, huge, small, huge])
    for number, step in enumerate([len(table), 1]):
        with TableWriter(tmp_path / f"{number}.parquet", SCHEMA) as out:
            for start in range(0, len(table), step):
                out.write(table.slice(start, step))
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()
    metadata = pq.read_metadata(tmp_path / "0.parquet")
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [3, 1, 1, 3, 1]
    assert pa.concat_tables(row_groups(tmp_path / "0.parquet", ["id", "text"])).equals(table.select(["id", "text"]))


def test_long_meta_fills_a_row_group_too(tmp_path: Path) -> None:
    table = rows(8).set_column(
        SCHEMA.get_field_index("meta"), SCHEMA.field("meta"), [["m" * (ROW_GROUP_BYTES // 4)] * 8]
    )
    with TableWriter(tmp_path / "part.parquet", SCHEMA) as out:
        out.write(table)
    assert pq.read_metadata(tmp_path / "part.parquet").num_row_groups == 2


def test_row_groups_of_an_empty_file_have_its_columns(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "part.parquet", SCHEMA):
        pass
    [table] = row_groups(tmp_path / "part.parquet", ["text", "id"])
    assert (table.num_rows, table.schema.names) == (0, ["text", "id"])


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_reads_back(form: str, tmp_path: Path) -> None:
    table = rows(2500)
    path = tmp_path / f"part.{form}"
    with TableWriter(path, SCHEMA, form) as out:
        out.write(table)
    assert out.rows == 2500
    back = pq.read_table(path) if form == "parquet" else pa.concat_tables(read_jsonl(str(path), SCHEMA))
    assert back.equals(table)


def test_a_bad_line_of_a_part_is_named(tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id":"a","text":"t","source":"s"}\n{broken\n'))
    with pytest.raises(InputError, match=r"part\.jsonl\.gz:2: not a JSON line"):
        list(read_jsonl(str(path), SCHEMA))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), fresh_file(path) as draft:
        assert draft.write_text("half") // 0
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_refusals_of_the_system_become_one_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write out: no space left"), writing("out"):
        raise OSError(28, "No space left on device")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="part of the path is a file"), fresh_file(tmp_path / "file" / "x") as draft:
        draft.write_text("x")


def test_reading_what_is_not_there_names_path_and_cause(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nothing: no such file"):
        open_binary(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"cannot read .*is a directory"):
        content_hash(str(tmp_path))
    with pytest.raises(InputError, match=r"cannot read nope://x"):
        open_binary("nope://x")


def test_urls_are_read_and_written(tmp_path: Path) -> None:
    (tmp_path / "a" / "dropped").mkdir(parents=True)
    (tmp_path / "a" / ".work").mkdir()
    (tmp_path / "a" / "part").write_bytes(b"hello")
    (tmp_path / "a" / "dropped" / "part").write_bytes(b"there")
    (tmp_path / "a" / ".work" / "x").write_bytes(b"not this")
    upload(tmp_path / "a", f"file://{tmp_path}/b")
    assert sorted(p.relative_to(tmp_path / "b").as_posix() for p in (tmp_path / "b").rglob("*") if p.is_file()) == [
        "dropped/part",
        "part",
    ]
    assert content_hash(f"file://{tmp_path}/b/part") == content_hash(str(tmp_path / "a" / "part"))
    with pytest.raises(OutputError, match="cannot write nope://x"):
        upload(tmp_path / "a", "nope://x")


def test_linking_twice_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    for source in ("a", "a", "b", "a"):
        link_or_copy(tmp_path / source, tmp_path / "c")
        assert (tmp_path / "c").read_text() == (tmp_path / source).read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_file_size_limit_is_one_clear_error(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
from tamis.errors import OutputError
from tamis.storage import fresh_file
try:
    with fresh_file(sys.argv[1]) as draft:
        draft.write_bytes(b"x" * 100000)
except OutputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "big")], capture_output=True, text=True, check=True, cwd="."
    )
    assert "the file would pass the size limit" in done.stdout
    assert list(tmp_path.iterdir()) == []
