"""The first pass over a shard: the record and the band keys of every document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.minhash import MinhashDedup
from tamis.curate.dedup.records import Facts, RecordWriter
from tamis.stage import ShardView
from tamis.text import TextBatch


def signature_records(view: ShardView, stage: MinhashDedup, width: int, out: Path) -> dict[str, Any]:
    """Write the record files of one shard: the hash of the token stream as key, and the keys of all bands."""
    from tamis.text.words import count_chars  # compiled kernels: only workers load them

    hasher = stage.hasher()
    bands, rows = stage.banding
    with RecordWriter(out, view.rows, width, Keeper.parse(stage.keeper), bands) as writer:
        for table in view.batches([*writer.columns, "text"]):
            batch = TextBatch(table["text"])
            found = hasher.band_keys(batch, bands, rows)
            writer.add(table, found.streams, Facts(count_chars(batch), found.tokens, bands=found.keys))
        writer.finish()
    return {"rows": view.rows}
