"""The filter stage: its decisions are those of signals and bounds taken one document at a time."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.curate.filter import FilterStage
from tamis.curate.rules import Auto, parse_rules
from tamis.curate.rules.dialect import is_zh
from tamis.curate.rules.rule import Editor
from tamis.errors import RecipeError
from tamis.stage import REMOVAL_SCHEMA, Verdict
from tamis.text import TextBatch

PIECES = [
    "The keeper of the lighthouse climbed the stairs with a lamp.\n",
    "She had learned to read the sea, and that was enough for her.\n",
    "No mark at the end of this line\n",
    "Here a { opens. ",
    "They talked to the ships [12] of all that have gone.[3]\n",
    "- item\n",
    "etc...\n",
    "\n\n",
    " ",
    "We use cookies.\n",
    "守塔人每天傍晚都提着一盏灯和一本书登上灯塔的台阶。\n",
    "北方的雾来的时候，船只会慢下来，等待她的灯光转过去！",
    "没有标点的一行\n",
    "本站的隐私政策在这里可以看到。\n",
    "她说：“我们不会忘记。”\n",
    "\u3000",
    "#",
    "……",
]
TEXTS = st.none() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
ROWS = st.tuples(TEXTS, st.sampled_from([None, "en", "zh", "de"]))
RULES = [
    "gopher-quality(min_words=5)",
    "gopher-quality@zh(min_words=5)",
    "gopher-repetition",
    "gopher-repetition@datatrove(max_dup_lines=0.6)",
    "c4(min_sentences=1)",
    "c4@datatrove(min_sentences=2,terminal_punct=false)",
    "c4@zh(min_sentences=none)",
    "fineweb",
    "fineweb@zh(max_short_lines=none)",
    "length(min_words=4,max_tokens=150)",
    "language(languages=en+zh)",
]
LISTS = st.lists(st.sampled_from(RULES), min_size=1, max_size=5, unique=True)


def table(rows: list[tuple[str | None, str | None]]) -> pa.Table:
    texts, languages = [row[0] for row in rows], [row[1] for row in rows]
    return pa.table({"text": pa.array(texts, pa.string()), "language": pa.array(languages, pa.string())})


def judge(rules: list[str], rows: list[tuple[str | None, str | None]], keep_signals: bool = False) -> Verdict:
    return FilterStage(tuple(rules), keep_signals).open().judge(table(rows))


def naive(rules: list[str], text: str | None, language: str | None) -> tuple[Any, ...]:
    """Judge one document: (text left, None) or (text as given, (reason, rule, value, bound))."""
    given = text
    batch = TextBatch(pa.array([text], pa.string()), {"language": pa.array([language])})
    zh = bool(is_zh(batch)[0])
    for rule in parse_rules(rules):
        one = rule
        if isinstance(rule, Auto):
            one = next(one for one in rule.rules if (one.dialect == "zh") == zh)
        name = f"{one.name}@{one.dialect}" if one.dialect else one.name
        batch = TextBatch(pa.array([text], pa.string()), {"language": pa.array([language])})
        signals = {key: float(values[0]) for key, values in one.signals(batch).items()}
        for bound in one.thresholds:
            value = signals[bound.signal]
            if math.isnan(value):
                return given, ("empty", name, None, None)
            if bound.minimum is not None and not value >= bound.minimum:
                return given, (bound.reason, name, value, bound.minimum)
            if bound.maximum is not None and not value <= bound.maximum:
                return given, (bound.reason, name, value, bound.maximum)
        if isinstance(one, Editor):
            text = one.edit(batch, np.array([True])).texts.get(0, text)
            if not (text or "").strip():
                return given, ("empty", name, None, None)
    return text, None


def outcomes(rows: list[tuple[str | None, str | None]], verdict: Verdict) -> list[tuple[Any, ...]]:
    """The same pairs from a verdict."""
    texts = verdict.columns["text"].to_pylist() if "text" in verdict.columns else [row[0] for row in rows]
    removed = {row["row"]: row for row in verdict.removed.to_pylist()}
    out: list[tuple[Any, ...]] = []
    for row, text in enumerate(texts):
        gone = removed.get(row)
        out.append((text, gone and (gone["reason"], gone["rule"], gone["value"], gone["threshold"])))
    return out


@settings(max_examples=150, deadline=None)
@given(LISTS, st.lists(ROWS, max_size=6))
def test_decisions_are_signals_and_bounds_one_document_at_a_time(
    rules: list[str], rows: list[tuple[str | None, str | None]]
) -> None:
    assert outcomes(rows, judge(rules, rows)) == [naive(rules, *row) for row in rows]


@settings(max_examples=100, deadline=None)
@given(LISTS, st.lists(ROWS, max_size=8), st.randoms(use_true_random=False), st.integers(0, 8))
def test_nothing_depends_on_neighbours_or_order(
    rules: list[str], rows: list[tuple[str | None, str | None]], random: Any, cut: int
) -> None:
    whole = judge(rules, rows)
    numbers = whole.removed["row"].to_pylist()
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(len(rows)))
    assert whole.removed.schema == REMOVAL_SCHEMA
    expected = outcomes(rows, whole)
    first, second = judge(rules, rows[:cut]), judge(rules, rows[cut:])
    assert outcomes(rows[:cut], first) + outcomes(rows[cut:], second) == expected
    assert {
        name: first.notes.get(name, 0) + second.notes.get(name, 0) for name in {*first.notes, *second.notes}
    } == whole.notes
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = [rows[row] for row in order]
    assert outcomes(shuffled, judge(rules, shuffled)) == [expected[row] for row in order]


@settings(max_examples=60, deadline=None)
@given(LISTS, st.lists(ROWS, max_size=6))
def test_keeping_signals_changes_no_decision(rules: list[str], rows: list[tuple[str | None, str | None]]) -> None:
    plain, kept = judge(rules, rows), judge(rules, rows, keep_signals=True)
    assert outcomes(rows, kept) == outcomes(rows, plain)
    columns = {name: column for name, column in kept.columns.items() if name != "text"}
    assert columns
    assert all(name.startswith("signal.") and len(column) == len(rows) for name, column in columns.items())
    assert all(column.type == pa.float64() for column in columns.values())
    gone = set(kept.removed["row"].to_pylist())
    alone = [judge(rules, [row], keep_signals=True).columns for row in rows]
    for name, column in columns.items():
        assert column.to_pylist() == [one[name].to_pylist()[0] for one in alone]
    stay = [row for row in range(len(rows)) if row not in gone]
    for row in stay:
        assert any(column[row].is_valid for column in columns.values())


def test_signals_have_one_column_for_each_dialect() -> None:
    rows = [("守塔人的灯。", None), ("The lamp of the keeper.", None)]
    columns = judge(["gopher-quality(min_words=1,min_stop_words=none)"], rows, keep_signals=True).columns
    assert columns["signal.gopher-quality@zh.n_words"].to_pylist() == [5.0, None]
    assert columns["signal.gopher-quality@datatrove.n_words"].to_pylist() == [None, 5.0]
    chinese_only = judge(["gopher-quality(min_words=1,min_stop_words=none)"], rows[:1], keep_signals=True).columns
    assert list(chinese_only) == list(columns)


def test_the_first_broken_rule_is_the_reason() -> None:
    rows = [("one", None)]
    first = judge(["length(min_words=2)", "length(min_characters=9)"], rows).removed.to_pylist()
    assert [(row["rule"], row["reason"]) for row in first] == [("length", "too_few_words")]
    second = judge(["length(min_characters=9)", "length(min_words=2)"], rows).removed.to_pylist()
    assert [row["reason"] for row in second] == ["too_few_characters"]


def test_rules_after_c4_see_the_new_text() -> None:
    text = (
        "The first sentence is here. The second one too. And a third. Then four. Five!\nmenu\nhome\nlogin\nabout us\n"
    )
    removed = judge(["fineweb"], [(text, None)]).removed.to_pylist()
    assert [row["reason"] for row in removed] == ["short_lines"]
    verdict = judge(["c4", "fineweb"], [(text, None)])
    assert verdict.removed.num_rows == 0
    assert verdict.columns["text"].to_pylist() == [text.splitlines()[0]]
    assert verdict.notes == {"c4.documents_edited": 1, "c4.lines_no_terminal_punct": 4, "c4.lines_removed": 4}


def test_a_text_no_rule_changes_needs_no_column() -> None:
    assert judge(["length(min_words=1)"], [("a", None)]).columns == {}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_chunked_text_column_keeps_its_type(kind: pa.DataType) -> None:
    text = "One is here. Two is here. Three is here. Four is here. Five is here.\nno end"
    chunked = pa.chunked_array([pa.array([text], kind), pa.array([None, text], kind)])
    verdict = FilterStage(("c4",)).open().judge(pa.table({"text": chunked}))
    assert verdict.columns["text"].to_pylist() == [text.splitlines()[0], None, text.splitlines()[0]]
    assert verdict.removed["row"].to_pylist() == [1]


def test_a_slice_of_a_table_is_judged_as_such() -> None:
    rows = [("a b c", "en"), ("守塔人", "zh"), (None, None), ("d e f", "en")]
    whole = table(rows)
    worker = FilterStage(("length(min_words=4)", "language(languages=en)")).open()
    assert worker.judge(whole.slice(1, 3)).removed["reason"].to_pylist() == ["too_few_words", "empty", "too_few_words"]
    assert worker.judge(whole.slice(4)).removed.num_rows == 0


def test_the_stage_is_its_recipe() -> None:
    stage = FilterStage(("gopher-quality@zh", {"length": {"min_words": 5}}, "c4(min_sentences=3)"))
    assert stage.rules == ("gopher-quality@zh", "length(min_words=5)", "c4(min_sentences=3)")
    assert FilterStage("gopher-quality@zh, length(min_words=5), c4(min_sentences=3)") == stage  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(stage)) == stage
    assert hash(stage) == hash(FilterStage(stage.rules))
    assert set(stage.reads) == {"text", "language", "language_score"}


def test_no_rules_are_refused() -> None:
    with pytest.raises(RecipeError, match="at least one rule"):
        FilterStage(())


def test_the_signature_holds_names_bounds_and_versions() -> None:
    signature = FilterStage(("gopher-quality", "length(min_words=5)")).signature()
    assert json.loads(json.dumps(signature)) == signature
    assert signature != FilterStage(("gopher-quality", "length(min_words=6)")).signature()
    assert signature != FilterStage(("gopher-quality", "length(min_words=5)"), keep_signals=True).signature()
    quality, length = signature["rules"]
    assert [one["rule"] for one in quality["variants"]] == ["gopher-quality@datatrove", "gopher-quality@zh"]
    assert length["variants"][0]["thresholds"] == [["words", "too_few_words", 5, None]]
    assert all(one["versions"] for one in quality["variants"])
    assert quality["dialect"]["words"].startswith("word/")


def test_no_rule_file_is_missing_from_the_table() -> None:
    import tamis.curate.rules as package

    framework = {"__init__", "rule", "spec", "views", "measure", "dialect", "function"}
    files = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    assert files - framework == {cls.__module__.rpartition(".")[2] for cls in package.RULES.values()}
