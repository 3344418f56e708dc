import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.errors import UsageError
from tamis.text import TextBatch, shingles
from tamis.text.minhash import MinHasher
from tamis.text.shingles import shingle_hashes, shingle_set
from tamis.text.shingling import Shingling

WORDS = ["a", "B", "aa", "中", "文", "カ", "é", "x_y", ".", "-", "\u3000"]
texts = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
    st.text("ab 中\n_é\u00a0", max_size=14),
)


def batch_of(rows: list[str | None]) -> TextBatch:
    return TextBatch(pa.array(["before", *rows, "after"], pa.string()).slice(1, len(rows)))


@contextmanager
def pieces_of(size: int, tail: int = 1) -> Iterator[None]:
    """Walk texts in pieces of so many bytes, and make every set from tails of so many shingles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shingles, "PIECE", size)
        patch.setattr(shingles, "LONG", size)
        patch.setattr(shingles, "TAIL", tail)
        yield


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
@given(
    rows=st.lists(st.one_of(st.none(), texts), max_size=5),
    n=st.integers(1, 6),
    piece=st.sampled_from([4, 5, 7, 1 << 16]),
)
def test_shingles_are_those_of_the_definition(kind: str, rows: list[str | None], n: int, piece: int) -> None:
    with pieces_of(piece):
        check_definition(kind, rows, n)


def check_definition(kind: str, rows: list[str | None], n: int) -> None:
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


WEIRD = "".join(map(chr, [0, 9, 0x85, 0xA0, 0x300, 0x30A, 0x130, 0x200D, 0x2028, 0x3000, 0x30AB, 0xFEFF, 0x20000]))
weird = st.one_of(st.text(), st.text(WEIRD + "aB1_.中文カé😀\U0010ffff"), texts)


def raw_batch(rows: list[bytes]) -> TextBatch:
    """Texts that need not be UTF-8."""
    bounds = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(b"".join(rows))]
    return TextBatch(pa.Array.from_buffers(pa.string(), len(rows), buffers))


def everything(batch: TextBatch, shingling: Shingling) -> list[object]:
    """All that is made of the texts, as plain values."""
    found: list[object] = [part.tolist() for part in MinHasher(shingling, 8).band_keys(batch, 2, 3)]
    found.append(MinHasher(shingling, 8, scheme="legacy").signatures(batch).tolist())
    for made in (shingle_hashes(batch, shingling), shingle_set(batch, shingling)):
        found += [made.hashes.tolist(), made.offsets.tolist()]
    return found


@given(
    st.lists(st.one_of(st.binary(max_size=40), weird.map(str.encode)), max_size=4),
    st.sampled_from(["word:1", "word:5", "word-w:2", "char:1", "char:5"]),
    st.integers(4, 24),
    st.integers(1, 12),
)
def test_pieces_change_nothing(rows: list[bytes], spec: str, piece: int, tail: int) -> None:
    shingling, batch = Shingling.parse(spec), raw_batch(rows)
    at_once = everything(batch, shingling)
    with pieces_of(piece, tail):
        assert everything(batch, shingling) == at_once


LONG_RUNS = [
    "a" * 300_000,
    "中" * 90_000,
    " " * 200_000,
    "!" * 200_000,
    "é" * 99_999,
    "a b  " * 40_000,
    "a" + " " * 200_000 + "b",
]


@pytest.mark.parametrize("spec", ["word:5", "char:5", "word-w:1", "char:1000"])
def test_long_runs_without_any_place_to_cut(spec: str) -> None:
    shingling = Shingling.parse(spec)
    batch = batch_of(["x" + run + "y" for run in LONG_RUNS] + [*LONG_RUNS])
    with pieces_of(1 << 20):
        at_once = everything(batch, shingling)
    with pieces_of(1 << 12, 1000):
        assert everything(batch, shingling) == at_once
    assert everything(batch, shingling) == at_once


def test_streams_tell_swapped_and_repeated_tokens_apart() -> None:
    letters = "abcdefgh"
    rows = [
        " ".join(letters[:i] + letters[j] + letters[i + 1 : j] + letters[i] + letters[j + 1 :])
        for j in range(8)
        for i in range(j)
    ]
    rows += [" ".join("a" * count) for count in range(1, 200)] + [" ".join(letters)]
    found = MinHasher(Shingling("word", 2), 8).band_keys(batch_of([*rows]), 1, 1)
    assert len(set(found.streams[:, 0].tolist())) == len(set(found.streams[:, 1].tolist())) == len(rows)


def peak_of(job: Callable[[], object]) -> int:
    """Bytes that a call takes at most, its result included."""
    tracemalloc.start()
    try:
        held = job()
        peak = tracemalloc.get_traced_memory()[1]
        del held
        return peak
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("spec", ["word:5", "char:5"])
def test_memory_of_an_enormous_text_is_that_of_its_set(spec: str) -> None:
    shingling = Shingling.parse(spec)
    batch = batch_of([" ".join(f"w{i * 7919 % 1_000_003}" for i in range(1_000_000)), "short"])
    again = batch_of(["one two three four five six seven " * 500_000])
    assert batch.n_bytes[0] > shingles.LONG
    shingle_set(batch_of(["warm"]), shingling)
    with pieces_of(1 << 12):
        shingle_set(batch_of(["warm " * 1000]), shingling)
    MinHasher(shingling).band_keys(batch_of(["warm"]), 21, 6)
    room = 8 * (shingles.TAIL + shingles.PIECE * 3)
    size = shingle_set(batch, shingling).hashes.nbytes
    assert peak_of(lambda: shingle_set(batch, shingling)) < size * 9 / 8 + room
    assert peak_of(lambda: shingle_set(again, shingling)) < room
    assert peak_of(lambda: MinHasher(shingling).band_keys(batch, 21, 6)) < 8 * shingles.PIECE * 3


def test_long_texts_among_short_ones() -> None:
    rows = ["a b c d e f", None, "x y " * 300, "", "a b c d e f " * 100, "x " * 500, "z"]
    for spec in ("word:3", "char:3"):
        shingling = Shingling.parse(spec)
        at_once = shingle_set(batch_of(rows), shingling)
        with pieces_of(64, 10):
            found = shingle_set(batch_of(rows), shingling)
        assert found.offsets.tolist() == at_once.offsets.tolist()
        assert found.hashes.tolist() == at_once.hashes.tolist()
        for start, end in pairwise(found.offsets.tolist()):
            assert found.hashes[start:end].tolist() == sorted(set(found.hashes[start:end].tolist()))


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
    assert Shingling().identity == "word:5, table word/1 (Unicode 14.0.0), hash 2"
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
