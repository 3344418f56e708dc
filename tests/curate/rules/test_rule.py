"""Bounds, the order in which they speak, and what counts as blank."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.curate.rules.rule import KEPT, NOT_MEASURED, Threshold, blank, first_broken, limit, take, without_blank
from tamis.text import TextBatch

SPACES = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())


@pytest.mark.parametrize(("value", "bound"), [(0.99, 1), (1, None), (1.5, None), (2, None), (2.01, 2), (np.nan, None)])
def test_bounds_are_inclusive(value: float, bound: float | None) -> None:
    threshold = Threshold("x", "bad", minimum=1, maximum=2)
    assert threshold.bound(value) == bound
    assert threshold.broken(np.array([value])).tolist() == [bound is not None]


def test_the_first_broken_bound_counts_and_nan_only_when_reached() -> None:
    bounds = (Threshold("a", "low_a", minimum=1), Threshold("b", "high_b", maximum=1))
    signals = {"a": np.array([0, 1, 1, np.nan, 0, 1.0]), "b": np.array([5, 5, 0, 5, np.nan, np.nan])}
    assert first_broken(bounds, signals, 6).tolist() == [0, 1, KEPT, NOT_MEASURED, 0, NOT_MEASURED]
    assert first_broken((), signals, 6).tolist() == [KEPT] * 6


def test_a_bound_switched_off_is_no_bound() -> None:
    assert limit("x", "bad") == ()
    assert limit("x", "bad", least=0) == (Threshold("x", "bad", minimum=0),)


@given(st.lists(st.none() | st.text(st.sampled_from(SPACES + "a\u200b中\ufeff"), max_size=4)))
def test_blank_is_what_strips_to_nothing(texts: list[str | None]) -> None:
    batch = TextBatch(pa.array(texts, pa.string()))
    expected = [not (text or "").strip() for text in texts]
    assert blank(batch).tolist() == expected
    values = without_blank({"x": np.arange(len(texts))}, batch)["x"]
    assert np.isnan(values).tolist() == expected


def test_take_keeps_the_other_columns_in_step() -> None:
    batch = TextBatch(pa.array(["a", None, "c"]), {"language": pa.array(["x", "y", "z"])})
    part = take(batch, np.array([0, 2]))
    assert (part.texts.to_pylist(), part.columns["language"].to_pylist()) == (["a", "c"], ["x", "z"])
    fresh = take(batch, np.array([2]), ["new"])
    assert (fresh.texts.to_pylist(), fresh.columns["language"].to_pylist()) == (["new"], ["z"])
    assert take(batch, np.arange(3)) is batch
