"""Rule names: what parses, what prints back, and what is said of a bad one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tamis.curate.rules import RULES, Auto, parse_rules, spec_of, split_rules
from tamis.errors import RecipeError


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            "gofer-quality",
            r"unknown rule 'gofer-quality'; did you mean 'gopher-quality'\? \(known: c4, fineweb, gopher-qu",
        ),
        ("gopher-quality@en", r"unknown dialect of rule 'gopher-quality' 'en' \(known: auto, datatrove, zh\)"),
        ("length@zh(min_words=1)", r"unknown dialect of rule 'length' 'zh'"),
        ("length@auto(min_words=1)", r"rule 'length' has no dialects"),
        ("gopher-quality(min_wrods=3)", r"unknown key 'min_wrods'; did you mean 'min_words'\?"),
        ("gopher-quality@zh(min_wrods=3)", r"unknown key 'min_wrods'; did you mean 'min_words'\?"),
        (
            "gopher-quality(min_words=many)",
            r"rule 'gopher-quality\(min_words=many\)' .*: min_words: expected a whole number",
        ),
        ("gopher-quality(min_words=3.5)", r"min_words: expected a whole number"),
        ("gopher-quality(max_hash_ratio=nan)", r"max_hash_ratio: expected a finite number"),
        ("gopher-quality(min_words)", r"expected key=value, found 'min_words'"),
        ("gopher-quality(min_words=)", r"expected key=value"),
        ("gopher-quality(min_words=1,min_words=2)", r"key 'min_words' appears twice"),
        ("gopher-quality@zh(min_words=9,max_words=3)", r"min_words is above max_words \(9 > 3\)"),
        ("gopher-quality(max_words=60)", r"\(dialect zh\): min_words is above max_words \(100 > 60\)"),
        ("gopher-quality(min_words=3", r"cannot read rule 'gopher-quality\(min_words=3'"),
        ("gopher-quality)", r"cannot read rule"),
        ("length", r"rule length needs a bound"),
        ("language", r"rule language needs languages or min_score"),
        ("language(languages=und)", r"holds no language tag"),
        ("c4(terminal_punct=maybe)", r"terminal_punct: expected true or false"),
        ("nowhere_at_all:function", r"cannot find module 'nowhere_at_all'"),
        ("math:no_such_function", r"module math has no function 'no_such_function'"),
        ("math:sqrt@zh", r"a function of your own has no dialect"),
        ("math:sqrt(function=math:sin)", r"unknown key 'function'"),
        ("math:sqrt(minimum=2,maximum=1)", r"minimum is above maximum"),
    ],
)
def test_a_bad_rule_is_named_with_what_is_known(spec: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem) as caught:
        parse_rules([spec])
    assert "\n" not in str(caught.value)


def test_all_bad_rules_are_reported_together() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_rules("gofer, c4(x=1), finewbe, length(min_words=2)")
    for part in ("'gofer'", "'x'", "'finewbe'"):
        assert part in str(caught.value)


@pytest.mark.parametrize("item", [3, None, ["c4"], {"c4": 5}, {"c4": ["x"]}, {"length": {"min_words": "many"}}])
def test_a_list_item_of_another_kind_is_refused(item: Any) -> None:
    with pytest.raises(RecipeError):
        parse_rules([item])


def test_a_rule_given_twice_is_refused() -> None:
    with pytest.raises(RecipeError, match="c4 is given twice"):
        parse_rules("c4, c4")
    assert len(parse_rules("length(min_words=1), length(max_words=9)")) == 2


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ("gopher-quality", "gopher-quality"),
        ("gopher-quality@auto", "gopher-quality"),
        (" gopher-quality@zh ", "gopher-quality@zh"),
        (
            "gopher-quality@zh( min_words = 5 , max_mean_word_length=none)",
            "gopher-quality@zh(min_words=5,max_mean_word_length=none)",
        ),
        ("gopher-quality@datatrove(min_words=50)", "gopher-quality@datatrove"),
        ("gopher-quality(min_words=20)", "gopher-quality(min_words=20)"),
        ("c4(terminal_punct=False)", "c4(terminal_punct=false)"),
        ("language(min_score=0.65,languages=en+zh-Hans)", "language(languages=en+zh-Hans,min_score=0.65)"),
        ({"language": {"languages": ["en", "zh"], "min_score": 1}}, "language(languages=en+zh,min_score=1.0)"),
        ({"language": {"languages": "en"}}, "language(languages=en)"),
        ({"length": {"min_words": 50, "max_words": None}}, "length(min_words=50)"),
        ({"fineweb@zh": None}, "fineweb@zh"),
        ("math:sqrt(minimum=0.5)", "math:sqrt(minimum=0.5)"),
    ],
)
def test_names_print_and_parse_back(given: Any, printed: str) -> None:
    (rule,) = parse_rules([given])
    assert spec_of(rule) == printed
    assert parse_rules([printed]) == (rule,)


def test_a_key_goes_to_the_dialects_that_have_it() -> None:
    (rule,) = parse_rules("gopher-repetition(max_dup_5_gram=0.5,max_dup_7_gram=none)")
    assert isinstance(rule, Auto)
    by_dialect = {one.dialect: {t.reason: t.maximum for t in one.thresholds} for one in rule.rules}
    assert by_dialect["datatrove"]["dup_5_gram"] == 0.5
    assert "dup_5_gram" not in by_dialect["zh"]
    assert all("dup_7_gram" not in bounds for bounds in by_dialect.values())


def test_split_keeps_parentheses_whole() -> None:
    assert split_rules("a, b(c=1,d=2) ,,e@zh(x=2)") == ["a", "b(c=1,d=2)", "e@zh(x=2)"]
    assert split_rules("") == []
    assert split_rules("a(b=1") == ["a(b=1"]


NUMBERS = {"int | None": st.none() | st.integers(0, 10**9), "float | None": st.none() | st.floats(0, 1e6)}


@given(st.data())
def test_every_setting_prints_and_parses_back(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(set(RULES) - {"language", "length"})))
    cls = RULES[key]
    kinds = {item.name: str(item.type) for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    numbers = sorted(name for name, kind in kinds.items() if kind in NUMBERS)
    names = data.draw(st.sets(st.sampled_from(numbers), max_size=4))
    rule = cls(**{name: data.draw(NUMBERS[kinds[name]]) for name in sorted(names)})
    for name in names:
        least, most = (getattr(rule, side + name[4:], None) for side in ("min_", "max_"))
        assume(least is None or most is None or least <= most)
    assert parse_rules([spec_of(rule)]) == (rule,)
