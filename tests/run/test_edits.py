"""Spans cut from texts that stay: the file, the cutting, and a whole run with its counts."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.run.edits import EDITS, Edits, EditWriter
from tamis.stage import EDIT_SCHEMA
from tamis.text.spans import without_spans
from tests.run.conftest import Tamis, files_of, write_lines


def without(texts: list[str | None], spans: list[tuple[int, int, int]]) -> list[str | None]:
    table = np.array(spans, np.int64).reshape(-1, 3)
    found: list[str | None] = without_spans(pa.array(texts, pa.string()), table[:, 0], table[:, 1:]).to_pylist()
    return found


def test_spans_go_and_the_rest_stays() -> None:
    texts = ["abcdef", "", None, "中文字", "xyz"]
    assert without(texts, [(0, 0, 1), (0, 2, 4), (3, 3, 6), (4, 0, 3)]) == ["bef", "", None, "中字", ""]
    assert without(texts, []) == texts
    sliced = pa.array(["q", *texts])[1:]
    assert without_spans(sliced, np.array([0]), np.array([[1, 6]])).to_pylist() == ["a", *texts[1:]]


@given(st.lists(st.text("aé中", max_size=8), max_size=6), st.randoms(use_true_random=False))
def test_against_slicing(texts: list[str], draw: random.Random) -> None:
    spans, wanted = [], []
    for row, text in enumerate(texts):
        cuts = sorted(draw.sample(range(len(text) + 1), draw.choice([0, 2, 4]) if len(text) > 3 else 0))
        left, at = "", 0
        for start, end in zip(cuts[::2], cuts[1::2], strict=True):
            spans.append((row, len(text[:start].encode()), len(text[:end].encode())))
            left, at = left + text[at:start], end
        wanted.append(left + text[at:])
    assert without(list(texts), spans) == wanted


def test_the_file_is_read_alongside_the_rows(tmp_path: Path) -> None:
    with EditWriter(tmp_path) as writer:
        writer.write(np.array([1, 1]), np.array([0, 3]), np.array([1, 4]))
        writer.write(np.array([], np.int64), np.array([], np.int64), np.array([], np.int64))
        writer.write(np.array([2, 5]), np.array([1, 0]), np.array([2, 2]))
    assert pq.read_schema(tmp_path / EDITS).equals(EDIT_SCHEMA)
    texts = pa.table({"text": ["aaa", "bcdef", "ghi", "j", "k", "lmn"]})
    for step in (1, 2, 3, 6):
        edits = Edits(tmp_path / EDITS)
        assert edits.reads == ["text"]
        found = [edits.cut(texts.slice(at, step), at) for at in range(0, 6, step)]
        assert [text for part in found for text in part["text"].to_pylist()] == ["aaa", "cdf", "gi", "j", "k", "n"]
        assert [size for part in found for size in part["size.bytes"].to_pylist()] == [3, 3, 2, 1, 1, 1]


def test_no_edits_no_file_no_change(tmp_path: Path) -> None:
    with EditWriter(tmp_path) as writer:
        writer.write(np.array([], np.int64), np.array([], np.int64), np.array([], np.int64))
    assert not (tmp_path / EDITS).exists()
    edits = Edits(tmp_path / EDITS)
    assert edits.reads == []
    assert edits.cut(pa.table({"text": ["a"]}), 0) == {}


def rows_of(folder: Path, where: str = "") -> dict[str, dict[str, Any]]:
    parts = sorted((folder / where).glob("part-*.parquet"))
    return {row["text"]: row for part in parts for row in pq.read_table(part).to_pylist()}


MENU = "Home | About | Contact 12"
PAGES = [
    {
        "text": f"{MENU}\n\nThe first page has a text of its own, the longest of all.\n\n版权所有。",
        "url": "http://a.org/1",
    },
    {"text": f"{MENU}\n\nSecond page.\n\n版权所有。", "url": "http://a.org/2"},
    {"text": f"{MENU.upper()}\n\n版权所有", "url": "http://a.org/3"},
    {"text": "Second page.", "url": "http://b.org/"},
    {"text": "Nothing shared here.", "url": None},
]


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    for number in range(2):
        write_lines(tmp_path / f"pages-{number}.jsonl", PAGES[number::2])
    return tmp_path


def test_a_run_cuts_counts_and_drops(pages: Path, tamis: Tamis) -> None:
    out = pages / "out"
    tamis("curate", "dedup", pages / "pages-*.jsonl", "-o", out, "--by", "line", "--workers", "1")
    kept, gone = rows_of(out), rows_of(out, "dropped")
    assert set(kept) == {PAGES[0]["text"], "Second page.", "Nothing shared here."}
    assert kept["Second page."]["url"] == "http://a.org/2"
    assert set(gone) == {PAGES[2]["text"], PAGES[3]["text"]}
    first = kept[PAGES[0]["text"] or ""]
    assert json.loads(gone[PAGES[2]["text"] or ""]["detail"]) == {"keeper": first["id"]}
    report = json.loads((out / "report.json").read_text())
    stage = report["stages"][-1]
    assert stage["in"]["documents"] == 5
    assert stage["kept"]["documents"] == 3
    assert stage["kept"]["bytes"] == sum(len(text.encode()) for text in kept)
    assert stage["kept"]["characters"] == sum(map(len, kept))
    assert {name: stage["notes"][name] for name in ("documents_cut", "spans_cut")} == {
        "documents_cut": 1,
        "spans_cut": 2,
    }
    cut = len((PAGES[1]["text"] or "").encode()) - len(b"Second page.")
    assert stage["notes"]["bytes_cut"] == stage["notes"]["bytes_cut_from_kept"] == cut


def test_later_stages_see_the_cut_text_and_bytes_do_not_depend_on_the_run(pages: Path, tamis: Tamis) -> None:
    recipe = pages / "recipe.yaml"
    recipe.write_text(
        "sources: [pages-0.jsonl, pages-1.jsonl]\nstages:\n"
        "  - dedup: {by: line, scope: site}\n  - dedup: {by: exact}\n"
        "  - dedup: {by: paragraph, action: drop, threshold: 0.5}\n"
        "  - dedup: {by: sentence, sentences: 1}\n  - dedup: {by: substring, tokens: 2}\n"
    )
    tamis("curate", "run", recipe, "-o", pages / "one", "--workers", "1")
    tamis("curate", "run", recipe, "-o", pages / "two", "--workers", "2")
    assert files_of(pages / "one") == files_of(pages / "two")
    kept, gone = rows_of(pages / "one"), rows_of(pages / "one", "dropped")
    assert set(kept) == {PAGES[0]["text"], "Second page.", "Nothing shared here."}
    assert {(row["text"], row["reason"]) for row in gone.values()} >= {("Second page.", "duplicate_text")} - set(kept)
    report = json.loads((pages / "one" / "report.json").read_text())
    assert [stage["in"]["documents"] for stage in report["stages"][1:]] == [5, 4, 3, 3, 3]


def test_options_of_other_kinds_are_refused(pages: Path, tamis: Tamis) -> None:
    said = tamis("curate", "dedup", pages, "-o", pages / "o", "--by", "line", "--tokens", "5", code=2).stderr
    assert "tokens" in said
    said = tamis("curate", "dedup", pages, "-o", pages / "o", "--by", "line", "--scope", "x", code=2).stderr
    assert "scope" in said
    assert "global" in said
