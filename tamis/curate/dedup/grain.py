"""What a unit of deduplication is below the document, and the runs of such units of one shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.curate.dedup.keeper import Keeper
from tamis.curate.dedup.records import Facts, RecordWriter, hashes128
from tamis.curate.dedup.repeats import Linked
from tamis.curate.dedup.runs import LOWER, UPPER, RunWriter
from tamis.stage import ShardView
from tamis.text import TextBatch

GATHERED: Final = 4 << 20
"""Bytes of text taken together: batches of small documents cost more to hand over than to walk."""

GATHERED_ROWS: Final = 8192


@dataclass(frozen=True, slots=True)
class Grain:
    """One way to look for repeats below the document."""

    unit: int
    """Kind of unit, of ``tamis.text.units``."""
    width: int = 1
    """Units of a run that is compared."""
    gram: int = 0
    """Where not 0: only runs that select a gram of so many units that occurs twice can repeat."""
    form: str = "ccnet"
    min_chars: int = 0
    min_tokens: int = 0
    by_site: bool = False
    keeper: str = "longest"

    @property
    def columns(self) -> list[str]:
        """Columns needed beside those of the records."""
        return ["text", "url", "source"] if self.by_site else ["text"]


def gathered(view: ShardView, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of a shard as tables of about ``GATHERED`` bytes of text."""
    held: list[pa.Table] = []
    size = rows = 0
    for table in view.batches([*dict.fromkeys(columns)]):
        held.append(table)
        size += table.column("text").nbytes
        rows += table.num_rows
        if size >= GATHERED or rows >= GATHERED_ROWS:
            yield pa.concat_tables(held)
            held, size, rows = [], 0, 0
    if held:
        yield pa.concat_tables(held)


def grain_runs(view: ShardView, grain: Grain, room: int, out: Path) -> dict[str, Any]:
    """Write the record files of a shard, and its runs of units (``gram``: its selected grams), ``room`` at a time."""
    from tamis.text.windows import Walk, token_runs, unit_runs

    _write_records(view, grain, out)
    tables = _tables(grain)
    first = 0
    with RunWriter(out, out, every=grain.gram > 0, room=room) as writer:
        for table in gathered(view, grain.columns):
            batch = TextBatch(table.column("text"))
            salts = _salts(table, grain.by_site)
            walk = Walk.start(grain.width)
            while not walk.ended(batch):
                into = (tables, walk, writer.found, writer.held)
                if grain.gram:
                    held = token_runs(batch, (grain.width, grain.gram, first), None, into)
                else:
                    settings = (grain.width, grain.min_chars, grain.min_tokens, first)
                    held = unit_runs(batch, grain.unit, settings, salts, into)
                writer.filled(held)
            first += len(batch)
        writer.finish()
    return {"items": writer.total}


def marked_runs(
    view: ShardView, grain: Grain, records: Path, where: tuple[Sequence[Path], int, int], room: int, out: Path
) -> dict[str, Any]:
    """Write the runs of a shard that select a gram which occurs twice.

    Args:
        view: The shard.
        grain: With ``gram``.
        records: Folder of ``grain_runs``.
        where: Folders of ``link_range`` for the grams, position of the shard, number of its first document.
        room: Runs held at a time.
        out: Where to write.
    """
    from tamis.text.windows import Marks, Walk, token_runs

    tables = _tables(grain)
    linked = Linked(records, *where)
    first = 0
    with RunWriter(out, records, room=room) as writer:
        for table in gathered(view, ["text"]):
            links = [np.empty(0, np.uint64), *(part["key"] for part in linked.before(first + table.num_rows))]
            keys = np.concatenate(links)
            rows = (keys >> UPPER).astype(np.int64) - first
            chosen = np.unique(rows)
            batch = TextBatch(table.column("text").take(pa.array(chosen)))
            marks = Marks(np.searchsorted(rows, [*chosen, table.num_rows]), (keys & LOWER).astype(np.int64))
            walk = Walk.start(grain.width)
            while not walk.ended(batch):
                start = writer.held
                into = (tables, walk, writer.found, start)
                held = token_runs(batch, (grain.width, grain.gram, 0), marks, into)
                places = writer.found.places[start:held, 0]
                places[:] = chosen[places] + first
                writer.filled(held)
            first += table.num_rows
        writer.finish()
    return {"items": writer.total}


def _tables(grain: Grain) -> Any:
    from tamis.text.units import unit_tables

    return unit_tables(grain.form)


def _write_records(view: ShardView, grain: Grain, out: Path) -> None:
    """Write the record files; first of all, since which row keeps its copy decides what is written of runs."""
    from tamis.text.words import count_chars  # compiled kernels: only workers load them

    with RecordWriter(out, view.rows, 32, Keeper.parse(grain.keeper)) as writer:
        for table in gathered(view, [*writer.columns, "text"]):
            batch = TextBatch(table.column("text"))
            batch.check()
            bounds = zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)
            keys = hashes128([batch.data[start:end].tobytes() for start, end in bounds])
            writer.add(table, keys, Facts(count_chars(batch), keyed=np.zeros(len(batch), np.bool_)))
        writer.finish()


def _salts(table: pa.Table, by_site: bool) -> NDArray[np.uint64]:
    """Return what keeps the runs of unlike sites apart, shape (n, 2)."""
    if not by_site:
        return np.zeros((table.num_rows, 2), np.uint64)
    pairs = zip(table.column("url").to_pylist(), table.column("source").to_pylist(), strict=True)
    return hashes128([site_of(url, source).encode() for url, source in pairs])


def site_of(url: str | None, source: str | None) -> str:
    """Return the site of a document: the host of its URL in lower case; without one, the file it came from."""
    try:
        host = urlsplit((url or "").strip()).hostname
    except ValueError:
        host = None
    return host or "file " + (source or "").rsplit("#", 1)[0]
