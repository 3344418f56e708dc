import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.curate.dedup import LineDedup, ParagraphDedup
from tamis.curate.dedup.grain import Grain, grain_runs, site_of
from tamis.errors import DataError, UsageError

from .span_oracle import expected, lines, paragraphs, patchwork, repeated, result_of, row, shards

STAGES = {"line": (LineDedup, lines), "paragraph": (ParagraphDedup, paragraphs)}


def texts_of(stage: LineDedup, texts: list[str], root: Path) -> list[str | None]:
    """Texts in keeper order: longer ones must come first."""
    rows = [row(str(i), text) for i, text in enumerate(texts)]
    return list(result_of(stage, shards(rows, 1), root).texts.values())


@pytest.mark.parametrize("by", STAGES)
@pytest.mark.parametrize("form", ["ccnet", "exact"])
@pytest.mark.parametrize("scope", ["global", "site"])
def test_equals_the_definition_on_english_and_chinese(by: str, form: str, scope: str, tmp_path: Path) -> None:
    cls, split = STAGES[by]
    rows = patchwork(1, 60, by)

    def site(one: dict[str, str]) -> str:
        return site_of(one["url"], one["source"]) if scope == "site" else ""

    wanted = expected(rows, lambda text: split(text, form), site=site)
    found = result_of(cls(scope=scope, normalise=form), shards(rows, 3, seed=2), tmp_path)
    assert found.texts == wanted
    cut = [name for name, text in wanted.items() if text is not None and text != dict_of(rows)[name]]
    assert len(cut) > 5
    assert any(text is None for text in wanted.values())
    assert found.notes["documents_cut"] == len(cut)
    saved = sum(len(dict_of(rows)[name].encode()) - len((wanted[name] or "").encode()) for name in cut)
    assert found.notes["bytes_cut"] == saved


def dict_of(rows: list[dict[str, str]]) -> dict[str, str]:
    return {one["id"]: one["text"] for one in rows}


CASES = ["a", "A", "b 1", "b 2", "", " ", "“a”", "…", "\r", "一。", "一", "\x0ba", "b\t1", "é", "É"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.lists(st.sampled_from(CASES), max_size=9).map("\n".join), max_size=8),
    by=st.sampled_from(sorted(STAGES)),
    form=st.sampled_from(["ccnet", "exact"]),
    seed=st.integers(0, 9),
)
def test_equals_the_definition_on_small_texts(
    texts: list[str], by: str, form: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cls, split = STAGES[by]
    rows = [row(str(i), text) for i, text in enumerate(texts)]
    found = result_of(cls(normalise=form), shards(rows, 2, seed), tmp_path_factory.mktemp("x"))
    assert found.texts == expected(rows, lambda text: split(text, form))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("keep one\ncut\nkeep two", "keep one\nkeep two"),
        ("keep one\n\ncut\n\nkeep two", "keep one\n\nkeep two"),
        ("keep one\ncut\n\nkeep two", "keep one\n\nkeep two"),
        ("keep one\n\ncut\nkeep two", "keep one\n\nkeep two"),
        ("keep one\n\n\ncut\ncut\n\nkeep two", "keep one\n\n\nkeep two"),
        ("keep one\ncut\n\ncut\nkeep two", "keep one\n\nkeep two"),
        ("cut\n\nkeep", "keep"),
        ("\n\ncut\n\nkeep", "\n\nkeep"),
        ("keep\n\ncut", "keep"),
        ("keep\n\ncut\n", "keep\n"),
        ("keep one\r\ncut\r\nkeep two\r\n", "keep one\r\nkeep two\r\n"),
        ("keep one\r\n\r\ncut\r\n\r\nkeep two", "keep one\r\n\r\nkeep two"),
        ("  keep one  \n    cut\n  keep two\n", "  keep one  \n  keep two\n"),
        ("留一\n\n CUT \n\n留二", "留一\n\n留二"),
    ],
)
def test_seams_are_clean(text: str, left: str, tmp_path: Path) -> None:
    first = "cut\n" + "a line of its own so that this one is the longest\n" * 3
    assert texts_of(LineDedup(), [first, text], tmp_path)[1] == left


def test_within_a_document_the_first_stays(tmp_path: Path) -> None:
    assert texts_of(LineDedup(), ["one\ntwo\nONE\n\nthree\ntwo."], tmp_path) == ["one\ntwo\n\nthree\ntwo."]


