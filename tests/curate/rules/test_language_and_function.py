"""Rules on columns, and rules that are a plain function of the text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.curate.filter import FilterStage
from tamis.errors import RecipeError

MODULE = """
import math
def says(text):
    return {
        "yes": True, "no": False, "why": (False, "too_silly"), "fine": (True, None), "high": 7.5, "low": 0.25,
        "nan": math.nan, "bad": "text", "shout": (False, "Not Snake"), "int": 1,
    }.get(text, None) if text != "boom" else 1 / 0
not_callable = 3
"""


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"own_rules_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield f"{name}:says"
    sys.modules.pop(name, None)


def reasons(rule: str, table: pa.Table) -> dict[int, tuple[str, str, str | None]]:
    rows = FilterStage((rule,)).open().judge(table).removed.to_pylist()
    return {row["row"]: (row["outcome"], row["reason"], row["detail"]) for row in rows}


def test_a_function_keeps_drops_and_fails(says: str) -> None:
    texts = ["yes", "no", "why", "fine", "int", "boom", "bad", "nan", "shout", "other", "", None]
    assert reasons(says, pa.table({"text": texts})) == {
        1: ("dropped", "rejected", None),
        2: ("dropped", "too_silly", None),
        5: ("failed", "rule_error", "ZeroDivisionError: division by zero"),
        6: ("failed", "rule_error", "expected True, False, a number or (bool, reason), got 'text'"),
        7: ("failed", "rule_error", "expected True, False, a number or (bool, reason), got nan"),
        8: ("failed", "rule_error", "expected a snake_case reason, got 'Not Snake'"),
        9: ("failed", "rule_error", "expected True, False, a number or (bool, reason), got None"),
        10: ("dropped", "empty", None),
        11: ("dropped", "empty", None),
    }


def test_a_number_is_held_against_bounds(says: str) -> None:
    table = pa.table({"text": ["high", "low", "yes"]})
    rows = FilterStage((f"{says}(minimum=0.5,maximum=5)",)).open().judge(table).removed.to_pylist()
    assert [(row["row"], row["reason"], row["rule"], row["value"], row["threshold"]) for row in rows] == [
        (0, "rejected", says, 7.5, 5.0),
        (1, "rejected", says, 0.25, 0.5),
    ]


def test_a_module_that_cannot_be_used_is_one_clear_line(says: str, tmp_path: Path) -> None:
    (tmp_path / "broken_rules.py").write_text("1/0")
    with pytest.raises(RecipeError, match="importing broken_rules failed: ZeroDivisionError"):
        FilterStage(("broken_rules:x",))
    with pytest.raises(RecipeError, match="has no function 'not_callable'"):
        FilterStage((says.replace("says", "not_callable"),))


def test_a_changed_function_is_another_rule(says: str) -> None:
    first = FilterStage((says,)).signature()["rules"][0]["variants"][0]["versions"]
    other = FilterStage(("textwrap:dedent",)).signature()["rules"][0]["variants"][0]["versions"]
    assert first["source"] != other["source"]


LANGUAGES = pa.table(
    {
        "text": ["a"] * 8,
        "language": ["en", "zh-Hans", "de", None, "und", "EN_us", "en", "enm"],
        "language_score": pa.array([0.9, 0.9, 0.9, 0.9, 0.9, 0.5, None, 0.9], pa.float32()),
    }
)


def test_language_reasons() -> None:
    assert {row: found[1] for row, found in reasons("language(languages=en+zh,min_score=0.65)", LANGUAGES).items()} == {
        2: "wrong_language",
        3: "no_language",
        4: "no_language",
        5: "low_score",
        6: "low_score",
        7: "wrong_language",
    }
    assert set(reasons("language(languages=zh-hans)", LANGUAGES)) == {0, 2, 3, 4, 5, 6, 7}
    assert set(reasons("language(min_score=0.65)", LANGUAGES)) == {3, 4, 5, 6}


def test_without_columns_no_document_has_a_language() -> None:
    assert reasons("language(languages=en)", pa.table({"text": ["a", "b"]})) == dict.fromkeys(
        (0, 1), ("dropped", "no_language", None)
    )
