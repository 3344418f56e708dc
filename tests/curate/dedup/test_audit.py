"""The pairs next to the threshold: against brute force over all pairs, and the command around it."""

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.curate.dedup import near as near_module
from tamis.curate.dedup.audit import AuditPair, audit, removed_pairs
from tamis.curate.dedup.near import audit_bands, disk_needed, near_pairs
from tamis.curate.dedup.parameters import probability
from tamis.errors import InputError, UsageError
from tamis.run.corpus import Corpus, open_corpus
from tamis.text.minhash import MinHasher
from tests.run.conftest import files_of, run_tamis, write_lines

HASHER = MinHasher()


def families(seed: int, count: int = 25, length: int = 120) -> list[str]:
    """Texts, and copies of them with more and more words changed: similarities on both sides of 0.8."""
    draw = random.Random(seed)
    texts = []
    for family in range(count):
        words = [f"f{family}w{i}" for i in range(length)]
        texts.append(" ".join(words))
        for edits in (1, 2, 3, 4):
            copy = words[:]
            for at in draw.sample(range(length), edits):
                copy[at] = f"x{draw.randrange(10**6)}"
            texts.append(" ".join(copy))
    return texts


def jaccard(one: str, two: str) -> float:
    """Straight from the definition: runs of five words."""
    sets = [{tuple(words[i : i + 5]) for i in range(len(words) - 4)} for words in (one.split(), two.split())]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``in``: all texts; ``out``: without near-duplicates; ``blind``: the same by bands that miss many."""
    root = tmp_path_factory.mktemp("audit")
    write_lines(root / "rows.jsonl", [{"text": text} for text in families(1)])
    run_tamis("curate", "ingest", root / "rows.jsonl", "-o", root / "in")
    (root / "said").write_text(
        run_tamis(
            *("curate", "dedup", root / "in", "-o", root / "out", "--by", "minhash", "--audit", "12"),
            *("--audit-file", root / "audit.jsonl"),
        ).stdout
    )
    (root / "blind-said").write_text(
        run_tamis(
            *("curate", "dedup", root / "in", "-o", root / "blind", "--by", "minhash", "--audit", "12"),
            *("--bands", "1", "--rows", "24"),
        ).stdout
    )
    return root


def kept_texts(folder: Path) -> dict[str, str]:
    return {row["id"]: row["text"] for row in pq.read_table(folder / "part-00000.parquet").to_pylist()}


def by_force(folder: Path, least: float) -> list[tuple[float, str, str]]:
    """Every pair of kept documents of at least this similarity, most alike first."""
    texts = kept_texts(folder)
    pairs = ((jaccard(texts[a], texts[b]), *sorted((a, b))) for a, b in itertools.combinations(texts, 2))
    return sorted((pair for pair in pairs if pair[0] >= least), key=lambda pair: (-pair[0], pair[1], pair[2]))


@pytest.mark.parametrize("which", ["out", "blind"])
def test_kept_pairs_next_to_the_threshold_are_those_of_brute_force(folder: Path, tmp_path: Path, which: str) -> None:
    found = near_pairs(open_corpus(str(folder / which)), HASHER, 0.8, tmp_path)
    truth = by_force(folder / which, 0.7)
    assert len(truth) > 10
    mine = [(value, *sorted((a, b))) for a, b, value in found.pairs if value >= 0.7]
    assert {pair[1:] for pair in mine} == {pair[1:] for pair in truth}
    assert [pair[0] for pair in mine] == pytest.approx([pair[0] for pair in truth])
    assert found.documents == len(kept_texts(folder / which))
    assert found.compared <= found.candidates


def test_what_is_shown_is_nearest_on_either_side(folder: Path) -> None:
    pairs = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    evidence = pq.read_table(folder / "out" / "evidence" / "part-00000.parquet").to_pylist()
    lowest = sorted((row["similarity"], row["id"], row["keeper"]) for row in evidence)[:6]
    removed = [(one["similarity"], one["id"], one["other"]) for one in pairs if one["decision"] == "removed"]
    assert sorted(removed) == lowest
    kept = [(one["similarity"], one["id"], one["other"]) for one in pairs if one["decision"] == "kept"]
    assert kept == [(pytest.approx(value), a, b) for value, a, b in by_force(folder / "out", 0)[:6]]
    values = [one["similarity"] for one in pairs]
    assert values == sorted(values, reverse=True)
    sources = {row["id"]: row["source"] for row in pq.read_table(folder / "in" / "part-00000.parquet").to_pylist()}
    assert all((one["source"], one["other_source"]) == (sources[one["id"]], sources[one["other"]]) for one in pairs)
    assert all(one["difference"]["changes"] for one in pairs)


def test_the_text_names_every_pair(folder: Path) -> None:
    said = (folder / "said").read_text()
    pairs = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    assert said.startswith("audit of jaccard at 0.8 (word:5): 12 pairs\n")
    assert "0 at or above the threshold (MISSED)" in said
    for one in pairs:
        assert f"{one['decision']:<8} {one['similarity']:.6f}  {one['id']}  {one['source']}\n" in said
        assert f"  {one['other']}  {one['other_source']}\n" in said
    assert "[-" in said
    assert "{+" in said
    assert "\x1b" not in said


def test_misses_come_first(folder: Path) -> None:
    """One band of 24 rows finds few pairs at 0.8: the audit's own bands find what it kept."""
    truth = by_force(folder / "blind", 0.8)
    assert truth
    lines = (folder / "blind-said").read_text().splitlines()
    assert f"{len(truth):,} at or above the threshold (MISSED)" in lines[1]
    words = [line.split() for line in lines[2:] if line.split()[0] in ("MISSED", "removed", "kept")]
    missed = words[: min(12, len(truth))]
    assert [(one[0], one[2]) for one in missed] == [("MISSED", pair[1]) for pair in truth[:12]]


