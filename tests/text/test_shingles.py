import re
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
from tamis.text.shingles import Shingling, shingle_hashes, shingle_set

WORDS = ["a", "B", "aa", "中", "文", "カ", "é", "x_y", ".", "-", "\u3000"]
texts = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
    st.text("ab 中\n_é\u00a0", max_size=14),
)


def batch_of(rows: list[str | None]) -> TextBatch:
    return TextBatch(pa.array(["before", *rows, "after"], pa.string()).slice(1, len(rows)))


def runs(tokens: list[str], n: int, text: str) -> list[tuple[str, ...]]:
    if not tokens:
        return [("raw", text)]
    if len(tokens) < n:
        return [tuple(tokens)]
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def slow_shingles(text: str, kind: str, n: int) -> list[tuple[str, ...]]:
    if kind == "char":
        tokens = list(re.sub(r"\s+", " ", text.strip()))
    elif kind == "word-w":
        tokens = re.findall(r"\w+", text.lower())
    else:
        tokens = re.findall(r"[中文カ]|[a-zé]+", text.lower())
    return runs(tokens, n, text)


@pytest.mark.parametrize("kind", ["word", "word-w", "char"])
@given(rows=st.lists(st.one_of(st.none(), texts), max_size=5), n=st.integers(1, 6))
def test_shingles_are_those_of_the_definition(kind: str, rows: list[str | None], n: int) -> None:
    shingling = Shingling(kind, n)
    found = shingle_hashes(batch_of(rows), shingling)
    expected = [slow_shingles(row or "", kind, n) for row in rows]
    assert found.offsets.tolist() == np.cumsum([0, *map(len, expected)]).tolist()
    flat = [one for row in expected for one in row]
    values = dict(zip(flat, found.hashes.tolist(), strict=True))
    assert [values[one] for one in flat] == found.hashes.tolist()  # equal shingles, equal hashes
    assert len(set(values.values())) == len(values)  # unlike shingles, unlike hashes
    sets = shingle_set(batch_of(rows), shingling)
    for i, one in enumerate(expected):
        assert sets.hashes[sets.offsets[i] : sets.offsets[i + 1]].tolist() == sorted({values[s] for s in one})


@given(st.lists(texts, max_size=6), st.sampled_from(["word", "char"]))
def test_equal_streams_exactly_where_tokens_are_equal(rows: list[str], kind: str) -> None:
    found = MinHasher(Shingling(kind, 2), 8).band_keys(batch_of([*rows]), 2, 4)
    streams = [tuple(one) for one in found.streams.tolist()]
    tokens = [tuple(slow_shingles(row, kind, 1)) for row in rows]
    assert [streams.index(one) for one in streams] == [tokens.index(one) for one in tokens]


def test_texts_without_tokens_are_equal_only_when_their_bytes_are() -> None:
    found = shingle_hashes(batch_of(["!!!", "???", "!!!", "", None, " "]), Shingling())
    assert found.offsets.tolist() == [0, 1, 2, 3, 4, 5, 6]
    a, b, c, d, e, f = found.hashes.tolist()
    assert a == c
    assert d == e
    assert len({a, b, d, f}) == 4


def test_short_texts_are_one_shingle() -> None:
    found = shingle_hashes(batch_of(["one two", "two one", "one two three four five", "中文字"]), Shingling())
    assert found.offsets.tolist() == [0, 1, 2, 3, 4]
    assert len(set(found.hashes.tolist())) == 4


@pytest.mark.parametrize(
    "spec", ["word", "word:", "word:0", "word:x", "word:-1", "words:5", "char:2000", "", ":5", "word:²"]
)
def test_a_wrong_spec_is_refused_with_what_is_allowed(spec: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"shingle {spec!r}") + r".*word:N, word-w:N, char:N"):
        Shingling.parse(spec)


def test_identity_names_table_and_definition() -> None:
    assert Shingling.parse("char:7") == Shingling("char", 7)
    assert Shingling().identity == "word:5, table word/1 (Unicode 14.0.0), hash 1"
    assert len({Shingling.parse(spec).identity for spec in ("word:5", "word-w:5", "char:5", "word:6")}) == 4


@pytest.mark.parametrize(
    ("spec", "pinned"),
    [("word:5", 0x01ED2F250D28B100), ("word-w:2", 0x691054D9ABAFA897), ("char:7", 0x37440344E691931E)],
)
def test_hashes_never_change(spec: str, pinned: int) -> None:
    # Signatures are stored: a change here needs a new HASH_VERSION (or table VERSION).
    found = shingle_hashes(batch_of(["Tamis sifts: 面粉 flour, really_so ÉTÉ カナ"]), Shingling.parse(spec))
    assert int(np.bitwise_xor.reduce(found.hashes)) == pinned


@pytest.mark.parametrize("kind", ["word-w", "char"])
def test_real_documents_have_the_shingle_sets_of_the_plain_definition(
    shared_data: Callable[[str], Path], kind: str
) -> None:
    import json
    import lzma

    path = shared_data("crawl/neardup/etcd-docs-versions/docs.jsonl.xz")
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line)["text"] for line in lines][::10]
    found = shingle_set(batch_of(rows), Shingling(kind, 5))
    assert np.diff(found.offsets).tolist() == [len(set(slow_shingles(row, kind, 5))) for row in rows]
