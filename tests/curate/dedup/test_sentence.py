import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.curate.dedup import SentenceDedup
from tamis.errors import UsageError
from tamis.text import TextBatch
from tamis.text.kinds import SENTENCE
from tamis.text.segments import next_unit
from tamis.text.units import unit_tables

from .span_oracle import Unit, expected, patchwork, result_of, row, sentences, shards

ALL = {"min_doc_words": 0, "min_num_sentences": 0}


def split(text: str) -> list[str]:
    batch = TextBatch(pa.array([text]))
    found, at, end = [], int(batch.starts[0]), int(batch.ends[0])
    while True:
        start, stop, at, *_ = next_unit(SENTENCE, batch.data, np.int64(at), np.int64(end), unit_tables("ccnet"))
        if start < 0:
            return found
        found.append(bytes(batch.data[start:stop]).decode())


@pytest.mark.parametrize(
    "parts",
    [
        ["One sentence.", "Another one!", "A third?"],
        ["He said “Stop!”", "Then he left."],
        ["He asked (why?) and left."],
        ["Dr. Smith met Mr. J. K. Jones in the U.S. Army.", "They spoke."],
        ["See Fig. 3 and Sec. 12 for more.", "No.", "Not that."],
        ["It costs 3.14 dollars at example.com today.", "Cheap!"],
        ["Well... that was odd.", "Very odd..."],
        ["We did, e.g. here, and i.e. there.", "So do I.", "Then we left."],
        ["1. First point.", "Second."],
        ["In 1999.", "A new start."],
        ["今天天气很好。", "我们去公园！", "你去吗？", "不去……", "好吧"],
        ["他说：“走吧！”", "然后他走了。"],
        ["版本 3.14 已发布。", "请升级。"],
        ["English first.", "然后中文。", "And again."],
        ["全角句点．", "下一句"],
        ["日本語の文。", "次の文です｡"],
        ["Was it?!", "Yes!!!"],
    ],
)
def test_splitting(parts: list[str]) -> None:
    assert split(" ".join(parts)) == parts
    joined = "".join(parts)
    if not joined.isascii() and not any(c.isascii() and c.isalnum() for c in joined) and "．" not in joined:
        assert split(joined) == parts
    assert split("\n".join(parts) + "\n") == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a line\nno mark\r\n\n  next  ", ["a line", "no mark", "next"]),
        ("***\nfirst. ---\n… ! second", ["first.", "… ! second"]),
        ("see no.\n3 more", ["see no.", "3 more"]),
        ("---\n…\n", []),
        ("", []),
        ("x", ["x"]),
    ],
)
def test_line_ends_end_sentences_and_signs_alone_are_none(text: str, parts: list[str]) -> None:
    assert split(text) == parts


def test_the_text_before_does_not_matter(tmp_path: Path) -> None:
    rows = [row("0", "x."), row("1", "I. A b. A b. ")]
    found = result_of(SentenceDedup(sentences=1, **ALL), shards(rows, 1), tmp_path)
    assert found.texts == {"0": "x.", "1": "I. A b. "}


@pytest.mark.parametrize("width", [1, 2, 3])
def test_equals_the_definition_on_english_and_chinese(width: int, tmp_path: Path) -> None:
    rows = patchwork(width, 50, "line")
    wanted = expected(rows, sentences, width)
    found = result_of(SentenceDedup(sentences=width, **ALL), shards(rows, 3, seed=2), tmp_path)
    assert found.texts == wanted
    assert sum(text != one["text"] for text, one in zip(wanted.values(), rows, strict=True)) > 10


PIECES = ["A b. ", "a B! ", "C", "。", "甲。", "甲乙？", "\n", " ", "...", "1. ", "e.g. ", "x.", "”", "I. "]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), max_size=6),
    width=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_equals_the_definition_on_small_texts(
    texts: list[str], width: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for text in texts:
        assert split(text) == [text[unit.start : unit.stop] for unit in sentences(text)]
    rows = [row(str(i), text) for i, text in enumerate(texts)]
    found = result_of(SentenceDedup(sentences=width, **ALL), shards(rows, 2, seed), tmp_path_factory.mktemp("x"))
    assert found.texts == expected(rows, sentences, width)


def test_what_has_too_little_left_is_dropped(tmp_path: Path) -> None:
    span = "One shared sentence here. Two shared sentence here. Three shared sentence here. "
    rows = [
        row("a", span + "And a long end that only this document has, so that it keeps its copy of the span."),
        row("b", span + "Left b."),
        row("c", span + "Left one. Left two. Left three."),
        row("d", "Two."),
    ]
    few = result_of(SentenceDedup(min_doc_words=3, min_num_sentences=0), shards(rows), tmp_path / "1")
    assert few.texts["b"] is None
    assert few.texts["c"] == "Left one. Left two. Left three."
    assert few.texts["d"] == "Two."
    assert (few.removed["b"]["reason"], few.removed["b"]["value"], few.removed["b"]["threshold"]) == (
        "few_words_left",
        2.0,
        3.0,
    )
    assert json.loads(few.removed["b"]["detail"]) == {"keeper": "a"}
    short = result_of(SentenceDedup(min_doc_words=0, min_num_sentences=2), shards(rows), tmp_path / "2")
    assert {name: one["reason"] for name, one in short.removed.items()} == {"b": "few_sentences_left"}
    assert set(result_of(SentenceDedup(), shards(rows), tmp_path / "3").removed) == {"b", "c"}


def test_the_same_by_the_definition(tmp_path: Path) -> None:
    rows = patchwork(9, 60, "paragraph")

    def enough(units: list[Unit]) -> bool:
        return sum(unit.tokens for unit in units) >= 50 and len(units) >= 3

    wanted = expected(rows, sentences, 3, left=enough)
    assert result_of(SentenceDedup(), shards(rows, 2), tmp_path).texts == wanted
    assert None in wanted.values()


def test_a_repeating_document_keeps_its_first_span_whole(tmp_path: Path) -> None:
    rows = [row("a", "Buy now! " * 1000 + "The end.")]
    found = result_of(SentenceDedup(**ALL), shards(rows, 1), tmp_path)
    assert found.texts == {"a": "Buy now! Buy now! Buy now! The end."}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sentences", 0, "sentences is 0, expected 1 to 1000"),
        ("min_doc_words", -1, "min_doc_words is -1, expected at least 0"),
        ("min_num_sentences", -1, "min_num_sentences is -1, expected at least 0"),
        ("action", "x", "action 'x' is not known; use cut or drop"),
        ("threshold", 1.5, "threshold is 1.5, expected above 0 and at most 1"),
    ],
)
def test_bad_settings(key: str, value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SentenceDedup(**{key: value})  # type: ignore[arg-type]