def test_the_corpus_folder_is_the_same_without_an_audit(folder: Path, tmp_path: Path) -> None:
    run_tamis("curate", "dedup", folder / "in", "-o", tmp_path / "out", "--by", "minhash")
    assert files_of(tmp_path / "out") == files_of(folder / "out")
    again = run_tamis("curate", "dedup", folder / "in", "-o", tmp_path / "out", "--by", "minhash", "--audit", "12")
    assert again.stdout == (folder / "said").read_text()
    assert files_of(tmp_path / "out") == files_of(folder / "out")
    assert [path.name for path in (tmp_path / "out" / ".work").iterdir() if path.is_dir()] == ["tasks"]


def test_small_ranges_and_blocks_change_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = open_corpus(str(folder / "blind"))
    (tmp_path / "a").mkdir()
    whole = near_pairs(corpus, HASHER, 0.8, tmp_path / "a")
    monkeypatch.setattr(near_module, "RANGE_KEYS", 7)
    monkeypatch.setattr(near_module, "_BLOCK", 3)
    (tmp_path / "b").mkdir()
    assert near_pairs(corpus, HASHER, 0.8, tmp_path / "b") == whole


def test_with_few_candidates_the_most_alike_are_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = open_corpus(str(folder / "blind"))
    (tmp_path / "a").mkdir()
    whole = near_pairs(corpus, HASHER, 0.8, tmp_path / "a")
    monkeypatch.setattr(near_module, "CANDIDATES", 30)
    monkeypatch.setattr(near_module, "EXACT", 10)
    (tmp_path / "b").mkdir()
    few = near_pairs(corpus, HASHER, 0.8, tmp_path / "b")
    assert (few.candidates, few.compared, len(few.pairs)) == (30, 10, 10)
    assert set(few.pairs) < set(whole.pairs)
    agree = dict.fromkeys(few.pairs, 1)
    assert np.mean([value for *_, value in few.pairs]) > np.mean([pair[2] for pair in whole.pairs if pair not in agree])


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.99, 1.0])
def test_bands_of_an_audit_find_what_is_at_the_threshold(threshold: float) -> None:
    bands, rows = audit_bands(threshold, 128)
    assert bands * rows <= 128
    assert probability(threshold, bands, rows) >= 0.9999
    assert audit_bands(0.8, 1) == (1, 1)


