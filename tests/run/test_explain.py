"""``tamis curate explain`` on duplicates: the keeper, where it is now, and what differs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tamis.run.corpus import open_corpus
from tamis.run.explain import explain
from tests.run.conftest import run_tamis, write_lines

ENGLISH = " ".join(f"word{i}" for i in range(60))
CHINESE = "".join(chr(0x4E00 + 7 * i) for i in range(120))
ROWS = [
    {"text": ENGLISH + " the end", "url": "https://example.com/en"},
    {"text": ENGLISH.replace("word30", "other\x1b[31m"), "url": "https://example.com/en-copy"},
    {"text": CHINESE + "完", "url": "https://example.com/zh"},
    {"text": CHINESE[:100] + "新" + CHINESE[101:], "url": "https://example.com/zh-copy"},
    {"text": "Short and alone, but it stays where it is.", "url": "https://example.com/alone"},
    {"text": "Short and alone, but  it stays where it is.", "url": "https://example.com/alone2"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``a``: ingested and freed of near-duplicates; ``b``: a without short texts; ``c``: ``a`` freed of equal texts."""
    root = tmp_path_factory.mktemp("explain")
    write_lines(root / "rows.jsonl", ROWS)
    run_tamis("curate", "ingest", root / "rows.jsonl", "-o", root / "in")
    run_tamis("curate", "dedup", root / "in", "-o", root / "a", "--by", "minhash", "--threshold", "0.7")
    run_tamis("curate", "filter", root / "a", "-o", root / "b", "--rules", "length(min_words=80)")
    return root


def told(folder: Path, asked: str, *more: str) -> str:
    return run_tamis("curate", "explain", folder, asked, *more).stdout


def test_a_duplicate_is_shown_beside_its_keeper(folder: Path) -> None:
    said = told(folder / "a", "https://example.com/en-copy")
    kept = {row["url"]: row for row in pq.read_table(folder / "a" / "part-00000.parquet").to_pylist()}
    keeper = kept["https://example.com/en"]
    assert f"keeper   {keeper['id']}  https://example.com/en\n    from     {keeper['source']}\n" in said
    assert f"kept     in {folder / 'a'}/part-00000.parquet" in said
    assert "method   jaccard (" in said
    assert "shingle word:5" in said
    assert "threshold 0.7" in said
    assert "differs  in 2 places" in said
    assert "word29 [-other" in said
    assert "{+word30+} word31" in said
    assert "{+ the end+}" in said
    assert "\x1b" not in said, "no colours where no terminal is, and no escape of the text"


def test_chinese_is_compared_by_character(folder: Path) -> None:
    said = told(folder / "a", "https://example.com/zh-copy")
    assert f"[-新-]{{+{CHINESE[100]}+}}" in said
    assert "{+完+}" in said


def test_changes_shown_can_be_chosen(folder: Path) -> None:
    said = told(folder / "a", "https://example.com/en-copy", "--changes", "1")
    assert "… and 1 more" in said
    assert "the end+}" not in said


def test_as_json(folder: Path) -> None:
    [found] = json.loads(told(folder / "a", "https://example.com/en-copy", "--format", "json"))
    keeper = found["keeper"]
    assert keeper["found"]
    assert keeper["outcome"] == "kept"
    assert found["evidence"]["keeper"] == keeper["id"] == json.loads(found["detail"])["keeper"]
    assert found["evidence"]["similarity"] == found["value"]
    changes = keeper["difference"]
    assert (changes["changes"], changes["cut"]) == (2, False)
    for hunk in changes["hunks"]:
        for side, text in (("from", found["text"]), ("to", keeper["text"])):
            assert text[hunk[side]["start"] : hunk[side]["end"]] == hunk[side]["text"]
    assert changes["hunks"][1]["to"]["text"] == " the end"