def test_the_best_document_keeps_its_copy_and_dropped_ones_name_a_holder(tmp_path: Path) -> None:
    rows = [row("short", "shared 1\n"), row("long", "own\nshared 2"), row("mid", "SHARED 3\nown ")]
    found = result_of(LineDedup(), shards(rows, 2), tmp_path)
    assert found.texts == {"short": None, "long": None, "mid": "SHARED 3\nown "}
    assert {name: json.loads(one["detail"]) for name, one in found.removed.items()} == {
        "short": {"keeper": "mid"},
        "long": {"keeper": "mid"},
    }
    assert {(one["reason"], one["value"], one["threshold"]) for one in found.removed.values()} == {
        ("repeated_lines", 1.0, 1.0)
    }


def test_keeper_policy(tmp_path: Path) -> None:
    rows = [row("new", "x y\nlong line of the new one"), row("old", "x y\nold")]
    rows[0]["date"], rows[1]["date"] = "2024-01-01", "2001-01-01"
    found = result_of(LineDedup(keeper="earliest"), shards(rows, 2), tmp_path)
    assert found.texts == {"new": "long line of the new one", "old": "x y\nold"}


def test_dropping_by_share(tmp_path: Path) -> None:
    rows = [
        row("keeper", "aaaa\nbbbb\ncccc\ndddd and more"),
        row("most", "aaaa\nbbbb\ncccc\nown!"),
        row("half", "aaaa\nbbbb\nwww\nvvv.."),
        row("self", "zz\nzz\nzz\nzz\nyy"),
    ]
    found = result_of(LineDedup(action="drop", threshold=0.6, normalise="exact"), shards(rows, 2), tmp_path)
    assert found.texts == {"keeper": rows[0]["text"], "most": None, "half": rows[2]["text"], "self": None}
    assert {name: (one["value"], one["threshold"]) for name, one in found.removed.items()} == {
        "most": (0.75, 0.6),
        "self": (0.6, 0.6),
    }
    assert json.loads(found.removed["most"]["detail"]) == {"keeper": "keeper"}
    assert json.loads(found.removed["self"]["detail"]) == {"share": 0.6}
    assert found.notes == {"documents_cut": 0, "spans_cut": 0, "bytes_cut": 0}


def test_a_keeper_that_is_dropped_itself_is_followed(tmp_path: Path) -> None:
    rows = [row("a", "1 x\n2 x\n3 x\n4 x\n5 x\n6 x"), row("b", "1 x\n2 x\n3 x\nb!"), row("c", "b!\n")]
    found = result_of(LineDedup(action="drop", threshold=0.7, normalise="exact"), shards(rows, 3), tmp_path)
    assert {name: json.loads(one["detail"]) for name, one in found.removed.items()} == {
        "b": {"keeper": "a"},
        "c": {"keeper": "a"},
    }


def test_sites(tmp_path: Path) -> None:
    rows = [
        row("a", "menu\nfirst page", "http://A.org:80/1"),
        row("b", "menu\nsecond", "https://a.org/2"),
        row("c", "menu\nother", "http://b.org/"),
        row("d", "menu\nfile 1", None, "x.jsonl#1"),
        row("e", "menu\nfil", None, "x.jsonl#2"),
        row("f", "menu\nfi", "http://[", "y.jsonl#2"),
    ]
    found = result_of(LineDedup(scope="site"), shards(rows, 2), tmp_path)
    assert [name for name, text in found.texts.items() if text and "menu" in text] == ["a", "c", "d", "f"]


def test_short_segments_are_never_compared(tmp_path: Path) -> None:
    rows = [row("a", "}\nfive!\na b c\nand some more"), row("b", "}\nfive!\na b c\nown")]
    assert result_of(LineDedup(min_chars=5), shards(rows), tmp_path / "1").texts["b"] == "}\nown"
    assert result_of(LineDedup(min_tokens=1), shards(rows), tmp_path / "2").texts["b"] == "}\nown"
    assert result_of(LineDedup(min_tokens=2), shards(rows), tmp_path / "3").texts["b"] == "}\nfive!\nown"
    assert result_of(LineDedup(), shards(rows), tmp_path / "4").texts["b"] == "own"


