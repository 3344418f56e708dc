"""The row every command reads and writes: column names, Arrow schemas, ids."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import xxhash

FORMAT_VERSION: Final = 1
"""Version of the corpus folder; a folder of another version is refused by name."""

SIGNAL_PREFIX: Final = "signal."

SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("date", pa.string()),
        pa.field("language", pa.string()),
        pa.field("language_score", pa.float32()),
        pa.field("meta", pa.string()),
    ]
)
"""Columns of a corpus; ``signal.*`` columns (float64) may follow. ``meta`` is a JSON object as a string."""

REMOVED_FIELDS: Final = (
    pa.field("stage", pa.string(), nullable=False),
    pa.field("outcome", pa.string(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("rule", pa.string()),
    pa.field("value", pa.float64()),
    pa.field("threshold", pa.float64()),
    pa.field("detail", pa.string()),
)
"""What ``dropped/`` adds to a row: where it left, whether dropped or failed, and the evidence."""

REMOVED_SCHEMA: Final = pa.schema([*SCHEMA, *REMOVED_FIELDS])

EVIDENCE_SCHEMA: Final = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("stage", "id", "source", "keeper")),
        pa.field("similarity", pa.float64()),
        *(pa.field(name, pa.string(), nullable=False) for name in ("method", "parameters")),
    ]
)
"""Rows of ``evidence/``: the removed document, the one kept for it, how alike they are (null where that was not
measured), and by which method with which parameters (a JSON object) that was found."""


def document_id(content: str, copy: int, position: int) -> str:
    """Return the 128-bit hex id of the record at ``position`` of a file with this content hash.

    ``copy`` numbers input files whose bytes are equal (0 for the first), so that ids are unique even then. The path
    is no part of it: the same bytes give the same ids wherever they lie and whatever was read beside them.
    """
    return xxhash.xxh3_128_hexdigest(f"{content}:{copy}:{position}".encode())
