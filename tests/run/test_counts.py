"""The data bill against counting row by row."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tamis.run.counts import Counts
from tamis.stage import REMOVAL_SCHEMA

FATES = [None, ("dropped", "a"), ("dropped", "b"), ("failed", "a")]
rows = st.lists(
    st.tuples(
        st.sampled_from(["a.parquet#1", "a.parquet#23", "b#c#4", "#5", "no position", "中文/ü.jsonl#0"]),
        st.sampled_from(FATES),
        st.integers(0, 9),
    ),
    max_size=30,
)


def batch_of(found: list[tuple[str, tuple[str, str] | None, int]]) -> tuple[pa.Table, pa.Table]:
    """The rows in two chunks, and what is removed from them."""
    sizes = {f"size.{unit}": [size * k for *_, size in found] for k, unit in enumerate(["bytes", "characters"], 1)}
    columns = {"source": [source for source, *_ in found], **sizes, "size.tokens": [size for *_, size in found]}
    schema = pa.schema([("source", pa.string()), *((name, pa.int64()) for name in [*sizes, "size.tokens"])])
    table = pa.table(columns, schema=schema)
    gone = [(row, *fate) for row, (_, fate, _) in enumerate(found) if fate]
    removed = [dict(zip(("row", "outcome", "reason"), one, strict=True)) for one in gone]
    half = len(found) // 2
    return pa.concat_tables([table[:half], table[half:]]), pa.Table.from_pylist(removed, schema=REMOVAL_SCHEMA)


@given(st.lists(rows, max_size=3))
def test_counts_are_those_of_row_by_row(batches: list[list[tuple[str, tuple[str, str] | None, int]]]) -> None:
    counts = Counts()
    came, kept = np.zeros(4, int), np.zeros(4, int)
    gone: dict[str, dict[str, np.ndarray]] = {"dropped": {}, "failed": {}}
    sources: dict[str, list[int]] = {}
    for found in batches:
        counts.add(*batch_of(found))
        for source, fate, size in found:
            bill = np.array([1, size, 2 * size, size])
            came += bill
            pair = sources.setdefault(source.rsplit("#", 1)[0], [0, 0])
            pair[0] += 1
            if fate is None:
                kept += bill
                pair[1] += 1
            else:
                gone[fate[0]][fate[1]] = gone[fate[0]].get(fate[1], np.zeros(4, int)) + bill
    assert counts.plain() == {
        "in": came.tolist(),
        "kept": kept.tolist(),
        **{outcome: {reason: bill.tolist() for reason, bill in by.items()} for outcome, by in gone.items()},
        "sources": sources,
        "notes": {},
    }