@pytest.mark.parametrize("by", STAGES)
def test_neither_shards_nor_their_order_nor_memory_matter(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls, split = STAGES[by]
    rows = patchwork(3, 80, by)
    given = shards(rows, 4)
    first = result_of(cls(), given, tmp_path / "a")
    backwards = result_of(cls(), given[::-1], tmp_path / "b")
    assert backwards.files == [file for i in range(3, -1, -1) for file in first.files[2 * i : 2 * i + 2]]
    for seed in range(3):
        assert result_of(cls(), shards(rows, 3, seed), tmp_path / f"c{seed}").texts == first.texts
    monkeypatch.setattr("tamis.curate.dedup.repeats.RANGE_ITEMS", 16)
    assert result_of(cls(), given, tmp_path / "d").files == first.files
    monkeypatch.setattr("tamis.curate.dedup.spans.LITTLE_ROOM", 7)
    assert result_of(cls(), given, tmp_path / "e", 1 << 20).files == first.files
    assert first.texts == expected(rows, split)


def test_equal_ids_equal_rows_and_equal_shards(tmp_path: Path) -> None:
    part = shards([row("a", "x\ny"), row("a", "x\nz z"), row("b", "x")], 1)[0]
    twin = type(part)(part.table, 1)
    for pair in ([part, twin], [twin, part]):
        found = result_of(LineDedup(), pair, tmp_path / str(pair[0].index))
        assert sorted(found.removed) == ["a", "b"]
        assert sum(file == b"" for file in found.files) == 1


def test_nothing_at_all(tmp_path: Path) -> None:
    for cls, _ in STAGES.values():
        assert result_of(cls(), [], tmp_path / "none").texts == {}
        rows = [row("a", ""), row("b", " \n"), row("c", "\n\n"), row("d", "…"), row("e", "…")]
        found = result_of(cls(), [*shards(rows, 2), *shards([], 1)], tmp_path / cls.kind)
        assert found.texts == {one["id"]: one["text"] for one in rows}


def test_one_line_many_times(tmp_path: Path) -> None:
    many = 200_000
    found = result_of(LineDedup(), shards([row("a", "one line\n" * many + "end")], 1), tmp_path / "a")
    assert found.texts == {"a": "one line\nend"}
    rows = [row(str(i), "one line") for i in range(5000)]
    found = result_of(LineDedup(), shards(rows, 3, step=1000), tmp_path / "b")
    assert sum(text is not None for text in found.texts.values()) == 1


def test_a_text_that_is_not_utf8_is_an_error_for_people(tmp_path: Path) -> None:
    values = pa.array([b"\xe9t\xe9"]).cast(pa.binary())
    text = pa.Array.from_buffers(pa.string(), 1, values.buffers())
    part = shards([row("a", "x")], 1)[0]
    table = part.table.set_column(1, "text", text)
    with pytest.raises(DataError, match="not UTF-8"):
        grain_runs(type(part)(table, 0), Grain(0), 1000, tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("scope", "page", "scope 'page' is not known; use global or site"),
        ("normalise", "x", "normalise 'x' is not known; use ccnet or exact"),
        ("action", "x", "action 'x' is not known; use cut or drop"),
        ("threshold", 0.0, "threshold is 0.0, expected above 0 and at most 1"),
        ("min_chars", -1, "min_chars is -1, expected at least 0"),
        ("min_tokens", -1, "min_tokens is -1, expected at least 0"),
        ("keeper", "x", "keeper 'x' is not known"),
    ],
)
def test_bad_settings(key: str, value: object, message: str) -> None:
    for cls, _ in STAGES.values():
        with pytest.raises(UsageError, match=message):
            cls(**{key: value})  # type: ignore[arg-type]


def test_the_share_is_of_characters(tmp_path: Path) -> None:
    rows = patchwork(5, 40, "line")
    units, cut = repeated(rows, lines)
    found = result_of(LineDedup(action="drop", threshold=0.3), shards(rows, 2), tmp_path)
    for one, own, gone in zip(rows, units, cut, strict=True):
        chars = sum(unit.stop - unit.start for unit in own)
        share = sum(unit.stop - unit.start for unit, out in zip(own, gone, strict=True) if out) / max(chars, 1)
        assert (one["id"] in found.removed) == (any(gone) and share >= 0.3)
        if one["id"] in found.removed:
            assert found.removed[one["id"]]["value"] == pytest.approx(share)