def test_a_keeper_that_left_later_is_found_where_it_left(folder: Path) -> None:
    """Asked of the last folder: its parent knows the removal, and the keeper is told as it is now."""
    said = told(folder / "b", "https://example.com/alone")
    first, second = said.split("keeper ")
    assert "dropped  at 1-dedup-minhash: near_duplicate" in first
    assert "dropped  at 1-filter:" in second
    assert f"{folder / 'b'}/dropped/part-00000.parquet" in second
    said = told(folder / "b", "https://example.com/en-copy")
    assert "dropped  at 1-dedup-minhash" in said
    assert "dropped  at 1-filter:" in said.split("keeper ")[1], "62 words"


def test_an_unknown_keeper_is_said_plainly(folder: Path, tmp_path: Path) -> None:
    """As where an index of other documents decided."""
    shutil.copytree(folder / "a", tmp_path / "a", ignore=shutil.ignore_patterns(".work"))
    path = tmp_path / "a" / "dropped" / "part-00000.parquet"
    table = pq.read_table(path)
    details = ['{"keeper": "ffffffffffffffffffffffffffffffff"}'] * table.num_rows
    pq.write_table(table.set_column(table.schema.get_field_index("detail"), "detail", [details]), path)
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    for entry in manifest["outputs"]:
        if entry["file"].startswith("dropped/"):
            entry["bytes"] = path.stat().st_size
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(manifest))
    said = told(tmp_path / "a", "https://example.com/en-copy")
    assert "keeper   ffffffffffffffffffffffffffffffff\n" in said
    assert "neither in this corpus nor in those it was made from" in said


def test_a_corpus_of_an_older_version_has_no_evidence_but_a_keeper(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "a", tmp_path / "a", ignore=shutil.ignore_patterns(".work", "evidence"))
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    manifest["outputs"] = [one for one in manifest["outputs"] if not one["file"].startswith("evidence/")]
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(manifest))
    said = told(tmp_path / "a", "https://example.com/en-copy")
    assert "method" not in said
    assert "differs  in 2 places" in said
    [found] = explain(open_corpus(str(tmp_path / "a")), "https://example.com/en-copy")
    assert found["evidence"] is None


def test_missing_evidence_and_unknown_documents(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "a", tmp_path / "a", ignore=shutil.ignore_patterns(".work", "evidence"))
    done = run_tamis("curate", "explain", tmp_path / "a", "https://example.com/en-copy", code=3)
    assert "evidence/part-00000.parquet is missing" in done.stderr
    done = run_tamis("curate", "explain", folder / "a", "nothing-like-it", code=1)
    assert "knows no document 'nothing-like-it'" in done.stderr
    assert done.stdout == ""


def test_a_text_that_a_stage_changed_is_shown_beside_the_one_before(folder: Path, tmp_path: Path) -> None:
    """As stages do that cut spans: here the part of the parent folder is given another text by hand."""
    shutil.copytree(folder / "in", tmp_path / "in", ignore=shutil.ignore_patterns(".work"))
    path = tmp_path / "in" / "part-00000.parquet"
    table = pq.read_table(path)
    texts = [f"Menu of the site. {text}" for text in table["text"].to_pylist()]
    pq.write_table(table.set_column(table.schema.get_field_index("text"), "text", [texts]), path)
    manifest: dict[str, Any] = json.loads((tmp_path / "in" / "manifest.json").read_text())
    for entry in manifest["outputs"]:
        entry["bytes"] = (tmp_path / "in" / entry["file"]).stat().st_size
    (tmp_path / "in" / "manifest.json").write_text(json.dumps(manifest))
    shutil.copytree(folder / "a", tmp_path / "a", ignore=shutil.ignore_patterns(".work"))
    made: dict[str, Any] = json.loads((tmp_path / "a" / "manifest.json").read_text())
    for entry in made["inputs"]:
        entry["name"] = str(path)
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(made))
    said = told(tmp_path / "a", "https://example.com/en")
    assert f"before   another text in {path}" in said
    assert "[-Menu of the site. -]" in said
    assert "before" not in told(folder / "a", "https://example.com/en")
