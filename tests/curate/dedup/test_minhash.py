import gzip
import json
import lzma
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.curate.dedup import MinhashDedup, bands, components, equal, flow
from tamis.errors import UsageError
from tamis.text import TextBatch
from tamis.text.hashing import hash_text
from tamis.text.minhash import MinHasher
from tamis.text.shingles import Shingling

from .conftest import MemoryShard, Outcome, shards_of

Dedup = Callable[..., Outcome]
Row = dict[str, Any]
ETCD = "crawl/neardup/etcd-docs-versions"

SURE = MinhashDedup(bands=128, rows=1, shingle="word:2")
"""Finds every pair that shares a shingle or so: a pair at 0.8 is missed with probability 0.2 ** 128."""


def shingles(text: str, n: int) -> set[tuple[str, ...]]:
    tokens = re.findall(r"[一-鿿]|[a-z0-9]+", text.lower())
    if not tokens:
        return {(text,)}
    return {tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1))}


def jaccard(a: set[Any], b: set[Any]) -> float:
    return len(a & b) / len(a | b)


def slow_sieve(rows: list[Row], n: int, threshold: float) -> dict[str, tuple[str, float]]:
    """The definition: from the best keeper to the worst, remove what is near the first of those kept so far."""
    order = sorted(rows, key=lambda row: (-len(row["text"]), int(hash_text(row["id"]))))
    kept: list[tuple[str, set[Any]]] = []
    removed: dict[str, tuple[str, float]] = {}
    for row in order:
        own = shingles(row["text"], n)
        for name, other in kept:
            if (value := jaccard(own, other)) >= threshold:
                removed[row["id"]] = (name, value)
                break
        else:
            kept.append((row["id"], own))
    return removed


def doc(name: str, text: str) -> Row:
    return {"id": name, "text": text, "url": None}


def family(draw: random.Random, words: list[str], copies: int) -> Iterable[str]:
    """A text of random words and copies of it with some of them changed."""
    base = [draw.choice(words) for _ in range(draw.randint(1, 40))]
    for _ in range(copies):
        text = list(base)
        for _ in range(draw.randint(0, 3)):
            text[draw.randrange(len(text))] = draw.choice(words)
        yield draw.choice([" ", ", "]).join(text)


def families(seed: int, count: int) -> list[Row]:
    draw = random.Random(seed)
    words = [f"w{i}" for i in range(30)] + list("近似去重先找出候选再核对")
    texts = [text for _ in range(count) for text in family(draw, words, draw.randint(1, 6))]
    texts += ["", "", "!!!", "???", "!!!", "w1", "W1.", "w1 w2"]
    return [doc(f"id{i}", text) for i, text in enumerate(texts)]


