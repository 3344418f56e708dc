from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.curate.dedup import ExactDedup, MinhashDedup
from tamis.curate.dedup.keeper import WORST, Keeper, instant
from tamis.errors import InputError, UsageError

from .conftest import MemoryShard, Outcome

Dedup = Callable[..., Outcome]
TEXT = "one two three four five six seven eight nine ten"


def shard(**columns: list[Any]) -> list[MemoryShard]:
    n = len(columns["text"])
    table = {
        "id": [f"id{i}" for i in range(n)],
        "source": ["a#0"] * n,
        "url": [None] * n,
        "date": [None] * n,
        **columns,
    }
    return [MemoryShard(pa.table({name: pa.array(values) for name, values in table.items()}), 0)]


@pytest.mark.parametrize("stage", [ExactDedup, MinhashDedup])
def test_earliest(dedup: Dedup, stage: Any) -> None:
    dates = [None, "2024-03-01T00:00:00Z", "2024-02-29", "2024-02-29T01:00:00+02:00", "soon"]
    found = dedup(stage(keeper="earliest"), shard(text=[TEXT + " " * i for i in range(5)], date=dates))
    assert {keeper for keeper, _ in found.removed.values()} == {"id3"}  # 23:00 UTC on the 28th
    assert len(found.removed) == 4


@pytest.mark.parametrize("stage", [ExactDedup, MinhashDedup])
@pytest.mark.parametrize(("name", "best"), [("quality", "id1"), ("-quality", "id2")])
def test_a_signal(dedup: Dedup, stage: Any, name: str, best: str) -> None:
    signal = pa.array([0.5, 2.0, -1.0, None, float("nan")])
    data = shard(text=[TEXT + " " * i for i in range(5)])[0].table.append_column("signal.quality", signal)
    found = dedup(stage(keeper=f"signal:{name}"), [MemoryShard(data, 0)])
    assert {keeper for keeper, _ in found.removed.values()} == {best}
    assert len(found.removed) == 4


def test_a_signal_that_is_not_there(dedup: Dedup) -> None:
    with pytest.raises(InputError, match=r"no column signal\.quality"):
        dedup(ExactDedup(keeper="signal:quality"), shard(text=[TEXT]))


@pytest.mark.parametrize("stage", [ExactDedup, MinhashDedup])
def test_source_priority(dedup: Dedup, stage: Any) -> None:
    sources = ["web/x#1", "books/b#7", "wiki/z#0", "web/y#4"]
    data = shard(text=[TEXT + " " * (9 - i) for i in range(4)], source=sources)
    found = dedup(stage(keeper="source:wiki/,books/"), data)
    assert {keeper for keeper, _ in found.removed.values()} == {"id2"}
    assert {keeper for keeper, _ in dedup(stage(keeper="source:news/"), data).removed.values()} == {"id0"}  # longest


@pytest.mark.parametrize("spec", ["best", "longest:", "earliest:x", "signal", "signal:", "signal:-", "source: ,", ""])
def test_an_unknown_policy_is_refused(spec: str) -> None:
    with pytest.raises(UsageError, match="is not known; use longest, earliest, signal:NAME"):
        Keeper.parse(spec)


@given(st.lists(st.floats(allow_nan=True), min_size=2))
def test_a_signal_in_numbers_orders_as_it_does(values: list[float]) -> None:
    table = pa.table({"signal.x": pa.array(values, pa.float64())})
    down, up = Keeper.parse("signal:x").values(table), Keeper.parse("signal:-x").values(table)
    for i, one in enumerate(values):
        for j, other in enumerate(values):
            if np.isnan(one):
                assert down[i] == up[i] == WORST
            elif not np.isnan(other):
                assert (one > other) == (down[i] < down[j])
                assert (one < other) == (up[i] < up[j])
                assert (one == other) == (down[i] == down[j])


def test_dates_in_many_forms() -> None:
    order = ["0001-01-01", "1999", "2024-01", "2024-01-02", "20240102T030405", "2024-01-02 03:04:06", "2024-01-03Z"]
    order[-1] = "2024-01-03T00:00:00+00:00"
    values = [instant(date) for date in order]
    assert values == sorted(values)
    assert len(set(values)) == len(values)
    assert {instant(date) for date in (None, "", "yesterday", "2024-13-01", "99999")} == {int(WORST)}