def test_disk_is_what_the_files_take(folder: Path, tmp_path: Path) -> None:
    corpus = open_corpus(str(folder / "out"))
    near_pairs(corpus, HASHER, 0.8, tmp_path)
    taken = sum((tmp_path / name).stat().st_size for name in ("keys.npy", "signatures.npy"))
    needed = disk_needed(corpus, HASHER, 0.8)
    assert needed <= taken <= needed + 256, "and two headers"


def tables(rows: list[tuple[float | None, str, str]]) -> list[pa.Table]:
    columns = list(zip(*rows, strict=True))
    return [pa.table({"similarity": pa.array(columns[0], pa.float64()), "id": columns[1], "keeper": columns[2]})]


def test_which_pairs_are_chosen(folder: Path) -> None:
    corpus = open_corpus(str(folder / "out"))
    removed = tables([(0.9, "c", "k"), (None, "n", "k"), (0.81, "b", "k"), (0.81, "a", "k"), (1.0, "d", "k")])
    near = [("z", "y", 0.79), ("x", "w", 0.79), ("u", "v", 0.6), ("q", "p", 0.8), ("r", "s", 0.95)]
    chosen = audit(corpus, removed, near, 0.8, 5)
    assert [(one.decision, one.similarity, one.id, one.other) for one in chosen] == [
        ("missed", 0.95, "r", "s"),
        ("missed", 0.8, "p", "q"),
        ("removed", 0.9, "c", "k"),
        ("removed", 0.81, "b", "k"),
        ("removed", 0.81, "a", "k"),
        ("kept", 0.79, "w", "x"),
        ("kept", 0.79, "y", "z"),
    ]
    assert {one.source for one in chosen} == {""}, "no such documents here"
    assert [one.decision for one in audit(corpus, [], [], 0.8, 5)] == []
    assert [one.id for one in audit(corpus, removed, near[:1], 0.8, 1)] == ["a"]
    with pytest.raises(UsageError, match="audit of 0 pairs"):
        audit(corpus, [], [], 0.8, 0)


def test_a_pair_as_plain_data_holds_the_changes() -> None:
    pair = AuditPair("kept", 0.5, "a", "b", "f#0", "f#1", "one two three", "one 2 three")
    plain: dict[str, Any] = pair.plain()
    assert plain["difference"] == {
        "changes": 1,
        "cut": False,
        "hunks": [{"from": {"text": "two"}, "to": {"text": "2"}}],
    }


def test_too_few_documents_and_no_evidence(folder: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "one.jsonl", [{"text": "only one"}])
    run_tamis("curate", "dedup", tmp_path / "one.jsonl", "-o", tmp_path / "one", "--by", "minhash")
    corpus = open_corpus(str(tmp_path / "one"))
    assert near_pairs(corpus, HASHER, 0.8, tmp_path).pairs == ()
    assert [table.num_rows for table in removed_pairs(corpus, "jaccard")] in ([], [0])
    with pytest.raises(InputError, match="has no evidence"):
        list(removed_pairs(open_corpus(str(folder / "in")), "jaccard"))
    nothing = Corpus(tmp_path, "x", {"outputs": [], "format": "parquet"})
    assert near_pairs(nothing, HASHER, 0.8, tmp_path).documents == 0


WRONG = [
    (("--by", "exact", "--audit", "5"), "--by exact has none: use --by minhash"),
    (("--by", "minhash", "--audit-file", "x.jsonl"), "--audit-file needs --audit N"),
    (("--by", "minhash", "--audit", "0"), "0 is not in the range"),
    (("--by", "minhash", "--audit", "5", "--audit-file", "OUT/x.jsonl"), "lies in the corpus folder"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_audited_is_refused_before_the_run(
    folder: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    words = [word.replace("OUT", str(tmp_path / "out")) for word in options]
    done = run_tamis("curate", "dedup", folder / "in", "-o", tmp_path / "out", *words, code=2)
    assert said in done.stderr
    assert not (tmp_path / "out").exists()
    if said.startswith("0"):
        done = run_tamis("curate", "dedup", folder / "in", "-o", "-", "--by", "minhash", "--audit", "3", code=2)
        assert "choose a local folder for -o" in done.stderr
