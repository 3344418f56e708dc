"""From repeats to what goes: which spans are cut, which documents are dropped, and who holds the other copies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.curate.dedup.grain import Grain, gathered
from tamis.curate.dedup.layout import Layout
from tamis.curate.dedup.records import read_ids
from tamis.curate.dedup.repeats import Linked
from tamis.curate.dedup.runs import LOWER, UPPER
from tamis.run.edits import EDITS, EditWriter
from tamis.stage import REMOVAL_SCHEMA, ShardView
from tamis.storage import link_or_copy
from tamis.text import TextBatch

DROP: Final = np.dtype([("doc", "<u4"), ("keeper", "<u4"), ("why", "<u4"), ("share", "<f8"), ("value", "<f8")])
"""A document to drop, the one that holds most of its copies (itself: none does), which rule, share repeated, value."""

STRETCH: Final = np.dtype([("row", "<i8"), ("first", "<i8"), ("last", "<i8")])
"""Units of a row, first and last + 1, that are repeated."""

HOLDER: Final = np.dtype([("row", "<i8"), ("doc", "<i8"), ("runs", "<i8"), ("first", "<i8")])
"""A row, a document that holds the best place of runs of it, how many, and the first of them."""

DROPPED: Final = "dropped.npy"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """When a document goes as a whole."""

    reason: str
    """Where nothing is left, or (``drop_at``) too much is repeated."""
    drop_at: float | None = None
    """Share of the characters of all units that lie in repeats; from there a document is dropped, below it stays as it
    is. None: repeats are cut."""
    min_tokens: int = 0
    """A document that was cut and has fewer tokens left is dropped, with reason ``few_words_left``."""
    min_units: int = 0
    """The same for units, ``few_sentences_left``."""

    @property
    def rules(self) -> list[tuple[str, float]]:
        """Reason and threshold, by number of the rule."""
        share = (self.reason, 1.0 if self.drop_at is None else self.drop_at)
        return [share, ("few_words_left", float(self.min_tokens)), ("few_sentences_left", float(self.min_units))]


def decide(
    view: ShardView, grain: Grain, verdicts: Verdicts, where: tuple[Path, Sequence[Path], int, int], out: Path
) -> dict[str, Any]:
    """Write the edits of one shard, and ``dropped.npy``.

    Args:
        view: The shard.
        grain: What the units are.
        verdicts: When documents are dropped.
        where: Folder of ``RunWriter``, folders of ``link_range``, position of the shard, number of its first document.
        out: Where to write.
    """
    from tamis.text.spans import Cuts, unit_spans
    from tamis.text.units import unit_tables

    linked, base = Linked(*where), where[3]
    tables = unit_tables(grain.form)
    dropped = [np.empty(0, DROP)]
    notes = {"documents_cut": 0, "spans_cut": 0, "bytes_cut": 0}
    first = 0
    with EditWriter(out) as edits:
        for table in gathered(view, ["text"]):
            stop = first + table.num_rows
            found, holders = _read(linked.before(stop), grain.width, base)
            chosen = np.unique(found["row"])
            batch = TextBatch(table.column("text").take(pa.array(chosen - first)))
            cuts = Cuts(np.searchsorted(found["row"], [*chosen, stop]), found["first"].copy(), found["last"].copy())
            spans = unit_spans(batch, grain.unit, tables, cuts, verdicts.min_tokens > 0)
            gone = _judge(spans.counted, verdicts)
            gone["doc"] = chosen[gone["doc"]] + base
            _find_keepers(gone, holders, base)
            dropped.append(gone)
            stays = ~np.isin(chosen + base, gone["doc"])
            if verdicts.drop_at is None:
                cut = stays[spans.text]
                edits.write(chosen[spans.text[cut]], spans.start[cut], spans.end[cut])
                notes["documents_cut"] += int(stays.sum())
                notes["spans_cut"] += int(cut.sum())
                notes["bytes_cut"] += int(spans.counted("cut_bytes")[stays].sum())
            first = stop
    np.save(out / DROPPED, np.concatenate(dropped))
    return {"notes": notes}


def _read(parts: Iterable[NDArray[np.void]], width: int, base: int) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Return what links say: stretches of units that are repeated, by row and first unit, and who holds their best.

    A run that overlaps its own best place is repeated only from the end of that place on: one word a thousand times
    keeps its first run whole.
    """
    stretches, holders = [np.empty(0, STRETCH)], [np.empty(0, HOLDER)]
    for links in parts:
        rows, units = links["key"] >> UPPER, links["key"] & LOWER
        own = links["best"] >> UPPER == rows + np.uint64(base)
        begin = np.where(own, np.maximum(units, (links["best"] & LOWER) + np.uint64(width)), units)
        stretches.append(_joined((rows << UPPER) + begin, links["key"] + np.uint64(width)))
        holders.append(_counted(links[~own]))
    joined = np.concatenate(stretches)
    return joined[np.lexsort((joined["first"], joined["row"]))], np.concatenate(holders)


