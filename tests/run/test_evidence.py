"""Evidence files: from the removals of stages to the corpus folder, and back."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.document import EVIDENCE_SCHEMA, SCHEMA
from tamis.errors import InputError
from tamis.run import publish as publish_module
from tamis.run.corpus import open_corpus
from tamis.run.evidence import EvidenceWriter, described, evidence_of, evidence_tables, keeper_of
from tests.run.conftest import Tamis, write_lines

ROWS = [
    {"text": "The quick brown fox jumps over the lazy dog.", "url": "https://example.com/a"},
    {"text": "The quick  brown fox jumps over the lazy dog.", "url": "https://example.com/b"},
    {"text": "Another text that is only alike in its address.", "url": "https://example.com/c#part"},
    {"text": "Another text that is only alike in its address, but longer.", "url": "https://example.com/c"},
    {"text": "On its own.", "url": None},
]


@pytest.fixture
def plain(tmp_path: Path, tamis: Tamis) -> Path:
    write_lines(tmp_path / "rows.jsonl", ROWS)
    tamis("curate", "ingest", tmp_path / "rows.jsonl", "-o", tmp_path / "plain")
    return tmp_path / "plain"


def evidence(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted((folder / "evidence").iterdir()) for row in pq.read_table(path).to_pylist()]


def test_a_corpus_without_keepers_has_no_evidence(plain: Path) -> None:
    assert not (plain / "evidence").exists()
    corpus = open_corpus(str(plain))
    assert corpus.evidence == []
    with pytest.raises(InputError, match=r"has no evidence.*run the command that made it again"):
        list(evidence_tables(corpus))
    assert evidence_of(corpus, "x", "1-dedup-exact") is None


def test_every_removal_with_a_keeper_has_its_evidence(plain: Path, tmp_path: Path, tamis: Tamis) -> None:
    tamis("curate", "dedup", plain, "-o", tmp_path / "out", "--by", "exact")
    [row] = evidence(tmp_path / "out")
    kept = {one["id"]: one for one in pq.read_table(tmp_path / "out" / "part-00000.parquet").to_pylist()}
    gone = {one["id"]: one for one in pq.read_table(tmp_path / "out" / "dropped" / "part-00000.parquet").to_pylist()}
    assert row["stage"] == "1-dedup-exact"
    assert list(gone) == [row["id"]]
    assert row["source"] == gone[row["id"]]["source"]
    assert kept[row["keeper"]]["text"] == ROWS[1]["text"]
    assert row["similarity"] == 1.0
    assert row["method"] == "exact text"
    assert json.loads(row["parameters"])["hash"] == "xxh3-128"
    corpus = open_corpus(str(tmp_path / "out"))
    assert [entry["file"] for entry in corpus.parts] == ["part-00000.parquet"]
    assert sum(table.num_rows for table in corpus.tables()) == len(ROWS) - 1
    assert sum(table.num_rows for table in corpus.tables(dropped=True)) == 1
    [entry] = corpus.evidence
    assert (entry["file"], entry["rows"]) == ("evidence/part-00000.parquet", 1)
    found = evidence_of(corpus, row["id"], row["stage"])
    assert found == {**row, "parameters": json.loads(row["parameters"])}


def test_equal_addresses_measure_no_similarity(plain: Path, tmp_path: Path, tamis: Tamis) -> None:
    tamis("curate", "dedup", plain, "-o", tmp_path / "out", "--by", "url", "--drop-tracking")
    [row] = evidence(tmp_path / "out")
    assert row["similarity"] is None
    assert row["method"] == "normalised url"
    assert json.loads(row["parameters"])["drop_tracking"] is True


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz"])
def test_evidence_is_parquet_whatever_the_parts_are(plain: Path, tmp_path: Path, tamis: Tamis, form: str) -> None:
    tamis("curate", "dedup", plain, "-o", tmp_path / "a", "--by", "exact")
    tamis("curate", "dedup", plain, "-o", tmp_path / "b", "--by", "exact", "--format", form)
    assert [path.name for path in (tmp_path / "b" / "dropped").iterdir()] == [f"part-00000.{form}"]
    name = "evidence/part-00000.parquet"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_evidence_of_an_earlier_run_goes(plain: Path, tmp_path: Path, tamis: Tamis) -> None:
    tamis("curate", "dedup", plain, "-o", tmp_path / "out", "--by", "exact")
    shutil.copy(tmp_path / "out" / "evidence" / "part-00000.parquet", tmp_path / "out" / "evidence/part-00007.parquet")
    tamis("curate", "dedup", plain, "-o", tmp_path / "out", "--by", "exact")
    assert [path.name for path in (tmp_path / "out" / "evidence").iterdir()] == ["part-00000.parquet"]
    tamis("curate", "filter", plain, "-o", tmp_path / "out", "--rules", "length(min_words=1)")
    assert not (tmp_path / "out" / "evidence").exists()


def test_a_corpus_with_evidence_goes_into_the_next_command(plain: Path, tmp_path: Path, tamis: Tamis) -> None:
    tamis("curate", "dedup", plain, "-o", tmp_path / "a", "--by", "exact")
    tamis("curate", "dedup", tmp_path / "a", "-o", tmp_path / "b", "--by", "url")
    assert len(open_corpus(str(tmp_path / "b")).parts) == 1
    assert [row["stage"] for row in evidence(tmp_path / "b")] == ["1-dedup-url"]
    done = tamis("curate", "dedup", plain, "-o", "-", "--by", "exact")
    assert len(done.stdout.splitlines()) == len(ROWS) - 1


def test_damaged_evidence_is_named(plain: Path, tmp_path: Path, tamis: Tamis) -> None:
    tamis("curate", "dedup", plain, "-o", tmp_path / "out", "--by", "exact")
    path = tmp_path / "out" / "evidence" / "part-00000.parquet"
    whole = path.read_bytes()
    path.write_bytes(b"\0" * len(whole))
    with pytest.raises(InputError, match=r"cannot read .*evidence/part-00000.parquet"):
        list(evidence_tables(open_corpus(str(tmp_path / "out"))))
    path.unlink()
    with pytest.raises(InputError, match=r"evidence/part-00000.parquet is missing"):
        open_corpus(str(tmp_path / "out"))
    pq.write_table(pa.table({"id": ["x"]}), path)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for entry in manifest["outputs"]:
        if entry["file"].startswith("evidence/"):
            entry["bytes"] = path.stat().st_size
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"is no evidence file: it has no column keeper"):
        list(evidence_tables(open_corpus(str(tmp_path / "out"))))


@pytest.mark.parametrize("detail", [None, "", "not json", "[1]", '{"keeper": 3}', '{"other": "x"}', '"keeper"'])
def test_a_detail_that_names_no_keeper(detail: str | None) -> None:
    assert keeper_of(detail) is None
    assert keeper_of('{"keeper": "é", "more": 1}') == "é"


def test_a_stage_says_what_it_is() -> None:
    class Quiet:
        pass

    class Loud:
        def evidence(self) -> dict[str, Any]:
            return {"parameters": {"b": 1, "a": 2}, "method": "m"}

    assert described(Quiet()) == ""
    assert described(Loud()) == '{"method":"m","parameters":{"a":2,"b":1}}'


def test_bytes_do_not_show_how_rows_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.run.evidence._ROW_GROUP", 10)
    n = 37
    ids = [f"{i:032x}" for i in range(n)]
    rows = pa.table({"id": ids, "source": [f"f#{i}" for i in range(n)]})
    details = [None if i % 5 == 0 else json.dumps({"keeper": ids[i // 2]}) for i in range(n)]
    why = pa.table({"value": pa.array([i / n for i in range(n)]), "detail": pa.array(details)})
    found = []
    for step in (1, 4, n):
        path = tmp_path / f"{step}.parquet"
        with EvidenceWriter(path) as out:
            for start in range(0, n, step):
                said = '{"method": "m", "parameters": {"t": 0.8}}'
                out.add("s", said, rows.slice(start, step), why.slice(start, step))
        found.append(path.read_bytes())
        table = pq.read_table(path)
        assert out.rows == table.num_rows == n - 8
        assert table.schema.equals(EVIDENCE_SCHEMA)
        assert table["id"].to_pylist() == [one for i, one in enumerate(ids) if i % 5]
    assert len(set(found)) == 1


def test_a_part_that_lost_nothing_is_what_writing_it_again_gives(
    plain: Path, tmp_path: Path, tamis: Tamis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copying is allowed only because it cannot be told from writing."""
    from tamis.run.corpus import load_part
    from tamis.run.publish import publish_shard
    from tamis.run.shard import Layer, Shard

    corpus = open_corpus(str(plain))
    [entry] = corpus.parts
    copies: list[Any] = []
    copy = shutil.copyfile
    monkeypatch.setattr(publish_module.shutil, "copyfile", lambda *paths: (copies.append(paths), copy(*paths)))
    (tmp_path / "load").mkdir()
    loaded = load_part(str(plain / entry["file"]), [], entry["content"], None, tmp_path / "load")
    layer = Layer(str(tmp_path / "load"), "load", tuple(loaded["columns"]), len(ROWS))
    shard = Shard(0, "k", str(plain / entry["file"]), len(ROWS), (layer,))
    results = []
    for number, published in enumerate((False, True)):
        out = tmp_path / str(number)
        out.mkdir()
        one = Shard(shard.index, shard.key, shard.base, shard.base_rows, shard.layers, published)
        results.append(publish_shard(one, [], "parquet", None, out))
        assert (out / "part.parquet").read_bytes() == (plain / entry["file"]).read_bytes()
    assert results[0] == results[1]
    assert len(copies) == 1
    cases: list[tuple[Shard, list[str], str]] = [
        (Shard(0, "k", shard.base, len(ROWS), (layer,), True), ["signal.x"], "parquet"),
        (Shard(0, "k", shard.base, len(ROWS), (layer,), True), [], "jsonl"),
    ]
    for number, (one, signals, form) in enumerate(cases, 2):
        out = tmp_path / str(number)
        out.mkdir()
        publish_shard(one, signals, form, None, out)
    assert len(copies) == 1, "other columns or another format have to be written"
    assert pq.read_schema(tmp_path / "2" / "part.parquet").names == [*SCHEMA.names, "signal.x"]
