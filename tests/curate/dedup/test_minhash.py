import json
import random
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.curate.dedup import MinhashDedup, bands, components, equal, flow
from tamis.errors import UsageError
from tamis.text.hashing import hash_text

from .conftest import HereEngine, MemoryShard, Outcome, apply, shards_of

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
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=6)
def test_a_component_larger_than_memory_is_sieved_in_rounds(dedup: Dedup, seed: int, verify: Any) -> None:
    draw = random.Random(seed)
    words = [f"w{i}" for i in range(40)]
    rows = [doc(f"id{i}", text) for i, text in enumerate(family(draw, words, 24))]
    rows += [doc(f"other{i}", text) for i, text in enumerate(family(draw, words, 10))]
    stage = MinhashDedup(bands=64, rows=2, shingle="word:1", threshold=0.7, bucket_limit=3, verify=verify)
    plain = dedup(stage, rows, 2, seed)
    for memory in (3_000, 40_000):  # a document to a block, and several
        rounds = dedup(stage, rows, 3, seed + 1, memory=memory)
        assert rounds.rows_by_id() == plain.rows_by_id()
        assert rounds.notes == plain.notes


def test_going_on_with_other_ranges_mixes_no_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)
    rows = [doc(f"id{i}", text) for i, text in enumerate(family(draw, [f"w{i}" for i in range(40)], 30))]
    stage = MinhashDedup(bands=64, rows=2, shingle="word:1", threshold=0.95, bucket_limit=3)
    shards = shards_of(rows, 2)
    plain = apply(stage, shards, tmp_path / "plain")
    engine = HereEngine(tmp_path / "rounds", 40_000)
    stage.reduce(shards, engine)
    # Killed in the rounds: what came after the fourth block is not there.
    blocks = [place for place, done in enumerate(engine.finished.values()) if (done.folder / "begins.npy").exists()]
    assert len(blocks) > 6
    for key in list(engine.finished)[blocks[3] + 1 :]:
        shutil.rmtree(engine.finished.pop(key).folder)
    monkeypatch.setattr(flow, "range_bits", lambda total, size: 2)
    again = apply(stage, shards, engine)
    assert again.removed == plain.removed
    assert again.notes == plain.notes


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0}, "threshold is 0, expected above 0"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"bands": 22, "rows": 6}, "22 x 6"),
        ({"rows": 0}, "rows is 0"),
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
