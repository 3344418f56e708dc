"""The sizes every report sums: bytes, characters and word tokens of each text."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

MEASURES: Final = ("size.bytes", "size.characters", "size.tokens")
"""Working columns (int64) that travel with the rows and are never published."""

MEASURE_FIELDS: Final = tuple(pa.field(name, pa.int64(), nullable=False) for name in MEASURES)


def measure(texts: pa.Array | pa.ChunkedArray) -> dict[str, pa.Array]:
    """Return bytes, code points and word tokens of each text as the measured columns."""
    from tamis.text import TextBatch
    from tamis.text.words import count_chars, count_words

    batch = TextBatch(texts)
    values = (batch.n_bytes, count_chars(batch), count_words(batch))
    return {name: pa.array(value, pa.int64()) for name, value in zip(MEASURES, values, strict=True)}
