"""The sizes that lie beside a part: what the next run need not measure, and never has to trust blindly."""

from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from tamis.run import corpus as corpus_module
from tamis.run.corpus import load_part, open_corpus
from tamis.run.measure import MEASURES, TOKENS
from tests.run.conftest import Tamis, files_of, write_lines

ROWS = [{"text": "two words"}, {"text": "x"}, {"text": "中文 é"}]
SIZES = [(9, 9, 2), (1, 1, 1), (9, 4, 3)]
NAME = "part-00000.parquet"


@pytest.fixture
def plain(tmp_path: Path, tamis: Tamis) -> Path:
    write_lines(tmp_path / "rows.jsonl", ROWS)
    tamis("curate", "ingest", tmp_path / "rows.jsonl", "-o", tmp_path / "plain")
    return tmp_path / "plain"


def loaded(folder: Path, out: Path) -> list[tuple[int, ...]]:
    """What loading the part of a corpus says of the sizes of its rows."""
    corpus = open_corpus(str(folder))
    [entry] = corpus.parts
    out.mkdir()
    result = load_part(str(folder / NAME), [], entry["content"], corpus.sizes.get(NAME), out)
    assert result == {"rows": len(ROWS), "base": None, "columns": list(MEASURES)}
    table = pq.read_table(out / "layer.parquet")
    assert table.column("row").to_pylist() == list(range(len(ROWS)))
    assert pq.read_metadata(out / "removed.parquet").num_rows == 0
    return list(zip(*(table.column(name).to_pylist() for name in MEASURES), strict=True))


def never(texts: object) -> None:
    raise AssertionError("measured again")


def test_sizes_beside_a_part_are_taken(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "measure", never)
    assert loaded(plain, tmp_path / "out") == SIZES


@pytest.mark.parametrize("damage", ["gone", "not listed", "other bytes", "other tokens", "other rows", "no table"])
def test_sizes_that_do_not_fit_are_measured_again(plain: Path, tmp_path: Path, damage: str) -> None:
    path, manifest = plain / "sizes" / NAME, orjson.loads((plain / "manifest.json").read_bytes())
    [entry] = [one for one in manifest["outputs"] if one["file"].startswith("sizes/")]
    table = pq.read_table(path).set_column(1, MEASURES[0], [[7, 7, 7]])
    if damage == "gone":
        path.unlink()
    elif damage == "not listed":
        manifest["outputs"].remove(entry)
        pq.write_table(table, path)
    elif damage == "other bytes":
        pq.write_table(table, path)
    else:
        path.unlink()
        if damage == "other tokens":
            pq.write_table(table.replace_schema_metadata({TOKENS: b"word/0"}), path)
        elif damage == "other rows":
            pq.write_table(table.slice(1), path)
        else:
            path.write_bytes(b"PAR1")
        entry["content"] = corpus_module.content_hash(str(path))
    (plain / "manifest.json").write_bytes(orjson.dumps(manifest))
    assert loaded(plain, tmp_path / "out") == SIZES


def test_a_run_is_the_same_with_and_without_sizes(plain: Path, tmp_path: Path, tamis: Tamis) -> None:
    tamis("curate", "dedup", plain, "-o", tmp_path / "with", "--by", "exact")
    (plain / "sizes" / NAME).unlink()
    tamis("curate", "dedup", plain, "-o", tmp_path / "without", "--by", "exact")
    given, measured = files_of(tmp_path / "with"), files_of(tmp_path / "without")
    # Only the manifest names what was read.
    assert given.pop("manifest.json").replace(b"/with", b"/without") == measured.pop("manifest.json")
    assert given == measured


def test_json_lines_have_no_sizes(plain: Path, tmp_path: Path, tamis: Tamis) -> None:
    assert (plain / "sizes").is_dir()
    out = tmp_path / "out"
    tamis("curate", "dedup", plain, "-o", out, "--by", "exact")
    assert (out / "sizes" / NAME).is_file()
    tamis("curate", "dedup", plain, "-o", out, "--by", "exact", "--format", "jsonl")
    assert not (out / "sizes").exists()
