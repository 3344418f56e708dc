"""Documents with equal keys: one is kept, the others point at it. Out of core, by ranges of the key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tamis.curate.dedup.keys import range_bits
from tamis.curate.dedup.layout import Layout, Numbering
from tamis.curate.dedup.pairs import PAIR, PAIRS, Resolved, merge_pairs, name_keepers, write_removals
from tamis.curate.dedup.records import RECORD, keeper_order
from tamis.run.ledger import task_key
from tamis.stage import Done, Engine, ReduceStage, ShardView, Task

MapCall = Callable[..., dict[str, Any]]

CHUNK: Final = 1 << 20
"""Records held at one time while the best of each key is looked for."""

RANGE_KEYS: Final = 2_000_000
"""Keys that one task should compare: their records take 48 bytes each and are sorted by six fields."""


def reduce_equal(
    stage: ReduceStage, call: MapCall, reason: str, shards: Sequence[ShardView], engine: Engine
) -> list[Done]:
    """Keep one document per key.

    Args:
        stage: The stage; its signature goes into every task key, itself to ``call``.
        call: ``call(view, stage, width, out)`` writes the record files of a shard and may return ``notes``.
        reason: Reason of every removal.
        shards: The shards.
        engine: Runs the tasks.
    """
    if not shards:
        return []
    numbers = Numbering.of(shards)
    views = [shards[i] for i in numbers.order]
    signature = stage.signature()
    label = f"{stage.kind}: "
    maps = [
        Task(task_key(signature, "keys", view.key, numbers.width), label + "keys", call, (view, stage, numbers.width))
        for view in views
    ]
    mapped = engine.run(maps)
    layout = Layout(numbers, tuple(done.folder for done in mapped))
    content = task_key(signature, [task.key for task in maps])
    resolved = Resolved(collapse(layout, 0, (signature, content, label), engine))
    removals = removal_tasks(layout, resolved, (content, label), (reason, 1.0), engine)
    done = [
        replace(one, result={**one.result, "notes": source.result.get("notes", {})})
        for one, source in zip(engine.run(removals), mapped, strict=True)
    ]
    return numbers.given(done)


def collapse(layout: Layout, band: int, names: tuple[Any, str, str], engine: Engine) -> Path:
    """Find equal keys in all folders; return the folder of ``merge_pairs``. ``band`` is where the keys lie."""
    signature, content, label = names
    share = engine.memory // max(1, engine.workers)
    bits = range_bits(layout.numbers.total, min(RANGE_KEYS, max(share // 160, 1 << 16)))
    tasks = [
        Task(
            task_key(signature, "equal", content, bits, part),
            label + "equal keys",
            collapse_range,
            (layout, band, part, bits),
            min(share, RANGE_KEYS * 160),
        )
        for part in range(1 << bits)
    ]
    folders = [done.folder for done in engine.run(tasks)]
    merge = Task(task_key(signature, "merge equal", content), label + "merge", merge_pairs, (folders, layout.bases))
    [merged] = engine.run([merge])
    return merged.folder


def removal_tasks(
    layout: Layout, resolved: Resolved, names: tuple[str, str], why: tuple[str, float], engine: Engine
) -> list[Task]:
    """Return the tasks that write the removal file of each shard of the layout."""
    content, label = names
    key = task_key("keepers", content, resolved.near.name if resolved.near else "")
    [keepers] = engine.run([Task(key, label + "keepers", name_keepers, (layout, resolved))])
    first = len(layout.numbers.fixed)
    return [
        Task(
            task_key("removals", key, why, position - first),
            label + "removals",
            write_removals,
            (layout, resolved, keepers.folder, position, why),
        )
        for position in range(first, len(layout.folders))
    ]


def collapse_range(layout: Layout, band: int, part: int, bits: int, out: Path) -> dict[str, Any]:
    """Write, for each document of the range whose key a better one has, the pair of the two.

    Memory grows with the number of *distinct* keys that occur twice, not with the copies: a million copies of one text
    cost no more than a thousand.
    """
    shared = _shared_keys(layout, band, part, bits)
    best = np.empty(0, RECORD)
    best_docs = np.empty(0, np.int64)
    seen: list[tuple[NDArray[np.int64], NDArray[np.uint64]]] = []
    for chunk, docs in enumerate(_members(layout, band, (part, bits), shared)):
        found = layout.records(docs)
        seen = [] if chunk else [(docs, found["key"].copy())]  # mostly there is one
        records = np.concatenate([best, found])
        numbers = np.concatenate([best_docs, docs])
        order = keeper_order(records, numbers < layout.n_fixed)
        # Stable, so that within a key the order of the keepers stays.
        order = order[np.lexsort((records["key"][order, 1], records["key"][order, 0]))]
        records, numbers = records[order], numbers[order]
        first = _firsts(records["key"])
        best, best_docs = records[first], numbers[first]
    wanted = best["key"]
    removed = 0
    with (out / PAIRS).open("wb") as file:
        again = ((docs, layout.records(docs)["key"]) for docs in _members(layout, band, (part, bits), shared))
        for docs, keys in seen or again:  # rising, so that pairs are
            keepers = best_docs[_find(wanted, keys)]
            gone = (keepers != docs) & (docs >= layout.n_fixed)
            pairs = np.empty(int(gone.sum()), PAIR)
            pairs["doc"], pairs["keeper"], pairs["value"] = docs[gone], keepers[gone], 1.0
            pairs.tofile(file)
            removed += len(pairs)
    return {"removed": removed}


def _shared_keys(layout: Layout, band: int, part: int, bits: int) -> NDArray[np.uint64]:
    """Return the keys that occur more than once, rising."""
    distinct, shared = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    for _, keys, _ in layout.keys(band, part, bits):
        found, counts = np.unique(keys, return_counts=True)
        distinct.append(found)
        shared.append(found[counts > 1])
    every = np.concatenate(distinct)
    every.sort()
    return np.unique(np.concatenate([every[1:][every[1:] == every[:-1]], *shared]))


def _members(layout: Layout, band: int, which: tuple[int, int], shared: NDArray[np.uint64]) -> Any:
    """Yield the numbers of the documents with one of these keys, a bounded number at a time, always the same ones."""
    if not len(shared):
        return
    held: list[NDArray[np.int64]] = []
    count = 0
    for base, keys, rows in layout.keys(band, *which):
        at = np.searchsorted(shared, keys)
        at[at == len(shared)] = 0
        docs = rows[shared[at] == keys].astype(np.int64) + base
        docs.sort()
        for start in range(0, len(docs), CHUNK):
            held.append(docs[start : start + CHUNK])
            count += len(held[-1])
            if count >= CHUNK:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)


def _firsts(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return where each of the sorted keys, shape (n, 2), is first."""
    first = np.ones(len(keys), np.bool_)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return np.flatnonzero(first)


def _find(known: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the position of each key, shape (n, 2), among distinct ones that rise by (first, second) and hold it."""

    def packed(values: NDArray[np.uint64]) -> NDArray[Any]:
        return np.ascontiguousarray(values.astype(">u8")).view("S16")[:, 0]  # big-endian bytes compare as numbers do

    return np.searchsorted(packed(known), packed(keys))
