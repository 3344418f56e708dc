import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.curate.dedup.repeats import ITEM_BYTES, range_bits
from tamis.curate.dedup.runs import best_first, not_alone

SMALL = st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3), st.integers(0, 3))


@given(st.lists(SMALL, max_size=30))
def test_order_within_a_hash_whichever_half_tells_it_apart(items: list[tuple[int, int, int, int]]) -> None:
    table = np.array(items, np.int64).reshape(-1, 4)
    order, first = best_first(table[:, :2].astype(np.uint64), table[:, 2], table[:, 3].astype(np.uint32))
    assert [items[i] for i in order] == sorted(items)
    heads = [items[i][:2] for i in order[first]]
    assert heads == sorted({one[:2] for one in items})


def test_values_that_are_not_alone() -> None:
    assert not_alone(np.array([1, 1, 2, 3, 3, 3, 4], np.uint64)).tolist() == [
        True,
        True,
        False,
        True,
        True,
        True,
        False,
    ]
    assert not_alone(np.empty(0, np.uint64)).tolist() == []


@pytest.mark.parametrize(
    ("total", "share", "bits"), [(0, 1 << 30, 0), (1, 1, 0), (4 << 20, 1 << 40, 0), (1 << 23, 1 << 40, 1)]
)
def test_ranges_by_size(total: int, share: int, bits: int) -> None:
    assert range_bits(total, share) == bits


@given(st.integers(1, 10**9), st.integers(1 << 24, 1 << 33))
def test_a_range_fits_its_share(total: int, share: int) -> None:
    bits = range_bits(total, share)
    assert bits == 12 or (total >> bits) * ITEM_BYTES <= share + ITEM_BYTES
