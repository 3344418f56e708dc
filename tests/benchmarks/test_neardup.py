"""What the deduplication benchmark measures against: planted similarities and exact pairs, held to plain Python."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.neardup import generate, tree, truth
from benchmarks.neardup.folder import from_parquet
from benchmarks.neardup.language import language
from benchmarks.neardup.peer_shingles import shingles
from tamis.run.corpus import open_corpus

pytestmark = pytest.mark.slow  # compiles the kernels of the benchmark


def jaccard(a: str, b: str) -> float:
    one, other = shingles(a), shingles(b)
    return len(one & other) / len(one | other)


@pytest.fixture(scope="module")
def made() -> list[str]:
    plan = generate.Plan(600)
    return [text for table in generate.tables(plan, 0, 600, language(1)) for text in table["text"].to_pylist()]


def test_planted_similarities_are_those_of_the_texts(made: list[str]) -> None:
    found = generate.planted(generate.Plan(600))
    assert 0.2 < float((found.kinds >= 0).mean()) < 0.4
    assert set(found.kinds.tolist()) == set(range(-1, len(generate.RATES)))
    for doc, text in enumerate(made):
        value = jaccard(text, made[found.originals[doc]])
        assert value == pytest.approx(found.values[doc], abs=0.02), (doc, found.kinds[doc])


def test_documents_do_not_depend_on_the_range_they_are_made_in(made: list[str]) -> None:
    [table] = generate.tables(generate.Plan(600), 250, 300, language(1))
    assert table["text"].to_pylist() == made[250:300]
    assert table["source"].to_pylist()[:2] == ["made#250", "made#251"]


def test_generated_folder_is_a_corpus_whatever_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "PART_BYTES", 200 * generate.MEAN_BYTES)
    for workers in (1, 2):
        generate.generate(generate.Plan(500), tmp_path / str(workers), workers)
    corpora = [open_corpus(str(tmp_path / name)) for name in ("1", "2")]
    assert [entry["rows"] for entry in corpora[0].parts] == [200, 200, 100]
    assert corpora[0].manifest == corpora[1].manifest
    ids = pa.concat_tables(corpora[0].tables(columns=["id"]))["id"].to_pylist()
    assert len(set(ids)) == 500
    assert all(len(one) == 32 for one in ids)


def test_exact_pairs_are_all_pairs(made: list[str], tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    ids = [f"d{i}" for i in range(len(made))]
    pq.write_table(pa.table({"id": ids, "text": made}), path)
    found = truth.exact(path, 150)
    pairs = {(int(a), b) for a in found.sample for b in range(len(made)) if a != b and jaccard(made[a], made[b]) >= 0.8}
    assert len(pairs) > 20
    assert set(zip(found.sampled.tolist(), found.other.tolist(), strict=True)) == pairs


def test_score_counts_misses_and_false_removals(tmp_path: Path) -> None:
    long = " ".join(f"w{i}" for i in range(60))
    texts = [long, long + " x", "one two three four five six", "seven eight nine ten eleven twelve"]
    path = tmp_path / "texts.parquet"
    pq.write_table(pa.table({"id": list("abcd"), "text": texts}), path)
    exact = truth.exact(path, 4)
    every = truth.score(exact, np.ones(4, bool))
    assert (every.pairs, every.left, every.removable, every.lost) == (2, 2, 2, 0)
    right = truth.score(exact, np.array([True, False, True, True]))
    assert (right.left, right.lost) == (0, 0)
    wrong = truth.score(exact, np.array([True, False, True, False]))
    assert (wrong.left, wrong.lost) == (0, 1)
    assert truth.score(exact, np.array([False, False, True, True])).lost == 2


def test_kept_rows_are_found_by_source(tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    pq.write_table(pa.table({"id": ["a", "b", "c"], "text": ["one", "two", "three"]}), path)
    from_parquet(str(path), tmp_path / "corpus")
    assert truth.kept_rows(tmp_path / "corpus", 5).tolist() == [True, True, True, False, False]
    assert truth.kept_flags(path, pa.chunked_array([["c", "a"]])).tolist() == [True, False, True]


def test_cost_counts_the_tree() -> None:
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    program = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\nx = bytearray(60 << 20)\n{burn}"
    )
    cost = tree.run([sys.executable, "-c", program])
    assert cost.code == 0
    assert 0.5 < cost.cpu < 3
    assert cost.rss > 60 << 20
    assert tree.run([sys.executable, "-c", "print('why'); raise SystemExit(3)"]).log.strip() == "why"