@given(seed=st.integers(0, 10**6), threshold=st.sampled_from([0.5, 0.6, 0.75, 0.8, 1.0]), shards=st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_removes_what_the_definition_removes(dedup: Dedup, seed: int, threshold: float, shards: int) -> None:
    rows = families(seed, 8)
    stage = MinhashDedup(bands=128, rows=1, shingle="word:2", threshold=threshold, bucket_limit=1000)
    found = dedup(stage, rows, shards, seed)
    assert found.removed == slow_sieve(rows, 2, threshold)
    assert found.notes["bucket_overflow"] == 0


def test_result_depends_on_the_documents_alone(dedup: Dedup, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = families(3, 60)
    stage = MinhashDedup(shingle="word:2")
    plain = dedup(stage, rows, 1)
    assert len(plain.removed) > 40
    for seed in range(3):
        assert dedup(stage, rows, 4, seed).removed == plain.removed
    # Many ranges and many batches change where the work is done, and nothing else.
    monkeypatch.setattr(equal, "range_bits", lambda total, size: 2)
    monkeypatch.setattr(equal, "CHUNK", 7)
    monkeypatch.setattr(flow, "range_bits", lambda total, size: 2)
    monkeypatch.setattr(bands, "GROUP_KEYS", 700)
    for memory in (1, 20_000, 50_000, 200_000):
        split = dedup(stage, rows, 3, seed=9, memory=memory)
        assert split.removed == plain.removed
        assert split.notes == plain.notes


@given(seed=st.integers(0, 10**6), verify=st.sampled_from(["jaccard", "containment", "none"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
def test_a_component_larger_than_memory_is_sieved_in_rounds(dedup: Dedup, seed: int, verify: Any) -> None:
    draw = random.Random(seed)
    words = [f"w{i}" for i in range(40)]
    rows = [doc(f"id{i}", text) for i, text in enumerate(family(draw, words, 24))]
    rows += [doc(f"other{i}", text) for i, text in enumerate(family(draw, words, 10))]
    stage = MinhashDedup(bands=64, rows=2, shingle="word:1", threshold=0.7, bucket_limit=3, verify=verify)
    plain = dedup(stage, rows, 2, seed)
    for memory in (1, 40_000):  # a document to a block, and several
        rounds = dedup(stage, rows, 3, seed + 1, memory=memory)
        assert rounds.rows_by_id() == plain.rows_by_id()
        assert rounds.notes == plain.notes


def test_dropping_weak_links_changes_nothing_that_is_near(dedup: Dedup, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = families(8, 60)
    stage = MinhashDedup(bands=64, rows=2, shingle="word:2", bucket_limit=1000)
    plain = dedup(stage, rows)
    monkeypatch.setattr(components, "GIANT", 3)
    split = dedup(stage, rows, 3, seed=1)
    assert split.removed == plain.removed
    assert split.notes["candidates"] < plain.notes["candidates"]
    for memory in (1, 30_000):
        again = dedup(stage, rows, 4, seed=2, memory=memory)
        assert again.removed == split.removed
        assert again.notes == split.notes


def test_files_are_equal_when_shards_come_in_another_order(dedup: Dedup) -> None:
    shards = shards_of(families(5, 40), 4, seed=5)
    forward = dedup(MinhashDedup(shingle="word:2"), shards)
    backward = dedup(MinhashDedup(shingle="word:2"), shards[::-1])
    assert forward.files == backward.files[::-1]


def test_no_chains(dedup: Dedup) -> None:
    # Each text is near the next one and far from the one after that.
    words = [f"w{i}" for i in range(140)]
    rows = [doc(f"id{start}", " ".join(words[start : start + 100])) for start in range(0, 40, 8)]
    found = dedup(SURE, rows)
    sets = {row["id"]: shingles(row["text"], 2) for row in rows}
    assert jaccard(sets["id0"], sets["id8"]) >= 0.8 > jaccard(sets["id0"], sets["id16"])
    assert found.removed == slow_sieve(rows, 2, 0.8)
    assert 0 < len(found.removed) < 4
    for name, (keeper, value) in found.removed.items():
        assert jaccard(sets[name], sets[keeper]) == value >= 0.8


def test_equal_token_streams_collapse_before_the_bands(dedup: Dedup) -> None:
    rows = [doc(f"id{i}", "One two three four five six" + "." * i) for i in range(50)]
    rows += [doc(f"empty{i}", "") for i in range(50)]
    found = dedup(MinhashDedup(), rows, 3, seed=1)
    assert len(found.removed) == 98
    assert {keeper for name, (keeper, _) in found.removed.items() if name.startswith("id")} == {"id49"}
    assert {value for _, value in found.removed.values()} == {1.0}
    assert found.notes == {"bucket_overflow": 0, "candidates": 0, "comparisons": 0}
    assert {(row["reason"], row["threshold"], row["outcome"]) for row in found.rows} == {
        ("near_duplicate", 0.8, "dropped")
    }


def test_a_copy_of_a_removed_text_points_at_what_stays(dedup: Dedup) -> None:
    words = [f"w{i}" for i in range(60)]
    long, near = " ".join([*words, "end"]), " ".join(words)
    rows = [doc("long", long), doc("near", near), doc("copy", near.upper())]
    found = dedup(SURE, rows)
    assert found.removed == {"near": ("long", 59 / 60), "copy": ("long", 59 / 60)}


def test_threshold_is_met_exactly(dedup: Dedup) -> None:
    # Four of five single words: 0.8 is reached, not passed, whatever the rounding of 0.8 / 1.8 * 9.
    rows = [doc("a", "u v w x y"), doc("b", "u v w x")]
    assert dedup(MinhashDedup(bands=128, rows=1, shingle="word:1"), rows).removed == {"b": ("a", 0.8)}
    above = MinhashDedup(bands=128, rows=1, shingle="word:1", threshold=0.8000001)
    assert dedup(above, rows).removed == {}


def test_ids_that_repeat_and_shards_that_are_equal(dedup: Dedup) -> None:
    shard = shards_of([doc("a", "x y z"), doc("a", "x y z"), doc("b", "x y z!"), doc("a", "other")], 1)[0]
    found = dedup(MinhashDedup(), [shard, MemoryShard(shard.table, 1)])
    keepers = sorted(json.loads(row["detail"])["keeper"] for row in found.rows)
    assert keepers == ["a", "b", "b", "b", "b", "b"]  # "other" once; "x y z" and "x y z!" five times


def test_a_full_bucket_is_counted(dedup: Dedup) -> None:
    # Words of a template fill every bucket; what differs keeps all of them apart.
    head = " ".join(f"t{i}" for i in range(30))
    rows = [doc(f"id{i}", f"{head} " + " ".join(f"v{i}x{j}" for j in range(30))) for i in range(40)]
    stage = MinhashDedup(bands=128, rows=1, shingle="word:1", bucket_limit=4)
    found = dedup(stage, rows, 2, seed=1)
    assert found.removed == {}
    assert found.notes["bucket_overflow"] > 0
    assert found.notes["bucket_overflow"] == dedup(stage, rows, 3, seed=2).notes["bucket_overflow"]


def changed(text: str, rate: float, draw: random.Random) -> str:
    """The text with this share of its words (characters, where it is Chinese) replaced by ones found nowhere else."""
    pieces = re.findall(r"[一-鿿]|\w+|\W+", text)
    places = [i for i, piece in enumerate(pieces) if re.match(r"\w", piece)]
    for i in draw.sample(places, max(1, round(len(places) * rate))):
        pieces[i] = chr(0x3400 + draw.randrange(6000)) if pieces[i] >= "一" else f"q{draw.randrange(10**9)}"
    return "".join(pieces)


def check_planted(dedup: Dedup, texts: list[str]) -> None:
    assert len(texts) >= 40
    draw = random.Random(11)
    rows = [doc(f"base{i}", text + " " * 500) for i, text in enumerate(texts)]  # the longest of its family
    near, far = [], []
    for i, text in enumerate(texts):
        near += [doc(f"near{i}-{rate}", changed(text, rate, draw)) for rate in (0.005, 0.01, 0.02)]
        far += [doc(f"far{i}-{rate}", changed(text, rate, draw)) for rate in (0.1, 0.2)]
    found = dedup(MinhashDedup(), rows + near + far, 4, seed=7)
    sets = {row["id"]: plain_sets(row["text"]) for row in rows + near + far}
    truth = {row["id"] for row in near if jaccard(sets[row["id"]], sets["base" + row["id"][4:].split("-")[0]]) >= 0.8}
    assert len(truth) > 0.8 * len(near)
    assert len(truth & found.removed.keys()) >= 0.99 * len(truth)
    assert not any(name.startswith(("far", "base")) for name in found.removed)
    for name, (keeper, value) in found.removed.items():
        assert jaccard(sets[name], sets[keeper]) == pytest.approx(value, abs=1e-12)
        assert value >= 0.8


def plain_sets(text: str) -> set[tuple[str, ...]]:
    tokens = re.findall(r"[㐀-鿿]|[^\W_㐀-鿿]+", text.lower())
    return {tuple(tokens[i : i + 5]) for i in range(max(1, len(tokens) - 4))}


def etcd(find: Callable[[str], Path]) -> list[Row]:
    with lzma.open(find(ETCD) / "docs.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [doc(row["id"], row["text"]) for row in map(json.loads, lines)]


def test_planted_copies_of_real_english(dedup: Dedup, shared_data: Callable[[str], Path]) -> None:
    seen: list[set[Any]] = []
    texts: list[str] = []
    for row in etcd(shared_data):
        own = plain_sets(row["text"])
        if len(own) > 300 and all(jaccard(own, other) < 0.3 for other in seen) and row["text"].isascii():
            seen.append(own)
            texts.append(row["text"])
        if len(texts) == 40:
            break
    check_planted(dedup, texts)


def test_planted_copies_of_real_chinese(dedup: Dedup, shared_data: Callable[[str], Path]) -> None:
    path = shared_data("schemas/ymcui__cmrc2018/squad-style-data/cmrc2018_trial.json")
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    texts = [one["context"] for article in articles for one in article["paragraphs"]]
    # Characters on which the plain definition of this test and the table cannot differ.
    plain = re.compile(r"[一-鿿\x20-\x7e，。、：；“”《》（）\n]{300,}")
    check_planted(dedup, [text for text in texts if plain.fullmatch(text)][:60])


def test_planted_copies_of_chinese(dedup: Dedup) -> None:
    draw = random.Random(2)
    common = [chr(0x4E00 + i * 7) for i in range(1200)]
    texts = ["".join(draw.choice(common) + draw.choice(["", "", "，", "。\n"]) for _ in range(500)) for _ in range(40)]
    check_planted(dedup, texts)


@pytest.mark.parametrize(("spec", "file"), [("word-w:5", "pairs_word5.tsv.gz"), ("char:5", "pairs_char5.tsv.gz")])
def test_against_the_exact_pairs_of_real_documents(
    dedup: Dedup,
    shared_data: Callable[[str], Path],
    record_property: Callable[[str, object], None],
    spec: str,
    file: str,
) -> None:
    rows = etcd(shared_data)
    with gzip.open(shared_data(ETCD) / file, "rt", encoding="utf-8") as lines:
        pairs = [line.rstrip("\n").split("\t") for line in lines][1:]
    truth = {frozenset((a, b)): float(value) for a, b, value in pairs}
    near = {pair for pair, value in truth.items() if value >= 0.8}

    stage = MinhashDedup(shingle=spec)
    candidates = pairs_of_bands(rows, stage)
    recall = len(near & candidates) / len(near)

    found = dedup(stage, rows, 5, seed=4)
    for name, (keeper, value) in found.removed.items():
        assert truth[frozenset((name, keeper))] == pytest.approx(value, abs=2e-6)
        assert value >= 0.8
    left = [pair for pair in near if not pair & found.removed.keys()]
    record_property("candidate_recall", recall)
    record_property("kept_pairs", f"{len(left)} of {len(near)}")
    assert recall >= 0.99
    assert len(left) <= 0.01 * len(near)
    assert found.notes["bucket_overflow"] == 0


def pairs_of_bands(rows: list[Row], stage: MinhashDedup) -> set[frozenset[str]]:
    hasher = MinHasher(Shingling.parse(stage.shingle), stage.permutations, stage.seed)
    keys = hasher.band_keys(TextBatch(pa.array([row["text"] for row in rows])), *stage.banding).keys
    found: set[frozenset[str]] = set()
    for band in keys.tolist():
        buckets: dict[int, list[str]] = {}
        for row, key in zip(rows, band, strict=True):
            for other in buckets.setdefault(key, []):
                found.add(frozenset((row["id"], other)))
            buckets[key].append(row["id"])
    return found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0}, "threshold is 0, expected above 0"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"bands": 22, "rows": 6}, "22 x 6"),
        ({"rows": 0}, "x 0"),
        ({"bucket_limit": 0}, "bucket_limit is 0"),
        ({"verify": "no"}, "verify 'no' is not known; use one of jaccard, containment, none"),
        ({"shingle": "five"}, "shingle 'five'"),
        ({"permutations": 0, "bands": 0}, "permutations is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_parameters_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        MinhashDedup(**arguments)


def test_signature_names_everything_the_result_depends_on() -> None:
    stages = [
        MinhashDedup(),
        MinhashDedup(threshold=0.7),
        MinhashDedup(bucket_limit=16),
        MinhashDedup(shingle="char:5"),
        MinhashDedup(seed=2),
        MinhashDedup(bands=16, rows=8),
    ]
    assert len({json.dumps(stage.signature(), sort_keys=True) for stage in stages}) == len(stages)
    assert MinhashDedup().signature()["signatures"]["scheme"] == "affine32"
