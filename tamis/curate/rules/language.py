"""Keep documents in the languages that were asked for, by the columns that language identification wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tamis.curate.rules.rule import Signals, Threshold, limit, without_blank
from tamis.text import TextBatch


def primary(tag: str) -> str:
    """Return the language of a tag: ``zh`` for ``zh-Hans``, ``zho_Hans`` stays ``zho``; "" for none or undetermined."""
    head = tag.strip().lower().replace("_", "-").split("-")[0]
    return "" if head in ("und", "unknown", "mul", "zxx") else head


@dataclass(frozen=True)
class Language:
    """Bounds on the columns ``language`` and ``language_score``; fits no text, measures nothing.

    A document without language goes as ``no_language``, one in another language as ``wrong_language``, one below
    ``min_score`` (or without score) as ``low_score``. FineWeb and RefinedWeb ask for English with at least .65.
    """

    name: ClassVar[str] = "language"
    dialect: ClassVar[str] = ""

    languages: tuple[str, ...] = ()
    """Tags; without a region or script they match all of them. None given: any language."""
    min_score: float | None = None

    def __post_init__(self) -> None:
        if not self.languages and self.min_score is None:
            raise ValueError("rule language needs languages or min_score, for example language(languages=en+zh)")
        if not all(primary(tag) for tag in self.languages):
            raise ValueError(f"languages: {', '.join(map(repr, self.languages))} holds no language tag")

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The bounds in order."""
        return (
            Threshold("known", "no_language", minimum=1),
            *((Threshold("wanted", "wrong_language", minimum=1),) if self.languages else ()),
            *limit("score", "low_score", least=self.min_score),
        )

    def signals(self, batch: TextBatch) -> Signals:
        """Return ``known`` and ``wanted`` as 0 or 1, and ``score`` (-1 where there is none)."""
        tags = _column(batch, "language", pa.string())
        languages = [primary(tag) if tag else "" for tag in tags.to_pylist()]
        wanted = [bool(tag) and self._wants(tag) for tag in tags.to_pylist()]
        scores = _column(batch, "language_score", pa.float64()).fill_null(-1.0).to_numpy(zero_copy_only=False)
        values = {
            "known": np.array([bool(language) for language in languages], np.float64),
            "wanted": np.array(wanted, np.float64),
            "score": np.nan_to_num(np.asarray(scores, np.float64), nan=-1.0),
        }
        return without_blank(values, batch)

    def signal_names(self) -> tuple[str, ...]:
        """Return the names that ``signals`` gives."""
        return ("known", "wanted", "score")

    def versions(self) -> dict[str, str]:
        """Return nothing: the values are columns."""
        return {}

    def _wants(self, tag: str) -> bool:
        """Tell whether a tag is one of ours, or of a language given without region and script."""
        whole = tag.strip().lower().replace("_", "-")
        return any(whole == want or whole.startswith(want + "-") for want in map(_plain, self.languages))


def _plain(tag: str) -> str:
    return tag.strip().lower().replace("_", "-")


def _column(batch: TextBatch, name: str, kind: pa.DataType) -> pa.Array:
    """Return a column of the batch; nulls where there is none."""
    column = batch.columns.get(name)
    if column is None:
        return pa.nulls(len(batch), kind)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(kind)
