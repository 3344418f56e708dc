"""Reading base rows and layers: every row once, whatever the batches and the row groups are."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.run import rows as rows_module
from tamis.run.rows import BATCH_BYTES, BATCH_ROWS, ROW, Cursor, base_batches, row_numbers
from tamis.run.shard import Layer, Shard

ROWS = 60


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "base.parquet"
    texts = ["x" * (number % 7) for number in range(ROWS)]
    pq.write_table(pa.table({"id": [str(n) for n in range(ROWS)], "text": texts}), path, row_group_size=17)
    return path


subsets = st.lists(st.integers(0, ROWS - 1), unique=True).map(sorted)


@settings(deadline=None)
@given(wanted=st.none() | subsets, most=st.integers(1, 30), size=st.integers(1, 20), text=st.booleans())
def test_batches_are_the_wanted_rows_in_order(
    base: Path, wanted: list[int] | None, most: int, size: int, text: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "BATCH_BYTES", size)
        chosen = None if wanted is None else np.array(wanted, np.uint32)
        found = list(base_batches(base, ["id", "text"] if text else ["id"], chosen, most))
    numbers = [number for rows, _ in found for number in rows.tolist()]
    assert numbers == (list(range(ROWS)) if wanted is None else wanted)
    assert [name for _, table in found for name in table.column("id").to_pylist()] == [str(n) for n in numbers]
    assert all(0 < table.num_rows <= most for _, table in found)


def test_a_batch_holds_few_long_texts_or_many_short_ones(tmp_path: Path) -> None:
    texts = ["x" * (BATCH_BYTES // 2)] * 5 + [""] * (BATCH_ROWS + 1)
    with pq.ParquetWriter(
        tmp_path / "base.parquet", pa.schema([("text", pa.string())]), use_dictionary=False
    ) as writer:
        for group in (texts[:5], texts[5:], ["x" * (BATCH_BYTES * 3)]):
            writer.write_table(pa.table({"text": group}))
    sizes = [table.num_rows for _, table in base_batches(tmp_path / "base.parquet", ["text"], None)]
    assert max(sizes[:-3]) <= 2
    assert sizes[-3:] == [BATCH_ROWS, 1, 1]


@settings(deadline=None)
@given(held=subsets.filter(bool), data=st.data(), group=st.integers(1, 20))
def test_a_cursor_gives_the_rows_asked_for(
    held: list[int], data: st.DataObject, group: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("layer") / "layer.parquet"
    layer = pa.table({ROW: pa.array(held, pa.uint32()), "v": [n * n for n in held]})
    pq.write_table(layer, path, row_group_size=group)
    assert row_numbers(path).tolist() == held
    asked = data.draw(st.lists(st.sampled_from(held), unique=True).map(sorted))
    step = data.draw(st.integers(1, 10))
    cursor = Cursor(path, ["v"])
    for start in range(0, len(asked), step):
        rows = asked[start : start + step]
        found = cursor.take(np.array(rows, np.uint32))
        assert found.column(ROW).to_pylist() == rows
        assert found.column("v").to_pylist() == [n * n for n in rows]


def test_an_empty_base_has_no_batches(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.string()), (ROW, pa.uint32())])
    with pq.ParquetWriter(tmp_path / "empty.parquet", schema):
        pass
    assert list(base_batches(tmp_path / "empty.parquet", ["id"], None)) == []
    assert row_numbers(tmp_path / "empty.parquet").tolist() == []


def test_texts_of_a_layer_come_in_small_batches(tmp_path: Path) -> None:
    """The base does not say how long the texts of a layer are, so their number is bounded instead."""
    rows = rows_module.BLIND_ROWS * 3
    pq.write_table(pa.table({"id": [str(n) for n in range(rows)], "text": [""] * rows}), tmp_path / "base.parquet")
    changed = {ROW: pa.array(range(rows), pa.uint32()), "text": [f"new {n}" for n in range(rows)]}
    pq.write_table(pa.table(changed), tmp_path / "layer.parquet")
    shard = Shard(0, "k", str(tmp_path / "base.parquet"), rows, (Layer(str(tmp_path), "1-x", ("text",), rows),))
    found = list(shard.batches(["id", "text"]))
    assert max(table.num_rows for table in found) == rows_module.BLIND_ROWS
    assert pa.concat_tables(found).column("text").to_pylist() == changed["text"]
