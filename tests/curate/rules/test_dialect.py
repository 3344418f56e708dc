"""Which dialect judges a document when the recipe leaves it open."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tamis.curate.filter import FilterStage
from tamis.curate.rules import by_dialect, parse_rules, signals_of
from tamis.curate.rules.dialect import is_zh
from tamis.text import TextBatch

CHINESE = "守塔人每天傍晚都提着一盏灯登上灯塔。"
ENGLISH = "The keeper of the lighthouse climbed the stairs every evening."
MOSTLY_CODE = "print(value) 打印 import os return value for item in items"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (CHINESE, None, True),
        (CHINESE, "zh", True),
        (CHINESE, "en", True),
        (ENGLISH, None, False),
        (ENGLISH, "en", False),
        (ENGLISH, "zh-CN", False),
        ("彼女は毎晩ランプと本を持って灯台の階段を上った。", "ja", True),
        ("彼女は毎晩ランプと本を持って灯台の階段を上った。", None, True),
        ("등대지기는 매일 저녁 계단을 올랐다.", "ko", False),
        ("Die Wärterin stieg jeden Abend die Treppe hinauf.", "de", False),
        (MOSTLY_CODE + " 输出", "zh_Hans", True),
        (MOSTLY_CODE + " 输出", "en", False),
        (MOSTLY_CODE + " 输出", None, False),
        ("1234 ，。", "zh", False),
        ("", "zh", False),
        (None, None, False),
    ],
)
def test_script_decides_and_language_when_in_doubt(text: str | None, language: str | None, expected: bool) -> None:
    batch = TextBatch(pa.array([text], pa.string()), {"language": pa.array([language], pa.string())})
    assert is_zh(batch).tolist() == [expected]


def test_without_language_column_the_script_decides() -> None:
    assert is_zh(TextBatch(pa.array([CHINESE, ENGLISH, None]))).tolist() == [True, False, False]


def test_rows_are_split_once_and_only_where_a_rule_leaves_it_open() -> None:
    batch = TextBatch(pa.array([CHINESE, ENGLISH, CHINESE]))
    open_rules = parse_rules("c4,length(min_words=1)")
    assert {name: rows.tolist() for name, rows in by_dialect(batch, open_rules)} == {"zh": [0, 2], "datatrove": [1]}
    assert [rows.tolist() for _, rows in by_dialect(batch, parse_rules("c4@zh"))] == [[0, 1, 2]]


def test_chinese_is_never_judged_by_english_defaults() -> None:
    rules = ("gopher-quality", "gopher-repetition", "c4", "fineweb")
    table = pa.table({"text": [CHINESE, ENGLISH]})
    for rule in rules:
        removed = FilterStage((rule,)).open().judge(table).removed.to_pylist()
        assert {row["row"]: row["rule"] for row in removed} == {
            row["row"]: f"{rule}@{'zh' if row['row'] == 0 else 'datatrove'}" for row in removed
        }


def test_signals_of_names_dialects_and_leaves_others_unmeasured() -> None:
    batch = TextBatch(pa.array([CHINESE, ENGLISH, None]))
    signals = signals_of(batch, parse_rules("gopher-quality,length(min_words=1)"))
    assert signals["length.words"].tolist()[:2] == [17, 10]
    assert signals["gopher-quality@zh.n_words"].tolist()[0] == 17
    assert signals["gopher-quality@datatrove.n_words"].tolist()[1] == 10
    for name in ("gopher-quality@zh.n_words", "gopher-quality@datatrove.n_words", "length.words"):
        assert (signals[name] != signals[name]).tolist()[2]
    assert signals["gopher-quality@zh.n_words"][1] != signals["gopher-quality@zh.n_words"][1]
