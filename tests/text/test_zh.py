"""The compiled zh signals against slow definitions in plain Python (``zh_oracle``)."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.text import TextBatch, zh, zh_c4
from tamis.text.codepoints import CLASSES
from tamis.text.zh_kernels import HAN, KANA, LETTERS, SPACE

from .zh_oracle import c4, fineweb, quality, repetition

PIECES = [
    *"的了一中〇零国人ﾄ日本語ばカあ，。！？；…、：“”‘’「」（）《》-·•●#{}[]().!?\"'",
    *("\n", "\n\n", "\n \n", "\r\n", "\r", " ", "\u3000", "\u00a0", "\u0085", "\u2028", "\x0b", "\x1c", "\t"),
    *(
        "...",
        "……",
        "。。。",
        "abc",
        "ABC",
        "Word",
        "é",
        "é",
        "3.14",
        "一二三四五六七",
        "這個與那個",
        "😀",
        "𠀀",
        "한국",
    ),
    *(
        "lorem ipsum",
        "Lorem  Ipsum",
        "JavaScript",
        "隐私政策",
        "使用条款",
        "Cookie",
        "privacy policy",
        "[12]",
        "[编辑]",
    ),
    "重复的一行文字在这里出现。\n",
    "这里有 3 个 words. 还有一些？ 再来!\n",
    "。。\n",
    "很长很长的一段话，说的是同样的事情，一遍又一遍地说！",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


def equal(measured: dict[str, object], row: int, expected: dict[str, float]) -> None:
    assert set(measured) == set(expected)
    for name, value in expected.items():
        assert float(measured[name][row]) == pytest.approx(value, abs=1e-12, nan_ok=True), name  # type: ignore[index]


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_signals_equal_plain_definitions(texts: list[str]) -> None:
    batch = TextBatch(pa.array(texts))
    families = [(zh.quality_signals, quality), (zh.repetition_signals, repetition), (zh.fineweb_signals, fineweb)]
    for compiled, plain in families:
        measured = compiled(batch)
        for row, text in enumerate(texts):
            equal(measured, row, plain(text))


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_c4_equals_plain_definition(texts: list[str]) -> None:
    batch = TextBatch(pa.array(texts))
    measured, rewritten = zh_c4.c4_signals(batch), zh_c4.c4_rewrite(batch)
    for row, text in enumerate(texts):
        signals, left = c4(text)
        equal(measured, row, signals)
        assert rewritten[row] == left


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("ab一二"), max_size=80).map("".join))
def test_few_different_tokens_repeat_a_lot(text: str) -> None:
    text = " ".join(text)
    equal(zh.repetition_signals(TextBatch(pa.array([text]))), 0, repetition(text))


def test_slices_and_nulls_measure_as_whole() -> None:
    texts = pa.array(["垃圾", "这是一个句子。\n这是一个句子。", None, "", " \n\u3000", "他说：“好。”", "尾"])
    part = TextBatch(texts.slice(1, 5))
    for compiled, plain in (
        (zh.quality_signals, quality),
        (zh.repetition_signals, repetition),
        (zh.fineweb_signals, fineweb),
    ):
        measured = compiled(part)
        for row, text in enumerate(texts.slice(1, 5).to_pylist()):
            equal(measured, row, plain(text or ""))
    assert zh_c4.c4_rewrite(part)[1] is None


def test_an_empty_batch_has_no_rows() -> None:
    batch = TextBatch(pa.array([], type=pa.string()))
    for values in (
        zh.quality_signals(batch),
        zh.repetition_signals(batch),
        zh.fineweb_signals(batch),
        zh_c4.c4_signals(batch),
    ):
        assert all(len(column) == 0 for column in values.values())
    assert zh_c4.c4_rewrite(batch) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("他说：“今天天气很好。”", True),
        ("你说呢？）", True),
        ("未完待续……", True),
        ("一、总则；", True),
        ("相关链接：", False),
        ("首页 > 新闻", False),
        ("逗号结尾，", False),
    ],
)
def test_terminal_marks_before_closing_quotes(line: str, expected: bool) -> None:
    assert zh.fineweb_signals(TextBatch(pa.array([line])))["line_punct_ratio"][0] == expected


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("真的吗？！是的。", 2),
        ("圆周率是3.14，网址是 example.com 。", 1),
        ('He said "Yes." Fine.', 2),
        ("没有结束", 0),
        ("One. Two! Three", 2),
    ],
)
def test_sentences_are_runs_of_marks(line: str, count: int) -> None:
    options = zh_c4.C4Options(min_words=0, terminal_punct=False)
    assert zh_c4.c4_signals(TextBatch(pa.array([line])), options)["sentences"][0] == count


def test_a_long_chinese_line_is_no_long_word() -> None:
    texts = ["汉" * 5000 + "。", "x" * 1001 + " 一二三四五六七。", "/" * 500 + "字" + "/" * 501 + "一二三四五六七。"]
    signals = zh_c4.c4_signals(TextBatch(pa.array(texts)))
    assert signals["lines_long_word"].tolist() == [0, 1, 0]


def test_switches_turn_each_line_rule_off() -> None:
    lines = ["这一行说的是 JavaScript 的事情。", "请阅读我们的隐私政策和其他文件。", "本站使用 Cookie 来改善体验。"]
    lines += [
        "see our privacy policy for more of this.",
        "没有标点的一行文字在这里",
        "短行。",
        "花括号 { 在这里的一行。",
    ]
    batch = TextBatch(pa.array(["\n".join(lines)]))
    off = {"javascript": False, "policy_zh": False, "cookie": False, "policy": False, "terminal_punct": False}
    for key in off:
        options = zh_c4.C4Options(**(off | {key: True}), curly_bracket=False, min_words=0)
        assert zh_c4.c4_signals(batch, options)["kept_lines"][0] == len(lines) - 1, key
    everything = zh_c4.C4Options(**off, curly_bracket=False, min_words=0)
    assert zh_c4.c4_signals(batch, everything)["kept_lines"][0] == len(lines)
    assert zh_c4.c4_rewrite(batch, everything) == ["\n".join(lines)]
    assert zh_c4.c4_rewrite(batch) == [None]


def test_kernels_agree_with_the_table_on_class_numbers() -> None:
    assert [CLASSES[number] for number in (LETTERS, HAN, KANA, SPACE)] == ["letters", "han", "kana", "whitespace"]
