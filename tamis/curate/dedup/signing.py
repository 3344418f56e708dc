"""The first pass over a shard: the record and the band keys of every document."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.minhash import MinhashDedup
from tamis.curate.dedup.records import Facts, RecordWriter
from tamis.stage import ShardView
from tamis.text import TextBatch

CHARACTERS: Final = "size.characters"
"""Column that rows have which were measured for the report."""


def measured(view: ShardView) -> list[str]:
    """Return the column with the length of texts, where there is one."""
    return [CHARACTERS] if view.has(CHARACTERS) else []


def code_points(table: pa.Table, batch: TextBatch) -> NDArray[np.int64]:
    """Return the length of each text: what was measured before, or measured now."""
    if CHARACTERS in table.schema.names:
        known: NDArray[np.int64] = table.column(CHARACTERS).to_numpy()
        return known
    from tamis.text.words import count_chars  # compiled kernels: only workers load them

    counted: NDArray[np.int64] = count_chars(batch)
    return counted


def signature_records(view: ShardView, stage: MinhashDedup, width: int, out: Path) -> dict[str, Any]:
    """Write the record files of one shard: the hash of the token stream as key, and the keys of all bands."""
    hasher = stage.hasher()
    bands, rows = stage.banding
    with RecordWriter(out, view.rows, width, Keeper.parse(stage.keeper), bands) as writer:
        for table in view.batches([*writer.columns, "text", *measured(view)]):
            batch = TextBatch(table["text"])
            found = hasher.band_keys(batch, bands, rows)
            writer.add(table, found.streams, Facts(code_points(table, batch), found.tokens, bands=found.keys))
        writer.finish()
    return {"rows": view.rows}
