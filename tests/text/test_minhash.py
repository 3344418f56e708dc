import json
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import UsageError
from tamis.text import TextBatch
from tamis.text.minhash import MinHasher
from tamis.text.shingles import Shingling, shingle_hashes

datasketch = pytest.importorskip("datasketch")

CHINESE = "近似去重要先找出候选，再用精确的杰卡德系数核对。每个被删除的文档都指向一个留下的文档。"


def batch_of(rows: list[str | None]) -> TextBatch:
    return TextBatch(pa.array(rows, pa.string()))


def same_as_datasketch(batch: TextBatch, hasher: MinHasher) -> bool:
    signatures = hasher.signatures(batch)
    hashes, offsets = shingle_hashes(batch, hasher.shingling)
    for i in range(len(batch)):
        theirs = datasketch.MinHash(hasher.permutations, seed=hasher.seed, scheme="affine32", hashfunc=int)
        theirs.update_batch((hashes[offsets[i] : offsets[i + 1]] >> np.uint64(32)).tolist())
        if theirs.hashvalues.tolist() != signatures[i].tolist():
            return False
    return True


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=60)), max_size=4),
    st.sampled_from(["word:1", "word:3", "word-w:2", "char:3"]),
    st.sampled_from([1, 7, 16, 128, 200]),
    st.sampled_from([0, 1, 42, 4294967295]),
)
def test_signatures_equal_datasketch(rows: list[str | None], spec: str, permutations: int, seed: int) -> None:
    hasher = MinHasher(Shingling.parse(spec), permutations, seed)
    assert same_as_datasketch(batch_of(rows), hasher)


@pytest.mark.parametrize("length", range(1, 20))
def test_signatures_equal_datasketch_for_every_remainder(length: int) -> None:
    row = " ".join(f"w{i}" for i in range(length))
    assert same_as_datasketch(batch_of([row, CHINESE[: length * 2]]), MinHasher(Shingling("word", 2)))


def test_signatures_equal_datasketch_on_real_english(shared_data: Callable[[str], Path]) -> None:
    with lzma.open(shared_data("crawl/neardup/etcd-docs-versions/docs.jsonl.xz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line)["text"] for line in lines]
    for spec in ("word:5", "char:5"):
        assert same_as_datasketch(batch_of(rows[::7]), MinHasher(Shingling.parse(spec)))


def test_signatures_equal_datasketch_on_real_chinese(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("schemas/ymcui__cmrc2018/squad-style-data/cmrc2018_trial.json")
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    rows = [one["context"] for article in articles for one in article["paragraphs"]]
    assert len(rows) > 200
    for spec in ("word:5", "char:5"):
        assert same_as_datasketch(batch_of(rows), MinHasher(Shingling.parse(spec)))


def test_band_keys_agree_exactly_where_the_rows_of_the_signature_do() -> None:
    rows = [" ".join(f"w{(i * j) % 23}" for j in range(40)) for i in range(60)]
    hasher = MinHasher(Shingling("word", 2), 20)
    batch = batch_of([*rows, rows[0]])
    found, signatures = hasher.band_keys(batch, 6, 3), hasher.signatures(batch)
    assert found.keys.shape == (6, 61)
    for band in range(6):
        part = [tuple(one) for one in signatures[:, band * 3 : band * 3 + 3].tolist()]
        keys = found.keys[band].tolist()
        assert [keys.index(key) for key in keys] == [part.index(one) for one in part]
    assert found.tokens.tolist() == [40] * 61


def test_agreement_estimates_jaccard() -> None:
    a, b = {f"w{i}" for i in range(3000)}, {f"w{i}" for i in range(600, 3600)}
    first, second = MinHasher(Shingling("word", 1), 4096).signatures(batch_of([" ".join(a), " ".join(b)]))
    assert abs((first == second).mean() - 2400 / 3600) < 0.03  # 4 standard errors


def test_identity_tells_signatures_apart() -> None:
    hashers = [
        MinHasher(),
        MinHasher(Shingling("char")),
        MinHasher(permutations=64),
        MinHasher(seed=2),
    ]
    assert len({json.dumps(hasher.identity) for hasher in hashers}) == 4
    assert MinHasher().identity["scheme"] == "affine32"


@pytest.mark.parametrize("arguments", [{"permutations": 0}, {"permutations": 1 << 20}, {"seed": -1}, {"seed": 1 << 32}])
def test_wrong_parameters_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected"):
        MinHasher(**arguments)  # type: ignore[arg-type]


def test_more_bands_than_permutations_are_refused() -> None:
    with pytest.raises(UsageError, match="22 x 6"):
        MinHasher().band_keys(batch_of([""]), 22, 6)
