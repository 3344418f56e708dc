"""The default shingles of tamis in plain Python, for the peers that need them made: word 5-grams, Han by character."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

_ALONE: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_TOKEN: Final = re.compile(f"[{_ALONE}]|[^\\W_{_ALONE}]+")


def shingles(text: str, n: int = 5) -> set[str]:
    """Return the distinct runs of ``n`` tokens; a shorter text is one run."""
    tokens = _TOKEN.findall(text.lower())
    if len(tokens) <= n:
        return {" ".join(tokens)}
    return {" ".join(run) for run in zip(*(tokens[i:] for i in range(n)), strict=False)}


def batches(path: str, rows: int = 1000) -> Iterator[dict[str, Any]]:
    """Yield id and text as Python lists."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(rows, columns=["id", "text"]):
            yield batch.to_pydict()


def write_kept(path: str, keep: list[bool], out: str) -> None:
    """Write the rows that stay, batch by batch, as Parquet."""
    import numpy as np

    flags = np.array(keep, bool)
    start = 0
    with pq.ParquetFile(path) as file, pq.ParquetWriter(out, file.schema_arrow, compression="zstd") as writer:
        for batch in file.iter_batches(1000):
            writer.write_batch(batch.filter(pa.array(flags[start : start + batch.num_rows])))
            start += batch.num_rows
