"""Published exact pairs of real documents: what is found, what is removed, what is left."""

import gzip
import json
import lzma
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tamis.curate.dedup import MinhashDedup
from tamis.curate.dedup.parameters import choose_bands
from tamis.text import TextBatch
from tamis.text.minhash import MinHasher
from tamis.text.shingling import Shingling

from .conftest import Outcome

Dedup = Callable[..., Outcome]
Row = dict[str, Any]
Pair = frozenset[str]

ETCD = "crawl/neardup/etcd-docs-versions"
FILES = {"word-w:5": "pairs_word5.tsv.gz", "char:5": "pairs_char5.tsv.gz"}


def etcd(find: Callable[[str], Path]) -> list[Row]:
    with lzma.open(find(ETCD) / "docs.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [{"id": row["id"], "text": row["text"], "url": None} for row in map(json.loads, lines)]


def truth_of(find: Callable[[str], Path], spec: str) -> dict[Pair, float]:
    """Every pair at 0.2 or more, with its exact Jaccard similarity to six places."""
    with gzip.open(find(ETCD) / FILES[spec], "rt", encoding="utf-8") as lines:
        _, *pairs = (line.rstrip("\n").split("\t") for line in lines)
    return {frozenset((a, b)): float(value) for a, b, value in pairs}


def candidates_of(rows: list[Row], hasher: MinHasher, bands: int, values: int) -> set[Pair]:
    """Pairs that share a bucket."""
    keys = hasher.band_keys(TextBatch(pa.array([row["text"] for row in rows])), bands, values).keys
    found: set[Pair] = set()
    for band in keys.tolist():
        buckets: dict[int, list[str]] = {}
        for row, key in zip(rows, band, strict=True):
            buckets.setdefault(key, []).append(row["id"])
        for members in buckets.values():
            found.update(map(frozenset, combinations(members, 2)))
    return found


@pytest.mark.parametrize("scheme", ["affine32", "legacy"])
@pytest.mark.parametrize("spec", FILES)
@pytest.mark.parametrize("threshold", [0.8, 0.6])
def test_candidates_hold_the_near_pairs(
    shared_data: Callable[[str], Path], spec: str, scheme: str, threshold: float
) -> None:
    near = {pair for pair, value in truth_of(shared_data, spec).items() if value >= threshold}
    hasher = MinHasher(Shingling.parse(spec), scheme=scheme)
    found = candidates_of(etcd(shared_data), hasher, *choose_bands(threshold, 128))
    assert len(near) > 1000
    assert len(near & found) >= 0.99 * len(near)


@pytest.mark.parametrize("spec", FILES)
def test_removals_are_exactly_pairs_of_the_truth(
    dedup: Dedup, shared_data: Callable[[str], Path], capsys: pytest.CaptureFixture[str], spec: str
) -> None:
    rows, truth = etcd(shared_data), truth_of(shared_data, spec)
    near = {pair for pair, value in truth.items() if value >= 0.8}
    found = dedup(MinhashDedup(shingle=spec), rows, 5, seed=4)
    # Precision 1: every removal is a pair of the truth, at its similarity (and its keeper stays: see ``apply``).
    assert len(found.removed) > 200
    for name, (keeper, value) in found.removed.items():
        assert frozenset((name, keeper)) in near
        assert truth[frozenset((name, keeper))] == pytest.approx(value, abs=1e-6)
    left = sorted(sorted(pair) for pair in near if not pair & found.removed.keys())
    with capsys.disabled():
        print(f"\n{spec}: {len(found.removed)} removed, {len(left)} of {len(near)} near pairs kept: {left}")  # noqa: T201
    assert len(left) <= 0.01 * len(near)
    assert found.notes["bucket_overflow"] == 0


@pytest.mark.parametrize("spec", FILES)
def test_what_has_no_near_pair_stays(dedup: Dedup, shared_data: Callable[[str], Path], spec: str) -> None:
    rows, truth = etcd(shared_data), truth_of(shared_data, spec)
    lonely = {row["id"] for row in rows} - {name for pair, value in truth.items() if value >= 0.6 for name in pair}
    found = dedup(MinhashDedup(shingle=spec, threshold=0.6), rows, 3, seed=1)
    assert len(lonely) > 20
    assert not lonely & found.removed.keys()
    assert all(truth[frozenset((name, keeper))] >= 0.6 for name, (keeper, _) in found.removed.items())
