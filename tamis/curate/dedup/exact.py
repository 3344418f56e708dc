"""One document per text: equal but for white space and the way accents are encoded."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from tamis.curate.dedup.equal import reduce_equal
from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.records import Facts, RecordWriter, hashes128
from tamis.stage import Done, Engine, ShardView
from tamis.text import TextBatch


@dataclass(frozen=True, slots=True)
class ExactDedup:
    """Keeps one document per normalised text.

    Two texts are equal when they are so after Unicode NFC, with every run of white space (``str.split``) made one
    space and none at the ends; letter case and punctuation count. Compared by xxh3-128.
    """

    kind: ClassVar[str] = "exact"

    keeper: str = "longest"
    """Which document stays; see ``tamis.curate.dedup.keeper``. Between equals the hash of the id decides."""

    def __post_init__(self) -> None:
        Keeper.parse(self.keeper)

    def signature(self) -> dict[str, Any]:
        """Return what the result depends on besides the rows."""
        return {"stage": self.kind, **asdict(self)}

    def evidence(self) -> dict[str, Any]:
        """Return how a keeper was found; see ``ReduceStage.evidence``."""
        return {"method": "exact text", "parameters": {"form": "NFC, white space collapsed", "hash": "xxh3-128"}}

    def reduce(self, shards: Sequence[ShardView], engine: Engine) -> list[Done]:
        """Run the stage as tasks; see ``ReduceStage.reduce``."""
        Keeper.parse(self.keeper).check(shards)
        return reduce_equal(self, text_records, "duplicate_text", shards, engine)


def normalise(text: str) -> str:
    """Return the form in which texts are compared; see ``ExactDedup``."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def text_records(view: ShardView, stage: ExactDedup, width: int, out: Path) -> dict[str, Any]:
    """Write the record files of one shard, the normalised text as key."""
    from tamis.text.words import count_chars  # compiled kernels: only workers load them

    with RecordWriter(out, view.rows, width, Keeper.parse(stage.keeper)) as writer:
        for table in view.batches([*writer.columns, "text"]):
            batch = TextBatch(table["text"])
            batch.check()
            keys = hashes128([normalise(text or "").encode() for text in batch.texts.to_pylist()])
            writer.add(table, keys, Facts(count_chars(batch)))
        writer.finish()
    return {"rows": view.rows}