def _joined(begin: NDArray[np.uint64], end: NDArray[np.uint64]) -> NDArray[np.void]:
    """Return stretches given by packed row and unit, those that touch made one."""
    order = np.argsort(begin, kind="stable")
    begin, reach = begin[order], np.maximum.accumulate(end[order])  # a later row reaches further than any before
    heads = np.ones(len(begin), np.bool_)
    heads[1:] = begin[1:] > reach[:-1]
    tails = np.ones(len(begin), np.bool_)
    tails[:-1] = heads[1:]
    found = np.empty(int(heads.sum()), STRETCH)
    found["row"], found["first"] = begin[heads] >> UPPER, begin[heads] & LOWER
    found["last"] = reach[tails] & LOWER
    return found


def _counted(links: NDArray[np.void]) -> NDArray[np.void]:
    """Return how many runs of a row have their best place in another document, and the first of them."""
    rows, best = links["key"] >> UPPER, links["best"] >> UPPER
    order = np.argsort((rows << UPPER) | best, kind="stable")  # in a row and document, the order of the text
    rows, best = rows[order], best[order]
    heads = np.ones(len(order), np.bool_)
    heads[1:] = (rows[1:] != rows[:-1]) | (best[1:] != best[:-1])
    places = np.flatnonzero(heads)
    found = np.empty(len(places), HOLDER)
    found["row"], found["doc"] = rows[places], best[places]
    found["runs"], found["first"] = np.diff(np.append(places, len(order))), links["key"][order[places]] & LOWER
    return found


def _judge(counted: Any, verdicts: Verdicts) -> NDArray[np.void]:
    """Return what to drop, ``doc`` being the position of the text."""
    units, cut = counted("units"), counted("cut_units")
    share = counted("cut_chars") / np.maximum(counted("chars"), 1)
    if verdicts.drop_at is not None:
        failed = [(share >= verdicts.drop_at) & (cut > 0)]
        values = [share]
    else:
        left = counted("tokens_left"), units - cut
        failed = [cut == units, left[0] < verdicts.min_tokens, left[1] < verdicts.min_units]
        values = [np.ones(len(units)), left[0].astype(np.float64), left[1].astype(np.float64)]
    every = np.array(failed)
    docs = np.flatnonzero(every.any(axis=0))
    why = every[:, docs].argmax(axis=0)
    gone = np.zeros(len(docs), DROP)
    gone["doc"], gone["why"], gone["share"] = docs, why, share[docs]
    gone["value"] = np.array(values)[why, docs]
    return gone


