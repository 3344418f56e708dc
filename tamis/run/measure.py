"""The sizes every report sums: bytes, characters and word tokens of each text; and the file that keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.errors import InputError
from tamis.run.rows import ROW
from tamis.storage import TableWriter, content_hash

MEASURES: Final = ("size.bytes", "size.characters", "size.tokens")
"""Working columns (int64) that travel with the rows and are no columns of a part."""

MEASURE_FIELDS: Final = tuple(pa.field(name, pa.int64(), nullable=False) for name in MEASURES)

TOKENS: Final = b"tamis.tokens"
"""Key of the file metadata of sizes: which word tokens were counted."""


def measure(texts: pa.Array | pa.ChunkedArray) -> dict[str, pa.Array]:
    """Return bytes, code points and word tokens of each text as the measured columns."""
    from tamis.text import TextBatch
    from tamis.text.words import count_both

    batch = TextBatch(texts)
    values = (batch.n_bytes, *count_both(batch))
    return {name: pa.array(value, pa.int64()) for name, value in zip(MEASURES, values, strict=True)}


def write_sizes(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write the measured columns of a part's rows, with the row's number in the part; return how many rows."""
    schema = pa.schema([pa.field(ROW, pa.uint32(), nullable=False), *MEASURE_FIELDS], {TOKENS: _tokens()})
    with TableWriter(path, schema) as out:
        for table in tables:
            rows = pa.array(np.arange(out.rows, out.rows + table.num_rows, dtype=np.uint32))
            out.write(table.select(MEASURES).add_column(0, ROW, rows))
    return out.rows


def sizes_hold(path: Path, content: str, part: Path) -> bool:
    """Tell whether ``path`` is a file of sizes with these bytes, of as many rows as ``part`` has, in today's tokens."""
    try:
        if content_hash(str(path)) != content:
            return False
        metadata, rows = pq.read_metadata(path), pq.read_metadata(part).num_rows
    except (InputError, OSError, pa.ArrowException):
        return False
    return metadata.num_rows == rows and (metadata.metadata or {}).get(TOKENS) == _tokens()


def _tokens() -> bytes:
    """Return the identity of the word tokens that ``measure`` counts."""
    from tamis.text.codepoints import load

    return load("word").identity.encode()
