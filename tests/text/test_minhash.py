import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import UsageError
from tamis.text import TextBatch
from tamis.text.minhash import SCHEMES, MinHasher
from tamis.text.shingles import shingle_hashes
from tamis.text.shingling import Shingling

datasketch = pytest.importorskip("datasketch")

CHINESE = "近似去重要先找出候选，再用精确的杰卡德系数核对。每个被删除的文档都指向一个留下的文档。"


def batch_of(rows: list[str | None]) -> TextBatch:
    return TextBatch(pa.array(rows, pa.string()))


def same_as_datasketch(batch: TextBatch, hasher: MinHasher) -> bool:
    signatures = hasher.signatures(batch)
    hashes, offsets = shingle_hashes(batch, hasher.shingling)
    for i in range(len(batch)):
        theirs = datasketch.MinHash(hasher.permutations, seed=hasher.seed, scheme=hasher.scheme, hashfunc=int)
        theirs.update_batch((hashes[offsets[i] : offsets[i + 1]] >> np.uint64(32)).tolist())
        if theirs.hashvalues.tolist() != signatures[i].tolist():
            return False
    return True


WEIRD = "".join(map(chr, [0, 9, 0x85, 0xA0, 0x300, 0x130, 0x200D, 0x2028, 0x3000, 0x30AB, 0xFEFF, 0x20000, 0x10FFFF]))
texts = st.one_of(st.none(), st.text(max_size=60), st.text(WEIRD + "aB1_.中文é😀", max_size=30))


@given(
    st.lists(texts, max_size=4),
    st.sampled_from(["word:1", "word:5", "word-w:2", "char:3"]),
    st.sampled_from([1, 7, 16, 128, 200]),
    st.sampled_from([0, 1, 42, 4294967295]),
    st.sampled_from(SCHEMES),
)
def test_signatures_equal_datasketch(
    rows: list[str | None], spec: str, permutations: int, seed: int, scheme: str
) -> None:
    hasher = MinHasher(Shingling.parse(spec), permutations, seed, scheme)
    assert same_as_datasketch(batch_of(rows), hasher)
    theirs = datasketch.MinHash(permutations, seed=seed, scheme=scheme).permutations
    assert [part.tolist() for part in theirs] == [part.tolist() for part in hasher.coefficients]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("length", range(1, 20))
def test_signatures_equal_datasketch_for_every_remainder(length: int, scheme: str) -> None:
    row = " ".join(f"w{i}" for i in range(length))
    hasher = MinHasher(Shingling("word", 2), scheme=scheme)
    assert same_as_datasketch(batch_of([row, CHINESE[: length * 2]]), hasher)


def english(find: Callable[[str], Path]) -> list[str]:
    """Manual pages and dialogues."""
    with lzma.open(find("crawl/neardup/etcd-docs-versions/docs.jsonl.xz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line)["text"] for line in lines][::17]
    with gzip.open(find("schemas/anthropics__hh-rlhf/harmless-base/test.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return rows + [json.loads(line)["chosen"] for line in lines][:200]


def chinese(find: Callable[[str], Path]) -> list[str]:
    """Encyclopedia articles and posts."""
    path = find("schemas/ymcui__cmrc2018/squad-style-data/cmrc2018_trial.json")
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    rows = [one["context"] for article in articles for one in article["paragraphs"]]
    path = find("schemas/thu-coai__CDial-GPT/data/toy_valid.txt")
    return rows + path.read_text(encoding="utf-8").splitlines()[:200]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("spec", ["word:5", "word-w:5", "char:5"])
@pytest.mark.parametrize("texts_of", [english, chinese])
def test_signatures_equal_datasketch_on_real_documents(
    shared_data: Callable[[str], Path], texts_of: Callable[[Callable[[str], Path]], list[str]], spec: str, scheme: str
) -> None:
    rows = texts_of(shared_data)
    assert len(rows) > 200
    assert same_as_datasketch(batch_of(rows), MinHasher(Shingling.parse(spec), scheme=scheme))


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
        MinHasher(scheme="legacy"),
    ]
    assert len({json.dumps(hasher.identity) for hasher in hashers}) == 5
    assert [hasher.identity["scheme"] for hasher in hashers[-2:]] == ["affine32", "legacy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"permutations": 0}, "permutations is 0, expected 1 to 65536"),
        ({"permutations": 1 << 20}, "permutations is 1048576"),
        ({"seed": -1}, "seed is -1, expected 0 to 4294967295"),
        ({"seed": 1 << 32}, "seed is 4294967296"),
        ({"scheme": "affine64"}, "scheme 'affine64' is not known; use one of affine32, legacy"),
    ],
)
def test_wrong_parameters_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MinHasher(**arguments)


def test_more_bands_than_permutations_are_refused() -> None:
    with pytest.raises(UsageError, match="22 x 6"):
        MinHasher().band_keys(batch_of([""]), 22, 6)