def _find_keepers(gone: NDArray[np.void], holders: NDArray[np.void], base: int) -> None:
    """Name for each document the one that holds the best place of most of its runs; of several, the first in it."""
    gone["keeper"] = gone["doc"]
    mine = holders[np.isin(holders["row"] + base, gone["doc"])]
    order = np.lexsort((mine["first"], mine["doc"], mine["row"]))
    mine = mine[order]  # a long text comes in several parts: add them up
    heads = np.ones(len(mine), np.bool_)
    heads[1:] = (mine["row"][1:] != mine["row"][:-1]) | (mine["doc"][1:] != mine["doc"][:-1])
    total = np.bincount(np.cumsum(heads) - 1, weights=mine["runs"], minlength=0)
    mine = mine[heads]
    ranking = np.lexsort((mine["first"], -total, mine["row"]))
    rows, at = np.unique(mine["row"][ranking], return_index=True)
    gone["keeper"][np.searchsorted(gone["doc"], rows + base)] = mine["doc"][ranking][at]


def settle(folders: Sequence[Path], out: Path) -> dict[str, Any]:
    """Write ``keepers.npy``: for every dropped document, by shard, one that stays; itself where there is none.

    What holds a copy may be dropped in turn, because of others: then those hold it.
    """
    drops = [np.load(folder / DROPPED)[["doc", "keeper"]] for folder in folders]
    both = np.concatenate([np.empty(0, drops[0].dtype), *drops])
    docs, keepers = both["doc"], both["keeper"].copy()
    after = np.searchsorted(docs, keepers)
    after[after == len(docs)] = 0
    moves = (docs[after] == keepers) if len(docs) else np.zeros(0, np.bool_)
    after = np.where(moves, after, np.arange(len(docs)))
    while (after != after[after]).any():
        after = after[after]  # each step is twice as long as the one before
    final = keepers[after]
    place = np.searchsorted(docs, final)
    place[place == len(docs)] = 0
    lost = (docs[place] == final) if len(docs) else np.zeros(0, np.bool_)
    final[lost] = docs[lost]
    np.save(out / "keepers.npy", final)
    np.save(out / "cuts.npy", np.cumsum([0, *map(len, drops)]))
    return {"dropped": len(docs), "without_keeper": int(lost.sum())}


def write_cover(
    layout: Layout, verdicts: Verdicts, decided: Path, settled: Path, position: int, out: Path
) -> dict[str, Any]:
    """Write the ``removed.parquet`` of one shard, and its edits beside it."""
    gone = np.load(decided / DROPPED)
    start, end = np.load(settled / "cuts.npy")[position : position + 2]
    keepers = np.load(settled / "keepers.npy", mmap_mode="r")[start:end]
    distinct, which = np.unique(keepers, return_inverse=True)
    ids = np.empty(len(distinct), object)
    for place, at, rows in layout.by_folder(distinct):
        ids[at] = read_ids(layout.folders[place], rows)
    details = pa.array([json.dumps({"keeper": one}, ensure_ascii=False) for one in ids], pa.string()).take(
        pa.array(which)
    )
    alone = keepers == gone["doc"]
    shares = pa.array([json.dumps({"share": share}) for share in gone["share"][alone].tolist()], pa.string())
    details = pc.replace_with_mask(details, pa.array(alone), shares)
    rules = verdicts.rules
    columns = {
        "row": pa.array((gone["doc"].astype(np.int64) - layout.bases[position]).astype(np.uint32)),
        "outcome": pa.repeat("dropped", len(gone)),
        "reason": pa.array([reason for reason, _ in rules]).take(pa.array(gone["why"])),
        "rule": pa.nulls(len(gone), pa.string()),
        "value": pa.array(gone["value"]),
        "threshold": pa.array([threshold for _, threshold in rules]).take(pa.array(gone["why"])),
        "detail": details,
    }
    pq.write_table(pa.table(columns, schema=REMOVAL_SCHEMA), out / "removed.parquet", compression="lz4")
    if (decided / EDITS).is_file():
        link_or_copy(decided / EDITS, out / EDITS)
    return {"removed": len(gone)}
