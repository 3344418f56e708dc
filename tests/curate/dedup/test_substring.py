import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.curate.dedup import SubstringDedup
from tamis.errors import UsageError

from .span_oracle import Row, cut_text, expected, keeper_order, patchwork, result_of, row, shards, tokens


@pytest.mark.parametrize("width", [5, 20, 50])
def test_equals_the_definition_on_english_and_chinese(width: int, tmp_path: Path) -> None:
    rows = patchwork(width, 40, "paragraph")
    wanted = expected(rows, tokens, width)
    found = result_of(SubstringDedup(tokens=width), shards(rows, 3, seed=2), tmp_path)
    assert found.texts == wanted
    assert sum(text != one["text"] for text, one in zip(wanted.values(), rows, strict=True)) > 10


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.lists(st.sampled_from(["a ", "b ", "甲", "c, ", "\n"]), max_size=40).map("".join), max_size=6),
    width=st.integers(2, 7),
    seed=st.integers(0, 9),
)
def test_equals_the_definition_on_small_texts(
    texts: list[str], width: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [row(str(i), text) for i, text in enumerate(texts)]
    found = result_of(SubstringDedup(tokens=width), shards(rows, 2, seed), tmp_path_factory.mktemp("x"))
    assert found.texts == expected(rows, tokens, width)


def by_suffix_array(rows: list[Row], width: int) -> dict[str, str | None]:
    """The same from a suffix array over all tokens: neighbours with a common prefix of ``width`` are repeats."""
    pydivsufsort = pytest.importorskip("pydivsufsort")
    units = [tokens(one["text"]) for one in rows]
    names: dict[Any, int] = {}
    stream: list[int] = []
    places: list[tuple[int, int]] = []
    for doc, own in enumerate(units):
        for at, unit in enumerate(own):
            stream.append(names.setdefault(unit.key, len(names)))
            places.append((doc, at))
        stream.append(1_000_000 + doc)  # occurs once: no common prefix goes on over it
        places.append((doc, len(own)))
    text = np.array(stream, np.int64)
    suffixes = pydivsufsort.divsufsort(text)
    common = pydivsufsort.kasai(text, suffixes)
    rank = {doc: number for number, doc in enumerate(keeper_order(rows))}
    cut = [[False] * len(own) for own in units]
    group: list[tuple[int, int]] = []
    for number, suffix in enumerate(suffixes.tolist()):
        group.append(places[suffix])
        if number + 1 < len(suffixes) and common[number] >= width:
            continue
        doc, place = min(group, key=lambda one: (rank[one[0]], one[1]))
        for other, at in group:
            if (other, at) != (doc, place):
                begin = max(at, place + width) if other == doc else at
                cut[other][begin : at + width] = [True] * (at + width - begin)
        group = []
    return {
        one["id"]: None if gone and all(gone) else cut_text(one["text"], own, gone)
        for one, own, gone in zip(rows, units, cut, strict=True)
    }


@pytest.mark.parametrize("width", [8, 50])
def test_equals_a_suffix_array(width: int, tmp_path: Path) -> None:
    rows = patchwork(100 + width, 60, "paragraph")
    wanted = by_suffix_array(rows, width)
    assert result_of(SubstringDedup(tokens=width), shards(rows, 3, seed=1), tmp_path).texts == wanted
    assert None in wanted.values()


def planted(seed: int) -> list[Row]:
    """Random words, with runs of 40 to 60 of them planted: only from 50 on do they count."""
    draw = random.Random(seed)
    rows = [[f"w{draw.randrange(10**6)}" for _ in range(draw.randint(0, 300))] for _ in range(30)]
    for _ in range(60):
        source, target = draw.choice(rows), draw.choice(rows)
        if len(source) > 60:
            start = draw.randrange(len(source) - 60)
            at = draw.randint(0, len(target))
            target[at:at] = source[start : start + draw.randint(47, 53)]
    return [row(str(i), " ".join(words)) for i, words in enumerate(rows)]


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_is_exact(seed: int, tmp_path: Path) -> None:
    rows = planted(seed)
    wanted = expected(rows, tokens, 50)
    assert result_of(SubstringDedup(), shards(rows, 2, seed), tmp_path).texts == wanted
    assert 3 < sum(wanted[one["id"]] != one["text"] for one in rows) < 30


def test_a_repeating_document_keeps_its_first_run_whole(tmp_path: Path) -> None:
    rows = [row("a", "word " * 1000 + "end"), row("b", "甲乙" * 500), row("c", "x y z " * 300)]
    found = result_of(SubstringDedup(tokens=50), shards(rows, 2), tmp_path)
    assert found.texts == {"a": "word " * 50 + "end", "b": "甲乙" * 25, "c": found.texts["c"]}
    assert found.texts == expected(rows, tokens, 50)


def test_seams(tmp_path: Path) -> None:
    span = " ".join(f"s{i}" for i in range(10))
    rows = [
        row("a", f"{span} " + "long end of the one that keeps its copy " * 3),
        row("b", f"First part. {span.upper()}. Last part.\n"),
        row("c", f"Another one.\n\n“{span}”\nAnd on"),
        row("d", f"{span}, then this"),
        row("e", f"This, then ({span})."),
    ]
    found = result_of(SubstringDedup(tokens=10), shards(rows), tmp_path)
    assert [found.texts[name] for name in "bcde"] == [
        "First part. Last part.\n",
        "Another one.\n\n“And on",
        "then this",
        "This, then).",
    ]


def test_neither_shards_nor_their_order_nor_memory_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [*planted(7), row("r", "one two three " * 200)]
    given = shards(rows, 4)
    first = result_of(SubstringDedup(), given, tmp_path / "a")
    backwards = result_of(SubstringDedup(), given[::-1], tmp_path / "b")
    assert backwards.files == [file for i in range(3, -1, -1) for file in first.files[2 * i : 2 * i + 2]]
    for seed in range(3):
        assert result_of(SubstringDedup(), shards(rows, 3, seed), tmp_path / f"c{seed}").texts == first.texts
    monkeypatch.setattr("tamis.curate.dedup.repeats.RANGE_ITEMS", 16)
    assert result_of(SubstringDedup(), given, tmp_path / "d").files == first.files
    monkeypatch.setattr("tamis.curate.dedup.spans.LITTLE_ROOM", 7)
    assert result_of(SubstringDedup(), given, tmp_path / "e", 1 << 20).files == first.files
    assert first.texts == expected(rows, tokens, 50)


def test_dropping_by_share(tmp_path: Path) -> None:
    span = " ".join(f"w{i}" for i in range(50))
    rows = [row("a", span + " own end, which is long"), row("b", f"{span} own"), row("c", f"{span} " + "z q y " * 30)]
    rows.sort(key=lambda one: -len(one["text"]))
    found = result_of(SubstringDedup(action="drop", threshold=0.85), shards(rows), tmp_path)
    assert set(found.removed) == {"a", "b"}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tokens", 1, "tokens is 1, expected 2 to 1000"),
        ("action", "x", "action 'x' is not known; use cut or drop"),
        ("threshold", 0, "threshold is 0, expected above 0 and at most 1"),
    ],
)
def test_bad_settings(key: str, value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SubstringDedup(**{key: value})  # type: ignore[arg-type]
